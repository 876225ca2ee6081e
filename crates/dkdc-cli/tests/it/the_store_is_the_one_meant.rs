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
        .args(["todo", "add", "x"])
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
fn what_reads_makes_nothing() {
    let shell = Shell::new();
    let reads: [&[&str]; 9] = [
        &["todo", "ls"],
        &["todo", "show", "a"],
        &["todo", "history", "a"],
        &["todo", "rm", "a"],
        &["todo", "restore", "a", "--version", "1"],
        &["lake", "ls"],
        &["lake", "cat", "a"],
        &["lake", "history", "a"],
        &["lake", "rm", "a"],
    ];
    // A list that nobody has begun is empty.
    for read in reads {
        let ended = shell.dkdc(read);
        if read[1] == "ls" {
            assert_eq!((ended.code, ended.out.lines().count()), (0, 6), "{ended:?}");
        } else {
            let line = ended.failed(3);
            assert!(line.ends_with(" a does not exist"), "{line}");
        }
    }
    assert!(!shell.path("home").exists());

    // A store that was named is there or it is an error.
    for read in reads {
        let line = shell.fails(3, &[&["--db", "typo.db"], read].concat());
        assert_eq!(line, "there is no store at typo.db");
    }
    assert!(!shell.path("typo.db").exists());

    // One that has other tables keeps to those.
    shell.ok(&["--db", "other.db", "table", "new", "people", "name:text"]);
    for read in reads {
        shell.dkdc(&[&["--db", "other.db"], read].concat());
    }
    assert_eq!(shell.json(&["--db", "other.db", "todo", "ls"]).len(), 0);
    assert_eq!(
        shell.json(&["--db", "other.db", "lake", "ls", "a"]).len(),
        0
    );
    assert_eq!(shell.json(&["--db", "other.db", "table", "ls"]).len(), 1);
}

#[test]
fn a_table_that_cannot_be_makes_no_store() {
    let shell = Shell::new();
    for table in [["_t", "a:int"], ["t", "id:int"], ["t", "a:day"]] {
        shell.fails(
            2,
            &[&["--db", "new.db", "table", "new"], &table[..]].concat(),
        );
    }
    assert!(!shell.path("new.db").exists());
}

#[test]
fn an_empty_file_becomes_a_store_by_a_write_alone() {
    let shell = Shell::new();
    shell.write("empty.db", "");
    for read in [
        &["todo", "ls"][..],
        &["lake", "ls"],
        &["todo", "done", "a"],
        &["status"],
        &["sql", "select 1"],
        &["table", "ls"],
    ] {
        let line = shell.fails(2, &[&["--db", "empty.db"], read].concat());
        assert!(
            line.ends_with("empty.db is no dkdc store: it is empty"),
            "{line}"
        );
        assert!(shell.read("empty.db").is_empty(), "{read:?}");
    }
    shell.write("people.csv", "id,name\na,A\n");
    shell.ok(&["--db", "empty.db", "import", "people", "people.csv"]);
    assert_eq!(shell.json(&["--db", "empty.db", "table", "ls"]).len(), 1);

    // What other programs take for a store in memory would be a file here.
    for command in [&["todo", "ls"][..], &["todo", "add", "x"], &["status"]] {
        let line = shell.fails(2, &[&["--db", ":memory:"], command].concat());
        assert_eq!(line, ":memory: is no dkdc store: a store is a file");
    }
    assert!(!shell.path(":memory:").exists());
}

#[test]
fn an_empty_variable_is_not_set() {
    let shell = Shell::new().with("DKDC_DB", "");
    shell.ok(&["todo", "add", "x"]);
    assert!(shell.path("home/todo.db").exists());
}
