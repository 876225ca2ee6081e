//! Somebody reads the post, types what it shows, and gets something else: a
//! column of another type, a new id for the second version, two rows where
//! there should be one, or one version where there should be two.

use std::slice::from_ref;

use dkdc_lake::{FileName, Lake, NewFile};
use dkdc_state::ColumnType::{Blob, Int, List, Text, Timestamp};
use dkdc_state::ListItem;

use crate::{Outcome, empty, put, text};

#[test]
fn in_four_steps() -> Outcome {
    let (_folder, lake) = empty()?;
    put(&lake, "old.txt", "from before")?;

    // 1. Clear; the table is empty, and its columns are there.
    lake.state().clear(&["lake"])?;
    assert_eq!(lake.list(None, None)?, []);
    let schema = lake.table().schema()?;
    let columns = schema.columns.iter().map(|c| (c.name.as_str(), c.ty));
    assert_eq!(
        columns.collect::<Vec<_>>(),
        [
            ("user_id", Text),
            ("path", Text),
            ("filename", Text),
            ("filetype", Text),
            ("data", Blob),
            ("version", Int),
            ("status", Text),
            ("description", Text),
            ("labels", List(ListItem::Text)),
            ("size", Int),
            ("hash", Text),
            ("mode", Int),
            ("mtime", Timestamp),
        ]
    );

    // 2. Append: one file, the rest NULL.
    let name = FileName::new("test.txt");
    let first = lake.append_file(NewFile::new(name.clone()), &b"hello world"[..])?;
    assert_eq!(lake.list(None, None)?, from_ref(&first));
    assert_eq!(first.filename, "test.txt");
    assert_eq!(first.filetype.as_deref(), Some("txt"));
    assert_eq!((&first.user_id, &first.path), (&None, &None));
    assert_eq!((first.record.version, &first.status), (None, &None));
    assert_eq!((&first.description, &first.labels), (&None, &None));
    assert_eq!((first.mode, first.mtime), (None, None));
    assert_eq!(first.size, 11);
    assert_eq!(first.hash, first.data.hex());
    assert_eq!(text(&lake, &name)?, "hello world");

    // 3. Update: the table shows one row, the underlying one both; the id stays.
    let second = lake.update_file(NewFile::new(name.clone()), &b"hello world!"[..])?;
    assert_eq!(second.id, first.id);
    assert!(second.idx() > first.idx());
    assert_eq!(lake.list(None, None)?, from_ref(&second));
    assert_eq!(lake.get(&name)?, second);
    assert_eq!(text(&lake, &name)?, "hello world!");
    let history = lake.history(&name)?;
    assert_eq!(history.len(), 2);
    let mut contents = Vec::new();
    for file in history.iter().filter_map(|version| version.record.as_ref()) {
        contents.push(lake.read_file_to_vec(file)?);
    }
    assert_eq!(contents, [&b"hello world"[..], b"hello world!"]);
    Ok(())
}

#[test]
fn ids_look_as_the_posts() -> Outcome {
    let (_folder, lake) = empty()?;
    let file = put(&lake, "test.txt", "hello world")?;
    let (time, random) = file.id.split_once('-').ok_or("no dash")?;
    assert_eq!(random.len(), 8);
    assert!(
        random
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
        "{random}"
    );
    // Units of 10 microseconds, as the idx counts microseconds: made about then.
    let apart = file.idx().as_micros().abs_diff(time.parse::<i64>()? * 10);
    assert!(apart < 60_000_000, "{apart} microseconds");
    Ok(())
}

#[test]
fn it_is_still_there_after_reopening() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data.db");
    let written = put(&Lake::open(&path)?, "a/test.txt", "hello world")?;
    let reopened = Lake::open(&path)?;
    assert_eq!(reopened.list(None, None)?, [written]);
    assert_eq!(text(&reopened, &"a/test.txt".parse()?)?, "hello world");
    Ok(())
}
