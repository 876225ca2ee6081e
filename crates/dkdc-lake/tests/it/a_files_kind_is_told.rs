//! A file without an ending has no kind, so that nobody finds the pictures; or one
//! whose ending somebody chose gets another kind from its bytes.

use dkdc_lake::{AddOptions, Edit, FileName};

use crate::{Outcome, empty};

const FILES: [(&str, &[u8], Option<&str>); 7] = [
    ("picture", b"\x89PNG\r\n\x1a\n and so on", Some("png")),
    ("database", b"SQLite format 3\0 and so on", Some("sqlite")),
    ("README", b"plain words\n", Some("txt")),
    ("unknown", b"\0\x01\x02", None),
    ("empty", b"", None),
    // The name counts more.
    ("report.CSV", b"%PDF-1.7", Some("csv")),
    (".profile", b"words\n", Some("txt")),
];

#[test]
fn by_its_name_else_by_its_content_when_it_is_put() -> Outcome {
    let (_folder, lake) = empty()?;
    for (name, content, kind) in FILES {
        let name = FileName::new(name);
        let file = lake.put(&name, &Edit::new(), content)?.file;
        assert_eq!(file.filetype.as_deref(), kind, "{name}");
        // A new version keeps what the file is, as its name does.
        let file = lake.put(&name, &Edit::new(), &b"GIF89a"[..])?.file;
        assert_eq!(file.filetype.as_deref(), kind, "{name}");
    }
    // Whoever says so decides.
    let named = Edit::new().filetype("text/plain");
    let file = lake
        .put(&FileName::new("x"), &named, &b"%PDF-1.7"[..])?
        .file;
    assert_eq!(file.filetype.as_deref(), Some("text/plain"));
    Ok(())
}

#[test]
fn and_in_a_folder_that_is_added() -> Outcome {
    let (folder, lake) = empty()?;
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree)?;
    for (name, content, _) in FILES {
        std::fs::write(tree.join(name), content)?;
    }
    // Of large content too, whose beginning is all that is looked at.
    let mut large = b"PAR1".to_vec();
    large.resize(3 << 20, 7);
    std::fs::write(tree.join("large"), large)?;
    lake.add(&tree, &AddOptions::new("t"), &mut |_, _| {})?;
    let large = [("large", &b""[..], Some("parquet"))];
    for (name, _, kind) in FILES.into_iter().chain(large) {
        let file = lake.get(&FileName::new(name).in_path("t"))?;
        assert_eq!(file.filetype.as_deref(), kind, "{name}");
    }
    Ok(())
}
