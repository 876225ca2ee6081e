//! A disk that flips a bit, or a program that edits a row behind our back, must
//! not go unnoticed: `check` names the place and ends with its own code.

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.ok(&["todo", "add", "do your homework", "--id", "test"]);
    shell.ok(&["todo", "add", "buy milk", "--id", "milk"]);
    shell
}

#[test]
fn a_sound_store_is_said_to_be_sound() {
    let found = shell().json(&["check"]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["table"], &found[0]["sound"]),
        (&"todos".into(), &true.into())
    );
    assert_eq!(
        (&found[0]["versions"], &found[0]["records"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn an_altered_row_is_named_and_the_code_is_its_own() {
    let shell = shell();
    let mut bytes = shell.read("data.db");
    let at = bytes
        .windows(16)
        .position(|window| window == b"do your homework");
    bytes[at.expect("the body")] = b'D';
    shell.write("data.db", bytes);
    let ended = shell.dkdc(&["check", "--json"]);
    let found: Vec<serde_json::Value> = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(found[0]["sound"], false);
    assert!(
        found[0]["damage"][0]
            .as_str()
            .is_some_and(|line| line.contains("\"test\"")),
        "{found:?}"
    );
    let line = ended.failed(7);
    // Whoever has just checked need not be told to.
    assert!(!line.contains("dkdc check"), "{line}");
    assert!(
        line.contains("data.db is damaged: todos: version"),
        "{line}"
    );
}

/// The failure to prevent: what can be made anew is told, and a record that was altered
/// is behind it.
#[test]
fn what_is_lost_is_told_before_what_can_be_mended() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.ok(&["table", "new", "t", "name:text", "--unique", "name"]);
    shell.write("rows.csv", "id,name\na,name450\nb,name460\n");
    shell.ok(&["import", "t", "rows.csv"]);
    let bytes = shell.read("data.db");
    let mut altered = bytes.clone();
    for at in 0..bytes.len() - 7 {
        if &bytes[at..at + 7] == b"name450" {
            altered[at + 4] = b'9';
        }
    }
    shell.write("data.db", altered);
    let line = shell.fails(7, &["check"]);
    assert!(line.contains("is damaged: t: version"), "{line}");
    assert!(line.contains("more"), "{line}");
}

#[test]
fn whoever_meets_damage_is_told_to_check_and_who_checks_is_not() {
    let shell = shell();
    let sound = shell.read("data.db");
    let page = 4096;
    let mut bytes = sound.clone();
    // The pages behind the first: no tree of SQLite's is left.
    bytes[page..].fill(0xee);
    shell.write("data.db", bytes);
    let line = shell.fails(7, &["todo", "ls"]);
    let path = shell.path("data.db").canonicalize().expect("a path");
    let advice = format!(
        "; dkdc --db {} check names all that is damaged",
        path.display()
    );
    assert!(line.ends_with(&advice), "{line}");
    let line = shell.fails(7, &["check"]);
    assert!(
        line.contains("data.db is damaged") && !line.contains("dkdc check"),
        "{line}"
    );
}

/// A piece of a file of many: what is read of it before is sound, so that whoever looks
/// only at what came might take it for the whole.
#[test]
fn a_damaged_piece_of_a_file_ends_with_the_code_of_damage() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    let content: Vec<u8> = (0..1_000_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    shell.write("large.bin", content);
    shell.ok(&["lake", "put", "large.bin", "--path", "a"]);
    shell.dkdc_reading("small", &["lake", "put", "-", "--name", "small.txt"]);
    let script = "DROP TRIGGER _dkdc_guard_update__dkdc_chunks; \
                  UPDATE _dkdc_chunks SET data = zeroblob(length(data)) WHERE number = \
                  (SELECT number FROM _dkdc_chunks WHERE codec < 2 AND size > 100 \
                   ORDER BY number DESC LIMIT 1)";
    let mut sqlite = std::process::Command::new("sqlite3");
    let done = sqlite.arg(shell.path("data.db")).arg(script).status();
    assert!(done.expect("sqlite3 runs").success());
    for args in [
        &["lake", "cat", "a/large.bin"][..],
        &["lake", "show", "a/large.bin"],
        &["lake", "get", "a/large.bin", "-o", "copy.bin"],
    ] {
        let mut command = shell.command(crate::shell::DKDC);
        let ended = command.args(args).output().expect("dkdc runs");
        let line = String::from_utf8(ended.stderr).expect("UTF-8");
        assert_eq!(ended.status.code(), Some(7), "{args:?}: {line}");
        assert!(
            line.contains("the content of a/large.bin") && line.contains("is damaged"),
            "{line}"
        );
        assert!(
            line.ends_with("check names all that is damaged\n"),
            "{line}"
        );
    }
    assert!(!shell.path("copy.bin").exists());
    // Content is read where it is asked for alone.
    let sql = |query: &str| shell.ok(&["sql", query, "--format", "csv"]);
    let files = "select filename, size, status from lake order by size desc";
    assert_eq!(
        sql(files),
        "filename,size,status\nlarge.bin,4000000,\nsmall.txt,5,\n"
    );
    let small = "select data::varchar as d from lake where filename = 'small.txt'";
    assert_eq!(sql(small), "d\nsmall\n");
    assert_eq!(sql("select count(*) as n from lake"), "n\n2\n");
    shell.fails(7, &["sql", "select max(length(data::varchar)) from lake"]);
}
