//! Content is there for every record that names it, and gone when none does.
//!
//! The failure to prevent: a record is acknowledged whose content is not in the
//! store; or the collector takes content away between its being put and the
//! record that names it.

use std::io::{Read, Seek, SeekFrom};

use dkdc_state::{BlobRef, ColumnDef, ColumnType, Error, Row, State, Table, TableDef, Value};

use crate::support::{MINUTE, NOON, Place, TestClock, assert_sound, refusal};

fn files(state: &State) -> Table<Row> {
    let column = ColumnDef::new("data", ColumnType::Blob);
    state
        .define(&TableDef::new("files").column(column))
        .expect("a table")
}

fn content(state: &State, blob: &BlobRef) -> Vec<u8> {
    let mut content = Vec::new();
    let mut reader = state.open_blob(blob).expect("content");
    reader.read_to_end(&mut content).expect("it reads");
    assert_eq!(reader.size(), blob.size);
    content
}

#[test]
fn content_comes_back_and_is_stored_once() {
    let place = Place::new();
    let state = place.open();
    let files = files(&state);
    let data: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let blob = state.put_blob(&data[..]).expect("content");
    assert_eq!(
        (blob.size, blob.hash),
        (400_000, *blake3::hash(&data).as_bytes())
    );
    assert_eq!(state.put_blob(&data[..]).expect("again"), blob);
    let empty = state.put_blob(&b""[..]).expect("no bytes are content too");
    assert_eq!(content(&state, &empty), b"");
    files
        .append(&Row::new("a").with("data", blob))
        .expect("new");
    files
        .append(&Row::new("b").with("data", blob))
        .expect("new");
    let status = state.status().expect("a status");
    assert_eq!(status.blob_bytes, 400_000);
    assert!(status.blobs > 2, "cut into pieces: {}", status.blobs);
    drop((files, state));
    let state = place.open();
    let row = state
        .rows("files")
        .expect("a table")
        .get("b")
        .expect("a read")
        .expect("there");
    assert_eq!(row.get("data"), Some(&Value::Blob(blob)));
    assert_eq!(content(&state, &blob), data);
    let mut reader = state.open_blob(&blob).expect("content");
    reader.seek(SeekFrom::End(-4)).expect("it seeks");
    let mut last = [0; 4];
    reader.read_exact(&mut last).expect("it reads");
    assert_eq!(u32::from_le_bytes(last), 99_999);
    assert_sound(&state);
}

#[test]
fn a_record_whose_content_is_not_there_is_refused() {
    let place = Place::new();
    let state = place.open();
    let files = files(&state);
    let blob = state.put_blob(&b"content"[..]).expect("content");
    let row = |blob: BlobRef| Row::new("a").with("data", blob);
    let unknown = BlobRef {
        hash: [1; 32],
        ..blob
    };
    let wrong_size = BlobRef { size: 8, ..blob };
    let endless = BlobRef {
        size: u64::MAX,
        ..blob
    };
    for bad in [unknown, wrong_size, endless] {
        assert_eq!(refusal(files.append(&row(bad))), "NoSuchBlob", "{bad:?}");
        let good = Row::new("b").with("data", blob);
        assert_eq!(refusal(files.append_all(&[good, row(bad)])), "NoSuchBlob");
    }
    assert_eq!(files.count().expect("a count"), 0);
    files.append(&row(blob)).expect("content that is there");
    // Content put in a transaction counts from within it, and goes with it.
    let gone: Result<(), Error> = state.transaction(|tx| {
        let late = tx.put_blob(&b"late"[..])?;
        let files = tx.rows("files")?;
        assert_eq!(refusal(files.update(&row(unknown))), "NoSuchBlob");
        files.update(&row(late))?;
        Err(Error::Query("given up".into()))
    });
    assert!(gone.is_err());
    let late = BlobRef {
        hash: *blake3::hash(b"late").as_bytes(),
        size: 4,
    };
    assert_eq!(refusal(state.open_blob(&late)), "NoSuchBlob");
    assert_sound(&state);
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the cable was pulled"))
    }
}

#[test]
fn a_reader_that_fails_puts_nothing() {
    let place = Place::new();
    let state = place.open();
    let error = state
        .put_blob((&b"half"[..]).chain(Broken))
        .expect_err("it failed");
    assert!(
        error.to_string().contains("the cable was pulled"),
        "{error}"
    );
    assert_eq!(state.status().expect("a status").blobs, 0);
}

#[test]
fn what_any_version_names_is_not_collected() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let files = files(&state);
    let put = |text: &str| state.put_blob(text.as_bytes()).expect("content");
    let (old, new, gone, never) = (put("old"), put("new"), put("gone"), put("never"));
    files.append(&Row::new("a").with("data", old)).expect("new");
    files
        .update(&Row::new("a").with("data", new))
        .expect("there");
    files
        .append(&Row::new("b").with("data", gone))
        .expect("new");
    files.delete("b").expect("there");
    assert_eq!(
        state.gc_blobs().expect("a collection").blobs,
        0,
        "put just now"
    );
    clock.step(61 * MINUTE);
    let collected = state.gc_blobs().expect("a collection");
    assert_eq!((collected.blobs, collected.bytes), (1, 5));
    for kept in [old, new, gone] {
        content(&state, &kept);
    }
    assert_eq!(refusal(state.open_blob(&never)), "NoSuchBlob");
    assert_sound(&state);
    state.clear(&["files"]).expect("a clear");
    assert_eq!(state.gc_blobs().expect("a collection").blobs, 3);
    assert_sound(&state);
}

#[test]
fn content_put_again_is_new_again() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let files = files(&state);
    let blob = state.put_blob(&b"content"[..]).expect("content");
    clock.step(2 * 60 * MINUTE);
    // Nobody named it in time; somebody is about to.
    assert_eq!(state.put_blob(&b"content"[..]).expect("again"), blob);
    assert_eq!(state.gc_blobs().expect("a collection").blobs, 0);
    files
        .append(&Row::new("a").with("data", blob))
        .expect("its content is there");
    clock.step(2 * 60 * MINUTE);
    assert_eq!(state.gc_blobs().expect("a collection").blobs, 0);
    assert_sound(&state);
}
