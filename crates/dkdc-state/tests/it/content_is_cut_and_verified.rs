//! Content of any size is cut into pieces, each verified when it is read.
//!
//! The failure to prevent: a large file costs its whole size again for a small
//! change, or all of memory; a flipped piece comes back as content; the collector
//! takes a piece that a new content has just begun to share; a store of before
//! cannot be read any more.

use std::io::{self, Read, Seek, SeekFrom};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use dkdc_state::{BlobRef, ColumnDef, ColumnType, Error, Packed, Row, State, TableDef, Value};

use crate::support::{MINUTE, NOON, Place, TestClock, assert_sound, intruder, quick, refusal};

/// Bytes that do not shrink.
fn noise(bytes: usize, mut seed: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(bytes + 8);
    while data.len() < bytes {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        data.extend(seed.to_le_bytes());
    }
    data.truncate(bytes);
    data
}

fn content(state: &State, blob: &BlobRef) -> Vec<u8> {
    let mut content = Vec::new();
    let mut reader = state.open_blob(blob).expect("content");
    reader.read_to_end(&mut content).expect("it reads");
    content
}

fn stored(state: &State) -> u64 {
    state.status().expect("a status").blob_stored_bytes
}

#[test]
fn large_content_comes_back_and_any_range_of_it() {
    let place = Place::new();
    let state = place.open();
    // Enough pieces for a list of lists.
    let data = noise((40 << 20) + 5, 11);
    let blob = state.put_blob(&data[..]).expect("content");
    assert_eq!(blob.hash, *blake3::hash(&data).as_bytes());
    assert_eq!(blob.size, data.len() as u64);
    assert!(content(&state, &blob) == data, "the whole");
    let mut reader = state.open_blob(&blob).expect("content");
    for at in [
        39 << 20,
        0,
        1 << 20,
        (1 << 20) + 100,
        20 << 20,
        (40 << 20) - 1,
    ] {
        reader.seek(SeekFrom::Start(at as u64)).expect("it seeks");
        let mut range = vec![0; 4096.min(data.len() - at)];
        reader.read_exact(&mut range).expect("it reads");
        assert!(range == data[at..at + range.len()], "at {at}");
    }
    reader.seek(SeekFrom::End(3)).expect("it seeks");
    assert_eq!(reader.read(&mut [0; 9]).expect("the end"), 0);
    assert!(reader.seek(SeekFrom::Current(-1 << 40)).is_err());
    assert_sound(&state);
}

/// More than 32 bits can count.
#[test]
fn content_of_5_gb_comes_back_from_any_place() {
    const SIZE: u64 = (5 << 30) + 1;
    let place = Place::new();
    let state = place.open();
    let blob = state.put_blob(io::repeat(7).take(SIZE)).expect("content");
    assert_eq!(blob.size, SIZE);
    let mut reader = state.open_blob(&blob).expect("content");
    for at in [0, (4 << 30) - 2, SIZE - 4] {
        reader.seek(SeekFrom::Start(at)).expect("it seeks");
        let mut range = [0; 4];
        reader.read_exact(&mut range).expect("it reads");
        assert_eq!(range, [7; 4], "at {at}");
    }
    assert_eq!(reader.read(&mut [0; 9]).expect("the end"), 0);
    assert_sound(&state);
}

#[test]
fn a_small_change_of_large_content_adds_few_pieces() {
    let place = Place::new();
    let state = place.open();
    let data = noise(24 << 20, 12);
    state.put_blob(&data[..]).expect("content");
    let before = stored(&state);
    let mut changed = data.clone();
    changed.splice(12 << 20..12 << 20, noise(1024, 13));
    let blob = state.put_blob(&changed[..]).expect("content");
    let added = stored(&state) - before;
    // Some pieces, and the part of the list that names them.
    assert!(added < 200 << 10, "{added} bytes");
    assert!(content(&state, &blob) == changed);
}

#[test]
fn what_shrinks_is_compressed() {
    let place = Place::new();
    let state = place.open();
    let text = "the quick brown fox jumps over the lazy dog\n".repeat(100_000);
    let blob = state.put_blob(text.as_bytes()).expect("content");
    assert!(stored(&state) < 200_000, "{} bytes", stored(&state));
    assert!(content(&state, &blob) == text.as_bytes());
    let usage = state.blob_usage(&[blob]).expect("a usage");
    assert_eq!(usage.logical, 4_400_000);
    assert!(usage.unique < usage.logical, "it repeats itself");
    assert_eq!(usage.stored, stored(&state));
}

#[test]
fn content_packed_before_the_transaction_is_the_same() {
    let place = Place::new();
    let state = place.open();
    for bytes in [0, 1, 9000, 300_000, 3 << 20] {
        let data = noise(bytes, 14);
        let packed = Packed::new(&data);
        let blob = state.transaction(|tx| tx.put_packed(&packed));
        assert_eq!(blob.expect("content"), packed.blob());
        assert!(content(&state, &packed.blob()) == data, "{bytes} bytes");
        let before = stored(&state);
        assert_eq!(state.put_blob(&data[..]).expect("content"), packed.blob());
        assert_eq!(stored(&state), before, "{bytes} bytes again");
    }
    assert_sound(&state);
}

#[test]
fn a_flipped_piece_is_never_given_and_others_are() {
    let place = Place::new();
    let state = place.open();
    let (data, other) = (noise(1 << 20, 15), noise(1 << 20, 16));
    let blob = state.put_blob(&data[..]).expect("content");
    let sound = state.put_blob(&other[..]).expect("content");
    let conn = intruder(&place.db());
    let number: i64 = conn
        .query_row(
            "SELECT number FROM _dkdc_chunks WHERE codec = 0 ORDER BY number LIMIT 1 OFFSET 9",
            [],
            |row| row.get(0),
        )
        .expect("a piece");
    let flipped = "UPDATE _dkdc_chunks SET data = CAST(x'00' || substr(data, 2) AS BLOB) \
                   WHERE number = ?";
    assert_eq!(conn.execute(flipped, [number]).expect("flipped"), 1);
    let mut read = Vec::new();
    let mut reader = state.open_blob(&blob).expect("its list is sound");
    let error = reader.read_to_end(&mut read).expect_err("damage");
    let source = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    assert!(matches!(source, Some(Error::Damaged { .. })), "{error}");
    assert!(data.starts_with(&read), "only what was verified");
    assert!(content(&state, &sound) == other);
    let report = state.check().expect("a check");
    let line = format!("content {number} is not what was put");
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert!(
        report.damage[0].to_string().contains(&line),
        "{:?}",
        report.damage
    );
    // A list that names another content's pieces.
    conn.execute_batch(
        "UPDATE _dkdc_chunks SET data = (SELECT data FROM _dkdc_chunks WHERE codec = 2 \
         ORDER BY number DESC LIMIT 1) WHERE codec = 2",
    )
    .expect("lists changed");
    assert_eq!(refusal(state.open_blob(&blob)), "Damaged");
    assert!(content(&state, &sound) == other);
}

/// The failure to prevent: threads that give parts by turns give them out of order, give
/// one after an error, or wait for each other for ever.
#[test]
fn all_of_it_is_given_in_order_until_somebody_fails() {
    let place = Place::new();
    let state = place.open();
    for bytes in [0, 1, 300_000, 5 << 20, (40 << 20) + 5] {
        let data = noise(bytes, 20);
        let blob = state.put_blob(&data[..]).expect("content");
        // From the beginning, from within a piece and from the end.
        for from in [0, bytes / 3, bytes] {
            let mut reader = state.open_blob(&blob).expect("content");
            reader.seek(SeekFrom::Start(from as u64)).expect("it seeks");
            let mut given = Vec::new();
            let all = reader.each(|part| {
                given.extend_from_slice(part);
                Ok::<(), io::Error>(())
            });
            all.expect("all of it");
            assert!(given == data[from..], "{bytes} bytes from {from}");
            assert_eq!(reader.read(&mut [0; 9]).expect("the end"), 0);
        }
        // Who takes no more, whichever part it is.
        for enough in [0, bytes / 2, bytes - bytes / 9] {
            let mut given = Vec::new();
            let mut reader = state.open_blob(&blob).expect("content");
            let stopped = reader.each(|part| {
                if given.len() >= enough {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe));
                }
                given.extend_from_slice(part);
                Ok(())
            });
            assert_eq!(stopped.is_err(), given.len() < bytes, "{bytes}, {enough}");
            assert!(given.len() >= enough && data.starts_with(&given));
            assert!(given.len() < enough + (2 << 20), "{bytes}, {enough}");
        }
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut left = bytes / 2;
            let mut reader = state.open_blob(&blob).expect("content");
            reader.each(|part| {
                left = left.checked_sub(part.len()).expect("more than it takes");
                Ok::<(), io::Error>(())
            })
        }));
        assert_eq!(panicked.is_err(), bytes > 0, "{bytes} bytes");
    }
    let data = noise(20 << 20, 21);
    let blob = state.put_blob(&data[..]).expect("content");
    let conn = intruder(&place.db());
    let gone = conn.execute(
        "DELETE FROM _dkdc_chunks WHERE number = (SELECT max(number) - 90 FROM _dkdc_chunks)",
        [],
    );
    assert_eq!(gone.expect("a piece less"), 1);
    let mut given = Vec::new();
    let mut reader = state.open_blob(&blob).expect("its list is sound");
    let damaged = reader.each(|part| {
        given.extend_from_slice(part);
        Ok::<(), io::Error>(())
    });
    let error = damaged.expect_err("damage");
    assert!(is_damage(&error), "{error}");
    assert!(given.len() > 4 << 20, "{} bytes", given.len());
    assert!(data.starts_with(&given) && given.len() < data.len());
}

/// Whether it is the store's damage that a reader told of, and names a piece.
fn is_damage(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(dkdc_state::Error::Damaged { what, .. }) if what.contains("piece"))
}

/// A frame of zstd that unpacks to 10 GiB: one byte for each 128 KiB of it.
fn bomb() -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    let blocks = (10u64 << 30) / u64::from(BLOCK);
    // The magic number, a header without a size, a window of one block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for block in 1..=blocks {
        let header = (BLOCK << 3) | (1 << 1) | u32::from(block == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b'x');
    }
    frame
}

/// The failure to prevent: a file of a few KB that somebody sends fills the memory of
/// whoever looks into it.
#[test]
fn a_piece_that_inflates_to_10_gb_stops_at_its_declared_size() {
    let bomb = bomb();
    let mut unpacked = zstd::stream::read::Decoder::new(&bomb[..]).expect("a frame");
    let much = io::copy(&mut (&mut unpacked).take(200 << 20), &mut io::sink());
    assert_eq!(much.expect("it inflates"), 200 << 20);
    let place = Place::new();
    let state = place.open();
    let files = TableDef::new("files").column(ColumnDef::new("data", ColumnType::Blob));
    let files = state.define(&files).expect("a table");
    let content = "the same again, and again ".repeat(40);
    let blob = state.put_blob(content.as_bytes()).expect("content");
    files
        .append(&Row::new("a").with("data", blob))
        .expect("new");
    assert_eq!(blob.size, 1040);
    let conn = intruder(&place.db());
    let changed = conn.execute("UPDATE _dkdc_chunks SET data = ?1, codec = 1", [&bomb]);
    assert_eq!(changed.expect("a change"), 1);
    assert_eq!(refusal(state.open_blob(&blob)), "Damaged");
    assert!(!state.check().expect("a check").is_sound());
    // Nor when what names it says how much it is.
    let changed = conn.execute("UPDATE _dkdc_chunks SET size = 10737418240", []);
    assert_eq!(changed.expect("a change"), 1);
    let large = BlobRef {
        size: 10 << 30,
        ..blob
    };
    assert!(state.open_blob(&large).is_err());
    assert!(!state.check().expect("a check").is_sound());
}

#[test]
fn a_piece_that_is_gone_is_named() {
    let place = Place::new();
    let state = place.open();
    let blob = state.put_blob(&noise(1 << 20, 17)[..]).expect("content");
    let conn = intruder(&place.db());
    conn.execute_batch("DELETE FROM _dkdc_chunks WHERE number = 20")
        .expect("a piece less");
    let mut reader = state.open_blob(&blob).expect("its list is sound");
    let error = io::copy(&mut reader, &mut io::sink()).expect_err("damage");
    assert!(is_damage(&error), "{error}");
    let report = state.check().expect("a check");
    assert!(!report.is_sound());
}

#[test]
fn a_piece_that_new_content_shares_is_not_collected() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let files = TableDef::new("files").column(ColumnDef::new("data", ColumnType::Blob));
    let files = state.define(&files).expect("a table");
    let data = noise(2 << 20, 18);
    state
        .put_blob(&data[..])
        .expect("content that nothing names");
    clock.step(120 * MINUTE);
    // Content that shares most of its pieces, put while the collector runs.
    let mut longer = data.clone();
    longer.extend(noise(1000, 19));
    let blob = std::thread::scope(|scope| {
        let put = scope.spawn(|| {
            let blob = state.put_blob(&longer[..])?;
            files.append(&Row::new("a").with("data", blob))?;
            Ok::<_, Error>(blob)
        });
        while !put.is_finished() {
            state.gc_blobs().expect("a collection");
        }
        put.join().expect("no panic")
    });
    let blob = blob.expect("put and named");
    clock.step(120 * MINUTE);
    state.gc_blobs().expect("a collection");
    assert!(content(&state, &blob) == longer);
    assert_sound(&state);
}

#[test]
fn what_is_collected_is_given_back_to_the_file_system() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let kept = state.put_blob(&noise(100_000, 20)[..]).expect("content");
    let files = TableDef::new("files").column(ColumnDef::new("data", ColumnType::Blob));
    let files = state.define(&files).expect("a table");
    files
        .append(&Row::new("a").with("data", kept))
        .expect("new");
    state.put_blob(&noise(8 << 20, 21)[..]).expect("content");
    clock.step(120 * MINUTE);
    let would = state.unnamed_blobs().expect("a count");
    assert_eq!(would.bytes, 8 << 20);
    assert_eq!(state.gc_blobs().expect("a collection"), would);
    let size = std::fs::metadata(place.db()).expect("a file").len();
    assert!(size < 2 << 20, "{size} bytes");
    assert_eq!(content(&state, &kept).len(), 100_000);
    assert_sound(&state);
}

/// One of each format that there was: 1 as its code made it, 2 as its code left
/// that, 3 as it is made now.
#[test]
fn stores_of_every_format_are_read_and_go_on() {
    for format in 1..=3 {
        a_store_of_format(format);
    }
}

fn a_store_of_format(format: u32) {
    let place = Place::new();
    let fixture = format!("tests/fixtures/format-{format}.sqlite");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture);
    std::fs::copy(fixture, place.db()).expect("a copy");
    let refused = State::options().read_only(true).open(place.db());
    let refused = refused.map(|_| ());
    if format < 3 {
        assert_eq!(
            refusal(refused),
            "NotAStore",
            "until it is brought up to date"
        );
    }
    let state = quick().open(place.db()).expect("an older store");
    assert_eq!(state.status().expect("a status").format, 3);
    assert_sound(&state);
    let files = state
        .rows("lake")
        .expect("a table")
        .list(&dkdc_state::Select::new());
    let blobs: Vec<BlobRef> = files
        .expect("files")
        .iter()
        .filter_map(|file| match file.get("data") {
            Some(Value::Blob(blob)) => Some(*blob),
            _ => None,
        })
        .collect();
    let mut contents: Vec<Vec<u8>> = blobs.iter().map(|blob| content(&state, blob)).collect();
    contents.sort_by_key(Vec::len);
    let numbers: String = (1..=6000).map(|n| format!("{n}\n")).collect();
    assert_eq!(
        contents,
        [b"hello world!\n".to_vec(), numbers.clone().into_bytes()]
    );
    // What it has as one piece is not stored again in several.
    let before = stored(&state);
    assert!(blobs.contains(&state.put_blob(numbers.as_bytes()).expect("content")));
    let again = state.transaction(|tx| tx.put_blob(numbers.as_bytes()));
    assert!(blobs.contains(&again.expect("content")));
    assert_eq!(stored(&state), before);
    assert_sound(&state);
}
