//! `dkdc tour`: the post's story, on a store of its own.
//!
//! Nothing is shown that did not happen: each command line that is printed is
//! parsed and run as if it had been typed, in this process.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use dkdc_state::Idx;
use dkdc_todo::Todos;

use crate::cli;
use crate::exit::{self, Code, Failure, Result};
use crate::output::Output;
use crate::records::in_shell;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc tour
  dkdc tour --dir /tmp/tour      (and look around there afterwards)";

#[derive(Args, Debug)]
pub(crate) struct Tour {
    /// Where to keep the store [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// The store of the tour, in its folder.
const STORE: &str = "data.db";

pub(crate) fn run(tour: &Tour, output: &mut Output) -> Result<()> {
    // Removed when it is dropped, whatever happens until then.
    let mut temporary = None;
    let folder = match &tour.dir {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
            folder.clone()
        }
        None => {
            let made = tempfile::Builder::new().prefix("dkdc-tour-").tempdir();
            let made = made.map_err(|error| Failure::file(&env::temp_dir(), &error))?;
            temporary.insert(made).path().to_owned()
        }
    };
    let store = folder.join(STORE);
    if store.exists() {
        let message = format!(
            "{} is there already; a tour needs a new store",
            store.display()
        );
        return Err(Failure::new(Code::AlreadyExists, message));
    }
    let before = env::current_dir().ok();
    env::set_current_dir(&folder).map_err(|error| Failure::file(&folder, &error))?;
    let told = Guide::new(output).and_then(|mut guide| guide.tell(&folder));
    // Elsewhere, so that the folder can be removed.
    if let Some(before) = before {
        let _ = env::set_current_dir(before);
    }
    drop(temporary);
    told?;
    end(tour, output)
}

fn end(tour: &Tour, output: &mut Output) -> Result<()> {
    output.line("")?;
    match &tour.dir {
        Some(folder) => {
            let store = folder.join(STORE);
            output.line(&format!("The store is {}. It is yours.", store.display()))?;
        }
        None => {
            output.line("The store of this tour is gone again. Yours begins with: dkdc todo add")?
        }
    }
    output.flush()
}

struct Guide<'a> {
    output: &'a mut Output,
    stores: Stores,
    /// Kept open, so that each command finds the store open.
    todos: Todos,
}

impl<'a> Guide<'a> {
    /// In the current folder.
    fn new(output: &'a mut Output) -> Result<Guide<'a>> {
        let stores = Stores::of_tour(STORE);
        let todos = Todos::on(&stores.or_new()?)?;
        Ok(Guide {
            output,
            stores,
            todos,
        })
    }

    fn tell(&mut self, folder: &Path) -> Result<()> {
        self.output
            .headline("dkdc: fast, simple, persistent state")?;
        self.output.line("")?;
        self.prompt(&format!("cd {}", in_shell(&folder.display().to_string())))?;
        self.prompt(&format!("export DKDC_DB={STORE}"))?;
        self.todos()?;
        self.lake()?;
        self.past()?;
        self.conflict()?;
        self.delete()?;
        self.question()
    }

    fn todos(&mut self) -> Result<()> {
        self.chapter("A table has names and types before it has rows.")?;
        self.step(&["todo", "ls"])?;
        self.chapter("Append a todo ...")?;
        self.step(&["todo", "add", "do your homework", "--id", "test"])?;
        self.chapter("... and update it. The table shows one row: the latest version ...")?;
        self.step(&["todo", "edit", "test", "--body", "do your homework!"])?;
        self.step(&["todo", "ls"])?;
        self.chapter("... but both are kept.")?;
        self.step(&["todo", "history", "test"])
    }

    fn lake(&mut self) -> Result<()> {
        self.chapter("The same with files, in the same store. The id stays.")?;
        for content in ["hello world", "hello world!"] {
            self.prompt(&format!("printf '{content}' > test.txt"))?;
            let path = Path::new("test.txt");
            fs::write(path, content).map_err(|error| Failure::file(path, &error))?;
            self.step(&["lake", "put", "test.txt"])?;
        }
        self.step(&["lake", "history", "test.txt"])?;
        self.step(&["lake", "cat", "test.txt"])?;
        self.output.line("")
    }

    fn past(&mut self) -> Result<()> {
        self.chapter("Any moment can be read: a time, '5 minutes ago', or a version's idx.")?;
        let first = self.versions()?[0];
        self.step(&["todo", "show", "test", "--as-of", &shown(first)])
    }

    fn conflict(&mut self) -> Result<()> {
        self.chapter("Compare and set: whoever read the first version comes too late.")?;
        let first = self.versions()?[0];
        let change = r#"{"id": "test", "status": "started"}"#;
        self.refused(
            &[
                "row",
                "update",
                "todos",
                change,
                "--if-version",
                &shown(first),
            ],
            Code::Conflict,
        )?;
        let last = self.versions()?.pop().unwrap_or(first);
        self.step(&[
            "row",
            "update",
            "todos",
            change,
            "--if-version",
            &shown(last),
        ])
    }

    fn delete(&mut self) -> Result<()> {
        self.chapter("A delete is a version, too. So is what brings the todo back.")?;
        let last = self.versions()?.pop().unwrap_or(Idx::ZERO);
        self.step(&["todo", "rm", "test"])?;
        self.step(&["todo", "ls"])?;
        self.step(&["todo", "restore", "test", "--version", &shown(last)])
    }

    fn question(&mut self) -> Result<()> {
        self.chapter("Any question, in SQL, over what is and what was.")?;
        self.step(&[
            "sql",
            "select op, count(*) as versions, max(idx) as newest from history.todos \
             group by op order by newest",
        ])?;
        self.chapter("And every version says what was written to it.")?;
        self.step(&["check"])
    }

    /// The todo's versions, oldest first: never none.
    fn versions(&self) -> Result<Vec<Idx>> {
        let versions = self.todos.history("test")?;
        Ok(versions.iter().map(dkdc_todo::Versioned::idx).collect())
    }

    fn chapter(&mut self, text: &str) -> Result<()> {
        self.output.line("")?;
        self.output.headline(text)
    }

    fn prompt(&mut self, command: &str) -> Result<()> {
        self.output.line(&format!("$ {command}"))?;
        // What the command says itself comes after.
        self.output.flush()
    }

    /// Runs a command line.
    fn step(&mut self, words: &[&str]) -> Result<()> {
        let typed: Vec<String> = words.iter().map(|word| in_shell(word)).collect();
        self.prompt(&format!("dkdc {}", typed.join(" ")))?;
        cli::run_words(words, &self.stores, self.output)
    }

    /// Runs a command line that must fail like this.
    fn refused(&mut self, words: &[&str], expected: Code) -> Result<()> {
        match self.step(words) {
            Err(Failure::Failed { code, message }) if code == expected => {
                self.output
                    .line(&format!("dkdc: {}", exit::one_line(&message)))?;
                self.output.line(&format!("(exit code {})", code as u8))
            }
            Err(other) => Err(other),
            Ok(()) => Err(Failure::new(
                Code::Failure,
                "BUG: what must be refused was not",
            )),
        }
    }
}

/// An idx as results show it.
fn shown(idx: Idx) -> String {
    let time = format!("{:.6}", idx.timestamp());
    time.trim_end_matches('Z').replace('T', " ")
}
