//! Which file a command works on.
//!
//! `--db` comes first, then `DKDC_DB`. Without either, `todo` and `lake` keep
//! theirs in the folder of dkdc, and the other commands use `./data.db` if it is
//! there. A store is made by what adds to it, never by a read. Owns what the
//! program reads from its environment for this.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dkdc_state::State;

use crate::exit::{Code, Failure, Result};
use crate::records::in_shell;

/// What other commands than `todo` and `lake` use, if it is there.
const HERE: &str = "data.db";

/// The stores that a command may mean.
pub(crate) struct Stores {
    named: Option<PathBuf>,
    /// True when it was named by `--db`: what we tell people to type names it,
    /// too.
    typed: bool,
    wait: Duration,
}

impl Stores {
    /// `db` as given by `--db`.
    pub(crate) fn new(db: Option<PathBuf>, wait: Duration) -> Stores {
        Stores {
            typed: db.is_some(),
            named: db.or_else(|| set("DKDC_DB").map(PathBuf::from)),
            wait,
        }
    }

    /// The store that the variable names in the tour.
    pub(crate) fn of_tour(path: &str) -> Stores {
        Stores {
            named: Some(PathBuf::from(path)),
            typed: false,
            wait: Duration::from_secs(30),
        }
    }

    /// How a command on the same store begins.
    pub(crate) fn dkdc(&self) -> String {
        match &self.named {
            Some(path) if self.typed => {
                format!("dkdc --db {}", in_shell(&path.display().to_string()))
            }
            _ => "dkdc".to_owned(),
        }
    }

    /// The store of `todo` or `lake`, made if need be.
    pub(crate) fn of_app(&self, file: &str) -> Result<State> {
        if let Some(path) = &self.named {
            return self.open(path, true);
        }
        let folder = folder()?;
        fs::create_dir_all(&folder).map_err(|error| {
            if folder.exists() && !folder.is_dir() {
                return Failure::usage(format!("{}: it is no folder", folder.display()));
            }
            Failure::file(&folder, &error)
        })?;
        self.open(&folder.join(file), true)
    }

    /// The store of `todo` or `lake`, if it is there; one that was named must
    /// be.
    pub(crate) fn of_app_if_there(&self, file: &str) -> Result<Option<State>> {
        if let Some(path) = &self.named {
            return self.open(path, false).map(Some);
        }
        let path = folder()?.join(file);
        if !path.exists() {
            return Ok(None);
        }
        self.open(&path, false).map(Some)
    }

    /// A store that is there.
    pub(crate) fn existing(&self) -> Result<State> {
        self.open(&self.path()?, false)
    }

    /// A store that may be there; an empty file is none yet.
    pub(crate) fn if_there(&self) -> Result<Option<State>> {
        let path = self.path()?;
        if !path.metadata().is_ok_and(|meta| meta.len() > 0) {
            return Ok(None);
        }
        self.open(&path, false).map(Some)
    }

    /// A store, made if it is not there.
    pub(crate) fn or_new(&self) -> Result<State> {
        self.open(&self.path()?, true)
    }

    fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.named {
            return Ok(path.clone());
        }
        let here = PathBuf::from(HERE);
        if here.exists() {
            return Ok(here);
        }
        Err(Failure::new(Code::NotFound, nothing_here(&known())))
    }

    fn open(&self, path: &Path, create: bool) -> Result<State> {
        let options = State::options().create(create).busy_timeout(self.wait);
        Ok(options.open(path)?)
    }
}

fn nothing_here(known: &[PathBuf]) -> String {
    let known: Vec<String> = known
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let known = if known.is_empty() {
        "no others are known".to_owned()
    } else {
        format!("known: {}", known.join(", "))
    };
    format!("there is no store at ./{HERE}; name one with --db or DKDC_DB; {known}")
}

/// The stores in the folder of dkdc.
fn known() -> Vec<PathBuf> {
    let Ok(entries) =
        folder().and_then(|path| fs::read_dir(&path).map_err(|error| Failure::file(&path, &error)))
    else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut stores: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    stores.sort();
    stores
}

/// `DKDC_DIR`, else `~/.dkdc`.
fn folder() -> Result<PathBuf> {
    if let Some(folder) = set("DKDC_DIR") {
        return Ok(PathBuf::from(folder));
    }
    match env::home_dir().filter(|home| !home.as_os_str().is_empty()) {
        Some(home) => Ok(home.join(".dkdc")),
        None => Err(Failure::usage(
            "there is no home folder: set DKDC_DIR, or name a store with --db",
        )),
    }
}

/// A variable that is set to something.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
