//! A file comes back a byte short, or with another file's bytes; a disk error
//! while a file is read in leaves half of it in the lake.

use std::io::{self, Read, Seek, SeekFrom};

use dkdc_lake::{Edit, Error, ErrorKind, FileName, NewFile};

use crate::{Outcome, empty, noise};

/// Around the size up to which content shares the record's transaction, and
/// well over it.
const SIZES: [usize; 7] = [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_003];

#[test]
fn whatever_its_size() -> Outcome {
    let (_folder, lake) = empty()?;
    for size in SIZES {
        let name = FileName::new(format!("{size}.bin"));
        let content = noise(size);
        let appended = lake.append_file(NewFile::new(name.clone()), &content[..])?;
        assert_eq!(appended.size, i64::try_from(size)?);
        assert_eq!(appended.data.size, u64::try_from(size)?);
        assert!(lake.read_to_vec(&name)? == content, "{size} bytes");

        let longer = [&content[..], b"!"].concat();
        lake.update_file(NewFile::new(name.clone()), &longer[..])?;
        assert!(lake.read_to_vec(&name)? == longer, "{size} bytes and one");
        assert!(lake.read_file_to_vec(&appended)? == content, "{size} bytes");
        assert!(!lake.put(&name, &Edit::new(), &longer[..])?.written);
    }
    let report = lake.state().check()?;
    assert!(report.is_sound(), "{:?}", report.damage);
    Ok(())
}

#[test]
fn from_any_place_in_it() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.bin");
    let content = noise(3_000_000);
    lake.put(&name, &Edit::new(), &content[..])?;
    let mut reader = lake.read(&name)?;
    let mut part = [0; 1000];
    for at in [2_999_000, 0, 1_048_000, 1_234_567] {
        assert_eq!(reader.seek(SeekFrom::Start(at))?, at);
        reader.read_exact(&mut part)?;
        let at = usize::try_from(at)?;
        assert!(part[..] == content[at..at + 1000], "at {at}");
    }
    assert_eq!(reader.seek(SeekFrom::End(-1))?, 2_999_999);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    assert_eq!(rest, content[2_999_999..]);
    Ok(())
}

#[test]
fn however_it_arrives() -> Outcome {
    /// A byte at a time, with interruptions.
    struct Drip<'a>(&'a [u8], bool);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }

    let (_folder, lake) = empty()?;
    let content = noise((1 << 20) + 10);
    let name = FileName::new("drip.bin");
    lake.append_file(NewFile::new(name.clone()), Drip(&content, false))?;
    assert!(lake.read_to_vec(&name)? == content);
    Ok(())
}

#[test]
fn the_same_content_is_kept_once() -> Outcome {
    let (_folder, lake) = empty()?;
    for size in [1000, 2_000_000] {
        let before = lake.state().status()?;
        let content = noise(size);
        for number in 0..5 {
            let name = FileName::new(format!("{size}-{number}"));
            lake.append_file(NewFile::new(name), &content[..])?;
        }
        let after = lake.state().status()?;
        assert_eq!(after.blob_bytes - before.blob_bytes, u64::try_from(size)?);
    }
    Ok(())
}

#[test]
fn a_reader_that_fails_leaves_nothing() -> Outcome {
    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(self.0);
            self.0 -= len;
            match len {
                0 => Err(io::Error::other("the disk is on fire")),
                len => Ok(len),
            }
        }
    }

    let (_folder, lake) = empty()?;
    let there = FileName::new("there.bin");
    let first = lake.append_file(NewFile::new(there.clone()), &b"one"[..])?;
    let before = lake.state().last()?;
    for size in [0, 1000, 1 << 20, 3_000_000] {
        let gone = FileName::new("gone.bin");
        let failed = [
            lake.append_file(NewFile::new(gone.clone()), Broken(size))
                .map(drop),
            lake.put(&gone, &Edit::new(), Broken(size)).map(drop),
            lake.update_file(NewFile::new(there.clone()), Broken(size))
                .map(drop),
            lake.put(&there, &Edit::new(), Broken(size)).map(drop),
        ];
        for answer in failed {
            let error = answer.expect_err("the reader fails");
            assert!(matches!(error, Error::Content { .. }), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Failure);
            assert!(error.to_string().contains("the disk is on fire"), "{error}");
        }
        assert!(!lake.contains_file(&gone)?);
    }
    assert_eq!(lake.get(&there)?, first);
    assert_eq!(lake.state().last()?, before);
    Ok(())
}

#[test]
fn collecting_takes_no_version_its_content() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.bin");
    for size in [10, 2_000_000, 20] {
        lake.put(&name, &Edit::new(), &noise(size)[..])?;
    }
    lake.delete(&name)?;
    lake.state().put_blob(&b"nobody's"[..])?;
    lake.state().gc_blobs()?;
    for (version, size) in lake.history(&name)?.iter().zip([10, 2_000_000, 20]) {
        let file = version
            .record
            .as_ref()
            .ok_or("a version without a record")?;
        assert!(lake.read_file_to_vec(file)? == noise(size), "{size} bytes");
    }
    Ok(())
}
