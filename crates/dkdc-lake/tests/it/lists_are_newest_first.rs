//! The file that was just put is not at the top; or a listing of `a` shows what
//! is in `a-b`.

use dkdc_lake::{Edit, FileName};

use crate::{Outcome, empty, names, put};

#[test]
fn by_their_newest_version() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in ["1.txt", "2.txt", "3.txt"] {
        put(&lake, name, "one")?;
    }
    assert_eq!(names(&lake.list(None, None)?), ["3.txt", "2.txt", "1.txt"]);
    put(&lake, "1.txt", "two")?;
    put(&lake, "2.txt", "one")?; // no new version
    assert_eq!(names(&lake.list(None, None)?), ["1.txt", "3.txt", "2.txt"]);
    Ok(())
}

#[test]
fn a_path_lists_what_is_in_and_below_it() -> Outcome {
    let (_folder, lake) = empty()?;
    let all = [
        "x", "a/x", "a/b/x", "a/b/c/x", "a-b/x", "a0/x", "ab/x", "A/x",
    ];
    for name in all {
        put(&lake, name, "")?;
    }
    let below = |path: &str| lake.list(None, Some(path)).map(|list| names(&list));
    for path in ["a", "a/", "a//"] {
        assert_eq!(below(path)?, ["a/b/c/x", "a/b/x", "a/x"], "{path}");
    }
    assert_eq!(below("a/b")?, ["a/b/c/x", "a/b/x"]);
    assert_eq!(below("a/b/c")?, ["a/b/c/x"]);
    assert_eq!(below("b")?, [""; 0]);
    assert_eq!(below("/")?, names(&lake.list(None, None)?));
    assert_eq!(lake.list(None, None)?.len(), all.len());
    Ok(())
}

#[test]
fn a_file_that_moved_is_where_it_is_now() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("x").in_path("old").of_user("ann");
    let mut file = lake.put(&name, &Edit::new(), &b""[..])?.file.record;
    file.path = Some("new".to_owned());
    file.user_id = Some("bob".to_owned());
    lake.table().update(&file)?;
    assert!(lake.list(Some("ann"), None)?.is_empty());
    assert!(lake.list(None, Some("old"))?.is_empty());
    assert!(!lake.contains_path("old", None)?);
    assert!(!lake.contains_file(&name)?);
    assert_eq!(names(&lake.list(Some("bob"), Some("new"))?), ["new/x"]);
    Ok(())
}
