//! A todo that goes into another file than the list reads from is lost to its
//! owner, and a store made by a typing error hides the real one.

use crate::shell::Shell;

#[test]
fn todo_and_lake_have_stores_of_their_own_which_are_made() {
    let shell = Shell::new();
    shell.write("a.txt", "a");
    shell.ok(&["todo", "add", "x"]);
    shell.ok(&["lake", "put", "a.txt"]);
    assert!(shell.path("home/todo.db").exists() && shell.path("home/lake.db").exists());
    assert!(!shell.path("data.db").exists());
}

#[test]
fn without_dkdc_dir_they_are_at_home() {
    let shell = Shell::new();
    let home = shell.path("me");
    std::fs::create_dir(&home).expect("a folder");
    let mut command = shell.command(crate::shell::DKDC);
    let status = command
        .env_remove("DKDC_DIR")
        .env("HOME", &home)
        .args(["todo", "ls"])
        .output();
    assert!(status.expect("dkdc runs").status.success());
    assert!(home.join(".dkdc/todo.db").exists());
}

#[test]
fn other_commands_use_data_db_here_or_list_what_they_know() {
    let shell = Shell::new();
    let line = shell.fails(3, &["row", "ls", "people"]);
    assert!(
        line.contains("./data.db") && line.contains("no others are known"),
        "{line}"
    );
    shell.ok(&["todo", "add", "x"]);
    for args in [
        &["row", "ls", "people"][..],
        &["table", "ls"],
        &["table", "new", "t", "a:int"],
        &["sql", "select 1"],
        &["changes"],
        &["check"],
        &["status"],
        &["clear", "--force"],
    ] {
        let line = shell.fails(3, args);
        assert!(line.contains("home/todo.db"), "{line}");
    }
    shell.ok(&["--db", "data.db", "table", "new", "people", "name:text"]);
    assert_eq!(shell.json(&["table", "ls"]).len(), 1);
}

#[test]
fn the_variable_comes_before_the_default_and_the_option_before_both() {
    let shell = Shell::new().with("DKDC_DB", "variable.db");
    shell.ok(&["todo", "add", "x"]);
    assert!(shell.path("variable.db").exists() && !shell.path("home").exists());
    assert_eq!(shell.json(&["table", "ls"]).len(), 1);
    shell.ok(&["--db", "option.db", "todo", "add", "x"]);
    shell.ok(&["todo", "add", "y", "--db", "option.db"]);
    assert_eq!(shell.json(&["--db", "option.db", "todo", "ls"]).len(), 2);
    assert_eq!(shell.json(&["todo", "ls"]).len(), 1);
}

#[test]
fn an_empty_variable_is_not_set() {
    let shell = Shell::new().with("DKDC_DB", "");
    shell.ok(&["todo", "add", "x"]);
    assert!(shell.path("home/todo.db").exists());
}
