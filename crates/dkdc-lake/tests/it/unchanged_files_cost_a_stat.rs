//! A folder of a million files is added every night: what did not change must not be
//! read, and what did must not be taken for unchanged.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use dkdc_lake::{AddOptions, Edit, TreeReport};

use crate::{Outcome, empty, text};

/// Writes a file that was changed at a time of long ago.
fn write(path: &Path, content: &str) -> std::io::Result<()> {
    fs::write(path, content)?;
    let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    fs::File::options()
        .write(true)
        .open(path)?
        .set_modified(time)
}

#[test]
fn and_are_not_read_unless_that_is_asked_for() -> Outcome {
    let (folder, lake) = empty()?;
    let tree = folder.path().join("tree");
    fs::create_dir(&tree)?;
    write(&tree.join("a"), "one")?;
    write(&tree.join("b"), "two")?;
    let add = |options: AddOptions| -> Result<TreeReport, dkdc_lake::Error> {
        lake.add(&tree, &options, &mut |_, _| {})
    };
    assert_eq!(add(AddOptions::new("t"))?.new, 2);
    // The same size, time and mode: only who reads it can tell.
    write(&tree.join("a"), "eno")?;
    let report = add(AddOptions::new("t"))?;
    assert_eq!((report.unchanged, report.changed), (2, 0));
    assert_eq!(text(&lake, &"t/a".parse()?)?, "one");
    let report = add(AddOptions::new("t").reread(true))?;
    assert_eq!((report.unchanged, report.changed), (1, 1));
    assert_eq!(text(&lake, &"t/a".parse()?)?, "eno");
    // Any of the three is noticed.
    write(&tree.join("a"), "enough")?;
    assert_eq!(add(AddOptions::new("t"))?.changed, 1);
    fs::write(tree.join("b"), "owt")?;
    assert_eq!(add(AddOptions::new("t"))?.changed, 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(tree.join("b"), fs::Permissions::from_mode(0o600))?;
        assert_eq!(add(AddOptions::new("t"))?.changed, 1);
    }
    Ok(())
}

/// Somebody else's version is not the disk's, whatever the disk says.
#[test]
fn what_others_put_is_compared_with_the_disk() -> Outcome {
    let (folder, lake) = empty()?;
    let tree = folder.path().join("tree");
    fs::create_dir(&tree)?;
    write(&tree.join("a"), "one")?;
    let options = AddOptions::new("t");
    lake.add(&tree, &options, &mut |_, _| {})?;
    lake.put(&"t/a".parse()?, &Edit::new(), &b"two"[..])?;
    let report = lake.add(&tree, &options, &mut |_, _| {})?;
    assert_eq!(report.changed, 1);
    assert_eq!(text(&lake, &"t/a".parse()?)?, "one");
    Ok(())
}
