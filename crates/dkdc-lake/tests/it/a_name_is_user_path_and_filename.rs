//! The original packages took "no user" for "any user": an update of one's own
//! `notes.txt` rewrote somebody else's, whichever was newest.

use dkdc_lake::{Edit, Error, ErrorKind, FileName, NewFile, filetype_of};

use crate::{Outcome, empty, text};

fn twelve() -> Vec<FileName> {
    let mut names = Vec::new();
    for user in [None, Some(""), Some("ann"), Some("bob")] {
        for path in [None, Some("a"), Some("a/b")] {
            names.push(FileName {
                user: user.map(str::to_owned),
                path: path.map(str::to_owned),
                filename: "notes.txt".to_owned(),
            });
        }
    }
    names
}

#[test]
fn none_is_a_value() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in twelve() {
        assert!(!lake.contains_file(&name)?, "{name:?}");
        let content = format!("{name:?}");
        lake.append_file(NewFile::new(name.clone()), content.as_bytes())?;
        assert!(lake.contains_file(&name)?, "{name:?}");
    }
    for name in twelve() {
        assert_eq!(lake.get(&name)?.name(), name);
        assert_eq!(text(&lake, &name)?, format!("{name:?}"));
        let again = lake.append_file(NewFile::new(name.clone()), &b""[..]);
        assert!(matches!(again, Err(Error::AlreadyExists { name: taken }) if taken == name));
    }
    assert_eq!(lake.list(None, None)?.len(), 12);
    Ok(())
}

#[test]
fn an_update_touches_no_other_file() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in twelve() {
        lake.append_file(NewFile::new(name), &b"theirs"[..])?;
    }
    let mine = FileName::new("notes.txt");
    lake.update_file(NewFile::new(mine.clone()), &b"mine"[..])?;
    lake.put(&mine, &Edit::new(), &b"mine again"[..])?;
    for name in twelve() {
        let expected = if name == mine { "mine again" } else { "theirs" };
        assert_eq!(text(&lake, &name)?, expected, "{name:?}");
        assert_eq!(lake.history(&name)?.len(), if name == mine { 3 } else { 1 });
    }
    lake.delete(&mine)?;
    for name in twelve() {
        assert_eq!(lake.contains_file(&name)?, name != mine, "{name:?}");
    }
    Ok(())
}

#[test]
fn in_lists_none_means_everyone() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in twelve() {
        lake.append_file(NewFile::new(name), &b""[..])?;
    }
    assert_eq!(lake.list(None, None)?.len(), 12);
    assert_eq!(lake.list(Some("ann"), None)?.len(), 3);
    assert_eq!(lake.list(Some(""), None)?.len(), 3);
    assert_eq!(lake.list(None, Some("a/b"))?.len(), 4);
    assert_eq!(lake.list(Some("ann"), Some("a"))?.len(), 2);
    assert_eq!(lake.list(Some("eve"), None)?.len(), 0);

    assert!(lake.contains_path("a/b", None)?);
    assert!(lake.contains_path("a/b", Some("bob"))?);
    assert!(!lake.contains_path("a/b", Some("eve"))?);
    // A path is what a file is in, and not what that begins with.
    lake.append_file(NewFile::new(FileName::new("x").in_path("b/c")), &b""[..])?;
    assert!(!lake.contains_path("b", None)?);
    Ok(())
}

#[test]
fn names_split_at_the_last_slash() -> Outcome {
    for (text, path, filename) in [
        ("c.txt", None, "c.txt"),
        ("a/c.txt", Some("a"), "c.txt"),
        ("a/b/c.txt", Some("a/b"), "c.txt"),
        ("/etc/hosts", Some("/etc"), "hosts"),
        ("/hosts", Some(""), "hosts"),
        ("a//c.txt", Some("a/"), "c.txt"),
        ("../x", Some(".."), "x"),
        ("a\\b", None, "a\\b"),
    ] {
        let name = FileName::parse(text)?;
        assert_eq!(
            (name.path.as_deref(), name.filename.as_str()),
            (path, filename)
        );
        assert_eq!(name.user, None);
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse::<FileName>()?, name);
    }
    for text in ["", "/", "a/", "a/b/"] {
        let error = FileName::parse(text).expect_err("no filename");
        assert!(
            matches!(&error, Error::NoFilename { given } if given == text),
            "{error:?}"
        );
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    Ok(())
}

#[test]
fn a_path_is_the_same_however_its_slashes_are_given() -> Outcome {
    let (_folder, lake) = empty()?;
    let plain = FileName::new("c.txt").in_path("a/b");
    lake.append_file(
        NewFile::new(FileName::new("c.txt").in_path("/a//b/")),
        &b"1"[..],
    )?;
    for path in ["a/b", "/a/b", "a/b/", "a//b", "./a/./b"] {
        let name = FileName::new("c.txt").in_path(path);
        assert_eq!(name.plain()?, plain, "{path}");
        assert_eq!(lake.get(&name)?.name(), plain, "{path}");
        let again = lake.append_file(NewFile::new(name.clone()), &b""[..]);
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{path}");
        let updated = lake.update_file(NewFile::new(name.clone()), &b"2"[..])?;
        assert_eq!(updated.name(), plain, "{path}");
        assert!(lake.contains_path(path, None)?, "{path}");
        assert_eq!(lake.list(None, Some(path))?.len(), 1, "{path}");
        let deleted = lake.delete(&name)?;
        assert_eq!(
            lake.restore(&name, deleted.prev.ok_or("a version")?)?
                .name(),
            plain
        );
    }
    for path in ["", "/", ".", "//./"] {
        let name = FileName::new("top").in_path(path);
        let put = lake.put(&name, &Edit::new(), path.as_bytes())?;
        assert_eq!(put.file.name(), FileName::new("top"), "{path:?}");
        assert_eq!(lake.list(None, Some(path))?.len(), 2, "{path:?}");
    }
    Ok(())
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() -> Outcome {
    let (_folder, lake) = empty()?;
    for (path, filename) in [
        (Some(".."), "x"),
        (Some("a/../b"), "x"),
        (Some("/.."), "x"),
        (None, ".."),
        (Some("a"), "."),
        (None, "a/b"),
    ] {
        let mut name = FileName::new(filename);
        name.path = path.map(str::to_owned);
        for refused in [
            lake.append_file(NewFile::new(name.clone()), &b""[..])
                .map(drop),
            lake.put(&name, &Edit::new(), &b""[..]).map(drop),
        ] {
            let error = refused.expect_err("no such name");
            assert!(matches!(error, Error::InvalidName { .. }), "{error}");
            assert_eq!(error.kind(), ErrorKind::Input);
        }
        let missing = lake.get(&name).expect_err("no such file");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
    assert_eq!(lake.list(None, None)?, []);
    Ok(())
}

#[test]
fn a_path_of_the_original_packages_is_found_as_it_is() -> Outcome {
    let (_folder, lake) = empty()?;
    // They kept whatever they were given.
    let content = lake.state().put_blob(&b"old"[..])?;
    let mut old = lake
        .put(&FileName::new("old"), &Edit::new(), &b"old"[..])?
        .file
        .record;
    old.id = "other".to_owned();
    old.path = Some("/a/../b/".to_owned());
    old.data = content;
    lake.table().append(&old)?;
    let name = FileName::new("old").in_path("/a/../b/");
    assert_eq!(text(&lake, &name)?, "old");
    let put = lake.put(&name, &Edit::new().status("seen"), &b"old"[..])?;
    assert_eq!(
        (put.file.id.as_str(), put.file.name()),
        ("other", name.clone())
    );
    assert!(lake.contains_path("/a/../b/", None)?);
    lake.delete(&name)?;
    assert_eq!(lake.history(&name)?.len(), 3);
    Ok(())
}

#[test]
fn no_file_is_without_a_name() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("").in_path("a").of_user("ann");
    let refused = [
        lake.append_file(NewFile::new(name.clone()), &b""[..])
            .map(drop),
        lake.update_file(NewFile::new(name.clone()), &b""[..])
            .map(drop),
        lake.put(&name, &Edit::new(), &b""[..]).map(drop),
        lake.get(&name).map(drop),
        lake.contains_file(&name).map(drop),
        lake.delete(&name).map(drop),
    ];
    for answer in refused {
        let error = answer.expect_err("an empty filename");
        assert!(
            matches!(&error, Error::NoFilename { given } if given == "a/"),
            "{error:?}"
        );
    }
    assert_eq!(lake.list(None, None)?, []);
    Ok(())
}

#[test]
fn a_filename_tells_the_type() {
    for (filename, expected) in [
        ("test.txt", Some("txt")),
        ("PHOTO.JPG", Some("jpg")),
        ("archive.tar.gz", Some("gz")),
        ("ÄÖ.ÜB", Some("üb")),
        (".profile.bak", Some("bak")),
        ("Makefile", None),
        (".profile", None),
        ("dot.", None),
        ("", None),
    ] {
        assert_eq!(filetype_of(filename).as_deref(), expected, "{filename:?}");
    }
}
