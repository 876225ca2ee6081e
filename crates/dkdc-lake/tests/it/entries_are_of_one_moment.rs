//! Somebody walks through a lake and changes it on the way: a file is met twice, or
//! one that was there is not met.

use dkdc_lake::{Edit, FileName, Lake};

use crate::{Outcome, empty, put};

fn entries(
    lake: &Lake,
    user: Option<&str>,
    path: Option<&str>,
) -> Result<Vec<String>, dkdc_lake::Error> {
    let mut names = Vec::new();
    for file in lake.entries(user, path)? {
        names.push(file?.name().to_string());
    }
    names.sort();
    Ok(names)
}

#[test]
fn whatever_is_written_on_the_way() -> Outcome {
    let (_folder, lake) = empty()?;
    for number in 0..30 {
        put(&lake, &format!("a/{number:02}"), "old")?;
    }
    let mut met = Vec::new();
    for file in lake.entries(None, None)? {
        let file = file?;
        assert_eq!(lake.read_file_to_vec(&file)?, b"old");
        let number = met.len();
        met.push(file.name().to_string());
        put(&lake, &format!("b/{number}"), "new")?;
        put(&lake, "a/29", "new")?;
        lake.rename(&file.name(), &format!("c/{number}").parse()?)?;
    }
    met.sort();
    let expected: Vec<String> = (0..30).map(|number| format!("a/{number:02}")).collect();
    assert_eq!(met, expected);
    Ok(())
}

#[test]
fn they_are_those_of_the_list() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in ["x", "a/x", "a/b/x", "a-b/x"] {
        put(&lake, name, "")?;
    }
    let ann = FileName::new("x").in_path("a").of_user("ann");
    lake.put(&ann, &Edit::new(), &b""[..])?;
    put(&lake, "a/gone", "")?;
    lake.delete(&"a/gone".parse()?)?;
    for user in [None, Some("ann"), Some("bob")] {
        for path in [None, Some("a"), Some("./a//"), Some("/"), Some("b")] {
            let mut listed = crate::names(&lake.list(user, path)?);
            listed.sort();
            assert_eq!(entries(&lake, user, path)?, listed, "{user:?} {path:?}");
        }
    }
    Ok(())
}
