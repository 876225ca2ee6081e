//! A disk flips a bit in a large file, and whoever reads it is told that "something
//! failed", so that nobody runs a check; or one bad piece takes the rest of the file
//! along.

use std::io::{Read, Seek, SeekFrom};

use dkdc_lake::{Edit, Error, ErrorKind, FileName, Lake};

use crate::{Outcome, altered, empty, noise};

fn name() -> FileName {
    FileName::new("large.bin").in_path("a")
}

/// A lake with a file of many pieces, the last of which is damaged.
fn damaged(content: &[u8]) -> Result<(tempfile::TempDir, Lake), Box<dyn std::error::Error>> {
    let (folder, lake) = empty()?;
    lake.put(&name(), &Edit::new(), content)?;
    drop(lake);
    let path = folder.path().join("data.db");
    altered(
        &path,
        "DROP TRIGGER _dkdc_guard_update__dkdc_chunks; \
         UPDATE _dkdc_chunks SET data = zeroblob(length(data)) WHERE number = \
         (SELECT max(number) FROM _dkdc_chunks WHERE codec < 2)",
    );
    Ok((folder, Lake::open(path)?))
}

#[test]
fn with_the_name_of_the_file() -> Outcome {
    let (_folder, lake) = damaged(&noise(3_000_000))?;
    let error = lake.read_to_vec(&name()).expect_err("it is damaged");
    assert!(matches!(&error, Error::Content { name: told, .. } if *told == name()));
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("a/large.bin"), "{error}");
    let of_state = error.of_state().map(dkdc_state::Error::kind);
    assert_eq!(of_state, Some(ErrorKind::Damaged));
    Ok(())
}

/// That it is damaged elsewhere is not even noticed: nothing else is read.
#[test]
fn and_a_range_costs_the_pieces_that_it_is_in() -> Outcome {
    let content = noise(3_000_000);
    let (_folder, lake) = damaged(&content)?;
    let mut reader = lake.read(&name())?;
    for at in [0, 1_000_000, 1_500_000] {
        let mut range = [0; 4096];
        reader.seek(SeekFrom::Start(at))?;
        reader.read_exact(&mut range)?;
        let at = usize::try_from(at)?;
        assert!(range == content[at..at + 4096], "at {at}");
    }
    // Up to where the last piece may begin.
    for at in (1_600_000..=2_900_000).step_by(100_000) {
        let mut byte = [0; 1];
        reader.seek(SeekFrom::Start(at))?;
        reader.read_exact(&mut byte)?;
        assert_eq!(byte[0], content[usize::try_from(at)?], "at {at}");
    }
    reader.seek(SeekFrom::End(-1))?;
    let error = reader.read(&mut [0; 1]).expect_err("it is damaged");
    let source = error.get_ref().and_then(|own| own.downcast_ref());
    let kind = source.map(dkdc_state::Error::kind);
    assert_eq!(kind, Some(ErrorKind::Damaged), "{error}");
    Ok(())
}
