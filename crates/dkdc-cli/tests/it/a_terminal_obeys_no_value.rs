//! A todo that somebody else wrote clears the screen, retitles the window or
//! types a command. Values are shown, never obeyed; nor are those that an error
//! repeats.

use serde_json::json;

use crate::shell::Shell;

const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}txt.exe";

#[test]
fn tables_show_control_characters_as_escapes() {
    let shell = Shell::with_people();
    let row = json!({"id": EVIL, "name": EVIL, "tags": [EVIL], "extra": {EVIL: EVIL}});
    let added = shell.ok(&["row", "append", "people", &row.to_string()]);
    let listed = shell.ok(&["row", "ls", "people"]);
    let history = shell.ok(&["row", "history", "people", EVIL]);
    let asked = shell.ok(&["sql", "select name, name as \"\u{1b}[1m\" from people"]);
    for table in [added, listed, history, asked] {
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!table.contains(obeyed), "{table:?}");
        assert!(table.contains("\\x1b]0;owned\\x07"), "{table}");
    }
}

#[test]
fn json_gives_them_exactly_and_without_effect() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", EVIL, "--id", "a"]);
    let out = shell.ok(&["todo", "ls", "--json"]);
    assert!(!out.contains('\u{1b}') && !out.contains('\u{7}'));
    assert_eq!(shell.json(&["todo", "ls"])[0]["body"], EVIL);
}

#[test]
fn errors_and_words_repeat_nothing_that_is_obeyed() {
    let shell = Shell::with_people();
    // `fails` looks for control characters.
    shell.fails(3, &["todo", "show", EVIL]);
    shell.fails(3, &["lake", "cat", EVIL]);
    shell.fails(3, &["row", "ls", EVIL]);
    shell.fails(3, &["--db", EVIL, "status"]);
    shell.fails(2, &["sql", &format!("select {EVIL}")]);
    shell.fails(2, &["todo", "ls", "--as-of", EVIL]);
    shell.fails(2, &[EVIL]);
    shell.ok(&["todo", "add", "x", "--id", EVIL]);
    let removed = shell.dkdc(&["todo", "rm", EVIL]);
    assert_eq!(removed.err.lines().count(), 1);
    assert!(
        !removed.err.trim_end().contains(char::is_control),
        "{removed:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_no_bytes_that_are_not_text() {
    let shell = Shell::new();
    shell.write("picture.bin", b"\x89PNG\x0d\x0a\x1a\x0a\x00");
    shell.write("plain.txt", "hello\n");
    shell.ok(&["lake", "put", "picture.bin"]);
    shell.ok(&["lake", "put", "plain.txt"]);
    for command in [
        "dkdc lake cat picture.bin",
        "dkdc lake get picture.bin -o -",
    ] {
        let ended = shell.on_terminal(80, command, "");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.out.contains("is not text"), "{ended:?}");
        assert!(!ended.out.contains("PNG"), "{ended:?}");
    }
    assert!(
        shell
            .on_terminal(80, "dkdc lake cat plain.txt", "")
            .out
            .contains("hello")
    );
    let piped = shell.on_terminal(80, "dkdc lake cat picture.bin | wc -c", "");
    assert_eq!(piped.out.trim(), "9");
}
