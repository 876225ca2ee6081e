//! A file that is no store is refused, and left as it was.
//!
//! The failure to prevent: a path is mistyped, and another program's database
//! has our tables in it; a file of a newer version is opened, and its newer
//! content is lost; a file that cannot be written is mistaken for an empty one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dkdc_state::{Error, ErrorKind, Moment, State, TableDef};

use crate::skipped::skipped;
use crate::support::{
    Place, assert_sound, copy_outside, intruder, note, notes, other_program, permit, quick, refusal,
};
use crate::workers::{Worker, say};

/// It is refused so, by every way of opening, and not a byte of it changes.
#[track_caller]
fn refused(path: &Path, error: &str) {
    let before = std::fs::read(path).expect("a file");
    assert_eq!(refusal(State::open(path)), error, "{}", path.display());
    assert_eq!(refusal(State::options().read_only(true).open(path)), error);
    assert_eq!(refusal(State::options().create(false).open(path)), error);
    assert_eq!(
        std::fs::read(path).expect("a file"),
        before,
        "it was changed"
    );
    let folder = std::fs::read_dir(path.parent().expect("a folder")).expect("a folder");
    for entry in folder {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        assert!(!name.ends_with("-journal"), "{name} was left behind");
    }
}

fn with(content: &[u8]) -> (Place, PathBuf) {
    let place = Place::new();
    let path = place.db();
    std::fs::write(&path, content).expect("a file");
    (place, path)
}

#[test]
fn files_that_are_no_databases() {
    for content in [
        &b"x"[..],
        b"hello world",
        b"SQLite format 3",
        &[0; 100],
        &[0; 4096],
        &b"SQLite format 3\0 and then something else".repeat(200),
        &b"id,body\na,b\n".repeat(1000),
    ] {
        let (_place, path) = with(content);
        refused(&path, "NotAStore");
    }
}

#[test]
fn other_programs_databases() {
    for sql in [
        "CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT)",
        "PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)",
        "PRAGMA application_id = 5",
        "PRAGMA application_id = 5; CREATE TABLE t(x)",
        "CREATE VIEW v AS SELECT 1",
    ] {
        let place = Place::new();
        let conn = other_program(&place.db());
        conn.execute_batch(sql).expect(sql);
        drop(conn);
        refused(&place.db(), "NotAStore");
    }
}

#[test]
fn what_is_no_file() {
    let place = Place::new();
    let folder = place.at("folder");
    std::fs::create_dir(&folder).expect("a folder");
    assert_eq!(refusal(State::open(&folder)), "NotAStore");
    let fifo = place.at("fifo");
    let made = Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    assert_eq!(refusal(State::open(&fifo)), "NotAStore");
    assert_eq!(refusal(State::open("/dev/null")), "NotAStore");
    assert_eq!(refusal(State::open(place.at("nowhere/data.db"))), "Io");
    assert_eq!(refusal(State::open(place.at("nowhere/.."))), "NotAStore");
    assert_eq!(refusal(State::open("")), "NotAStore");
    assert_eq!(refusal(State::open("/")), "NotAStore");
    let file = place.at("file");
    std::fs::write(&file, "x").expect("a file");
    assert_eq!(refusal(State::open(file.join("data.db"))), "Io");
    for options in [
        State::options().create(false),
        State::options().read_only(true),
    ] {
        let error = options
            .open(place.db())
            .map(|_| ())
            .expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(!place.db().exists());
    }
}

#[test]
fn an_empty_file_becomes_a_store_where_it_is_meant() {
    let (place, path) = with(b"");
    assert_eq!(
        refusal(State::options().read_only(true).open(&path)),
        "NotAStore"
    );
    let state = place.open();
    state
        .define(&notes())
        .expect("a table")
        .append(&note("a", 1))
        .expect("new");
    assert_sound(&state);
}

#[test]
fn a_link_to_what_is_not_there_yet_is_followed() {
    let place = Place::new();
    std::fs::create_dir(place.at("real")).expect("a folder");
    let link = place.at("link.db");
    std::os::unix::fs::symlink(place.at("real/data.db"), &link).expect("a link");
    let state = State::open(&link).expect("a store");
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    table.append(&note("b", 1)).expect("new");
    let direct = State::open(place.at("real/data.db")).expect("the same store");
    assert_eq!(direct.path(), state.path());
    assert_sound(&state);
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let place = Place::new();
    let state = place.open();
    state
        .define(&notes())
        .expect("a table")
        .append(&note("a", 1))
        .expect("new");
    drop(state);
    let conn = intruder(&place.db());
    conn.execute_batch("PRAGMA user_version = 7; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("newer");
    drop(conn);
    refused(&place.db(), "NewerFormat");
    let error = State::open(place.db()).map(|_| ()).expect_err("newer");
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found: 7,
                supported: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("upgrade dkdc"), "{error}");
}

#[test]
fn an_older_format_than_the_files_own_is_damage() {
    let place = Place::new();
    drop(place.open());
    for format in [1, 2] {
        let conn = intruder(&place.db());
        conn.execute_batch(&format!(
            "PRAGMA user_version = {format}; PRAGMA wal_checkpoint(TRUNCATE)"
        ))
        .expect("older");
        drop(conn);
        let error = State::open(place.db()).map(|_| ()).expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        let says = format!("its header says format {format}, but it has _dkdc_");
        assert!(error.to_string().contains(&says), "{error}");
    }
}

#[test]
fn a_store_opened_read_only_reads_and_refuses_to_write() {
    let place = Place::new();
    let state = place.open();
    let version = state
        .define(&notes())
        .expect("a table")
        .append(&note("a", 1))
        .expect("new")
        .idx;
    drop(state);
    let before = std::fs::read(place.db()).expect("a file");
    let state = quick().read_only(true).open(place.db()).expect("a store");
    assert!(state.is_read_only());
    let table = state.define(&notes()).expect("it is as declared");
    assert_eq!(
        table.get("a").expect("a read").expect("there").record,
        note("a", 1)
    );
    state
        .at(version.into())
        .expect("history")
        .rows("notes")
        .expect("a table");
    let error = table.append(&note("b", 1)).expect_err("read-only");
    assert!(
        error.to_string().contains("it was opened read-only"),
        "{error}"
    );
    assert_eq!(refusal(table.delete("a")), "ReadOnly");
    assert_eq!(
        refusal(state.define(&dkdc_state::TableDef::new("t")).map(|_| ())),
        "ReadOnly"
    );
    assert_eq!(refusal(state.clear(&[])), "ReadOnly");
    assert_eq!(refusal(state.put_blob(&b"x"[..])), "ReadOnly");
    assert_eq!(
        refusal(state.transaction(|_| Ok::<(), Error>(()))),
        "ReadOnly"
    );
    // Nor does the process get a handle that writes by opening it again.
    assert_eq!(refusal(State::open(place.db())), "ReadOnly");
    assert_sound(&state);
    drop((table, state));
    assert_eq!(std::fs::read(place.db()).expect("a file"), before);
    place
        .open()
        .rows("notes")
        .expect("a table")
        .append(&note("b", 1))
        .expect("new");
}

#[test]
fn a_read_only_handle_writes_nothing_also_beside_one_that_may() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let first = table.append(&note("a", 1)).expect("new").idx;
    let reader = quick().read_only(true).open(place.db()).expect("a store");
    assert!(reader.is_read_only() && !state.is_read_only());
    let last = state.last().expect("a read");
    let notes_read = reader.define(&notes()).expect("it is as declared");
    let row = note("b", 1);
    assert_eq!(refusal(notes_read.append(&row)), "ReadOnly");
    assert_eq!(refusal(notes_read.upsert_all([&row])), "ReadOnly");
    assert_eq!(refusal(notes_read.delete("a")), "ReadOnly");
    assert_eq!(refusal(notes_read.restore("a", first)), "ReadOnly");
    assert_eq!(
        refusal(reader.define(&dkdc_state::TableDef::new("t")).map(|_| ())),
        "ReadOnly"
    );
    assert_eq!(refusal(reader.rename_column("notes", "n", "m")), "ReadOnly");
    assert_eq!(refusal(reader.clear(&[])), "ReadOnly");
    assert_eq!(refusal(reader.put_blob(&b"x"[..])), "ReadOnly");
    assert_eq!(refusal(reader.gc_blobs()), "ReadOnly");
    let nothing = reader.transaction(|_| Ok::<(), Error>(()));
    let error = nothing.expect_err("read-only").to_string();
    assert!(error.contains("it was opened read-only"), "{error}");
    assert_eq!(state.last().expect("a read"), last);
    // The other handle writes, and this one sees it.
    table.append(&row).expect("new");
    assert_eq!(notes_read.get("b").expect("a read").expect("b").record, row);
    assert_sound(&reader);
}

#[test]
fn a_file_whose_maker_died_is_taken_back_also_for_a_reader() {
    let place = Place::new();
    let maker = other_program(&place.at("made.db"));
    // More than fits into memory: pages are in the file, and as they were in
    // the journal.
    maker
        .execute_batch(
            "PRAGMA cache_size = 1; CREATE TABLE before(a); BEGIN; CREATE TABLE after(a); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
             INSERT INTO after SELECT hex(zeroblob(200)) FROM n",
        )
        .expect("half a transaction");
    let journal = place.at("data.db-journal");
    copy_outside(&place.at("made.db-journal"), &journal);
    copy_outside(&place.at("made.db"), &place.db());
    let opened = State::options().read_only(true).open(place.db());
    assert_eq!(
        refusal(opened),
        "NotAStore",
        "it holds no store, and can be read"
    );
    assert!(!journal.exists(), "it was played back");
    let tables = other_program(&place.db())
        .query_row("SELECT group_concat(name) FROM sqlite_schema", [], |row| {
            row.get::<_, String>(0)
        })
        .expect("the file is whole");
    assert_eq!(tables, "before");
}

/// Worker: opens a store and tells what can be done with it, waiting for others as
/// many milliseconds as it is told.
pub(crate) fn open_and_tell(args: &[String]) {
    let patience = args
        .get(1)
        .map_or(30_000, |ms| ms.parse().expect("a number"));
    let options = State::options().busy_timeout(Duration::from_millis(patience));
    let state = match options.open(&args[0]) {
        Ok(state) => state,
        Err(error) => return say(format!("refused {:?}: {error}", error.kind())),
    };
    let read = state.rows("notes").and_then(|table| table.get("a"));
    say(format!("read {}", read.is_ok_and(|row| row.is_some())));
    let then = state.at(Moment::Idx(state.last().expect("a read")));
    say(format!(
        "then {}",
        then.is_ok_and(|then| then.rows("notes").is_ok())
    ));
    say(format!(
        "sound {}",
        state.check().is_ok_and(|report| report.is_sound())
    ));
    match state
        .rows("notes")
        .and_then(|table| table.append(&note("b", 1)))
    {
        Ok(_) => say("written"),
        Err(error) => say(refusal::<()>(Err(error))),
    }
}

/// What a process of a user without rights says; `None` when no such process
/// can be started.
fn as_nobody(path: &Path) -> Option<Vec<String>> {
    Some(Worker::start_as_nobody("open-and-tell", path)?.finish())
}

#[test]
fn where_nothing_can_be_written_reading_works_and_writing_is_the_error() {
    let place = Place::new();
    permit(place.folder(), 0o755);
    let state = place.open();
    state
        .define(&notes())
        .expect("a table")
        .append(&note("a", 1))
        .expect("new");
    drop(state);
    assert!(
        !place.at("data.db-wal").exists(),
        "the last one out tidies up"
    );
    permit(&place.db(), 0o444);
    let Some(answers) = as_nobody(&place.db()) else {
        skipped("this user cannot start a process of another one");
        return;
    };
    let readable = ["read true", "then true", "sound true", "ReadOnly"];
    assert_eq!(answers, readable, "closed everywhere");
    // While a writer has it open, its -wal is there and may hold the newest.
    let state = place.open();
    state
        .rows("notes")
        .expect("a table")
        .update(&note("a", 2))
        .expect("there");
    for name in ["data.db-wal", "data.db-shm"] {
        permit(&place.at(name), 0o644);
    }
    let answers = as_nobody(&place.db()).expect("it could before");
    assert_eq!(answers, readable, "open elsewhere");
    drop(state);
    // The file could be written, its folder not: no -wal can be made there.
    permit(&place.db(), 0o666);
    assert_eq!(as_nobody(&place.db()).expect("it could before"), readable);
    permit(&place.db(), 0o000);
    let answers = as_nobody(&place.db()).expect("it could before");
    assert!(answers[0].starts_with("refused Failure"), "{answers:?}");
    assert_sound(&place.open());
}

#[test]
fn a_new_store_where_nothing_can_be_written_is_refused_at_once() {
    let place = Place::new();
    permit(place.folder(), 0o755);
    let Some(answers) = as_nobody(&place.db()) else {
        skipped("this user cannot start a process of another one");
        return;
    };
    assert!(answers[0].starts_with("refused Failure"), "{answers:?}");
    assert!(answers[0].contains("cannot be written"), "{answers:?}");
    // An empty file that could be written, in a folder that cannot.
    std::fs::write(place.db(), "").expect("a file");
    permit(&place.db(), 0o666);
    let answers = as_nobody(&place.db()).expect("it could before");
    assert!(answers[0].starts_with("refused Failure"), "{answers:?}");
    assert_eq!(std::fs::read(place.db()).expect("a file"), b"");
}

/// The failure to prevent: SQLite takes a store back by a journal that somebody laid
/// beside it.
#[test]
fn a_store_beside_a_journal_is_refused_and_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    let state = State::open(&path).expect("a store");
    state.define(&TableDef::new("t")).expect("a table");
    drop(state);
    let before = std::fs::read(&path).expect("a file");
    let journal = folder.path().join("data.db-journal");
    let hot = hot_journal(2, &[0; 4096]);
    std::fs::write(&journal, &hot).expect("a journal");
    for read_only in [false, true] {
        let refused = State::options().read_only(read_only).open(&path);
        let refused = refused.map(|_| ()).expect_err("a journal");
        assert!(refused.to_string().contains("data.db-journal"), "{refused}");
    }
    assert!(std::fs::read(&path).expect("a file") == before);
    std::fs::remove_file(&journal).expect("a journal");
    let state = State::open(&path).expect("a store");
    assert_eq!(state.tables().expect("tables").len(), 1);
}

/// A journal by which SQLite takes one page back, of a file that had one.
fn hot_journal(number: u32, page: &[u8]) -> Vec<u8> {
    let mut hot = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    let nonce = 7u32;
    for number in [1, nonce, 1, 512, 4096] {
        hot.extend(number.to_be_bytes());
    }
    hot.resize(512, 0);
    hot.extend(number.to_be_bytes());
    hot.extend(page);
    let some = (1..page.len()).filter(|at| at % 200 == 4096 % 200);
    let sum: u32 = some.map(|at| u32::from(page[at])).sum();
    hot.extend((nonce + sum).to_be_bytes());
    hot
}

/// Whoever adopts a file puts it into WAL mode by a journal, and may die then.
#[test]
fn a_journal_from_before_wal_mode_is_played_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    drop(State::open(&path).expect("a store"));
    let bytes = std::fs::read(&path).expect("a file");
    let mut first = bytes[..4096].to_vec();
    first[18..20].copy_from_slice(&[1, 1]);
    let mut journal = hot_journal(1, &first);
    // As many pages as there are.
    let pages = u32::try_from(bytes.len() / 4096).expect("few");
    journal[16..20].copy_from_slice(&pages.to_be_bytes());
    std::fs::write(folder.path().join("data.db-journal"), journal).expect("a journal");
    let state = State::open(&path).expect("a store");
    assert!(!folder.path().join("data.db-journal").exists());
    assert!(state.check().expect("a check").is_sound());
}
