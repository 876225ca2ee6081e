//! The lake grows for ever, since what was pruned or erased stays in the file; or a
//! collection takes what somebody still names; or its numbers are made up.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dkdc_lake::{Edit, FileName, Lake, State};
use dkdc_state::{Clock, Keep};

use crate::{Outcome, empty, noise, put};

/// A clock that is put forward by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Hand {
    fn two_hours_later(&self) {
        self.0.fetch_add(7_200_000_000, Ordering::SeqCst);
    }
}

fn at_hand() -> Result<(tempfile::TempDir, Lake, Arc<Hand>), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(Hand(AtomicI64::new(1_795_341_600_000_000)));
    let state = State::options().clock(clock.clone());
    let state = state.open(folder.path().join("data.db"))?;
    Ok((folder, Lake::on(&state)?, clock))
}

fn pieces(lake: &Lake) -> Result<u64, dkdc_state::Error> {
    Ok(lake.state().status()?.blobs)
}

#[test]
fn what_is_pruned_goes_and_what_others_have_stays() -> Outcome {
    let (_folder, lake, clock) = at_hand()?;
    let name = FileName::new("test.bin");
    let (old, new) = (noise(1_000_000), noise(10_000));
    lake.put(&name, &Edit::new(), &old[..])?;
    lake.put(&name, &Edit::new(), &b"between"[..])?;
    lake.put(&name, &Edit::new(), &new[..])?;
    put(&lake, "other.txt", "between")?;
    lake.state()
        .prune("lake", Keep::Versions(NonZeroU64::MIN))?;
    clock.two_hours_later();
    assert_eq!(lake.state().gc_blobs()?.blobs, 0, "the prune took it");
    assert_eq!(pieces(&lake)?, 2);
    assert!(lake.read_to_vec(&name)? == new);
    assert_eq!(lake.read_to_vec(&FileName::new("other.txt"))?, b"between");
    assert!(lake.state().check()?.is_sound());
    Ok(())
}

#[test]
fn what_is_erased_goes_and_what_others_have_stays() -> Outcome {
    let (_folder, lake, clock) = at_hand()?;
    let content = noise(1_000_000);
    let mut longer = content.clone();
    longer.extend_from_slice(&noise(100_000)[..]);
    let name = FileName::new("secret.bin");
    lake.put(&name, &Edit::new(), &content[..])?;
    let secret = lake.put(&name, &Edit::new(), &longer[..])?.file;
    let kept = FileName::new("kept.bin");
    let kept_file = lake.put(&kept, &Edit::new(), &content[..])?.file;
    lake.state().erase("lake", &[secret.id.as_str()])?;
    clock.two_hours_later();
    assert_eq!(lake.state().gc_blobs()?.blobs, 0, "the erase took it");
    let usage = lake.state().blob_usage(&[kept_file.data])?;
    assert_eq!(pieces(&lake)?, usage.pieces);
    assert!(lake.read_file(&secret).is_err());
    assert!(lake.read_to_vec(&kept)? == content);
    assert!(lake.state().check()?.is_sound());
    Ok(())
}

#[test]
fn what_is_cleared_is_collected_when_nobody_can_be_about_to_name_it() -> Outcome {
    let (_folder, lake, clock) = at_hand()?;
    put(&lake, "a", "hello world")?;
    lake.state().clear(&["lake"])?;
    assert_eq!(lake.state().gc_blobs()?.blobs, 0);
    clock.two_hours_later();
    assert_eq!(lake.state().unnamed_blobs()?.bytes, 11);
    assert_eq!(lake.state().gc_blobs()?.bytes, 11);
    assert_eq!(lake.state().status()?.blob_stored_bytes, 0);
    Ok(())
}

#[test]
fn a_small_file_is_one_piece() -> Outcome {
    let (_folder, lake) = empty()?;
    for (number, size) in [0, 1, 1000, 10_240, 16 << 10].into_iter().enumerate() {
        let name = FileName::new(size.to_string());
        let file = lake.put(&name, &Edit::new(), &noise(size)[..])?.file;
        let usage = lake.state().blob_usage(&[file.data])?;
        assert_eq!((usage.pieces, usage.unique), (1, size as u64));
        assert_eq!(pieces(&lake)?, number as u64 + 1);
    }
    Ok(())
}

#[test]
fn what_it_takes_is_counted_exactly() -> Outcome {
    let (_folder, lake) = empty()?;
    // Three files of one content that does not shrink, and one that does.
    let content = noise(10_000);
    for name in ["a/1", "a/2", "b/1"] {
        lake.put(&name.parse()?, &Edit::new(), &content[..])?;
    }
    let text = lake
        .put(
            &"b/text".parse()?,
            &Edit::new(),
            "x".repeat(10_000).as_bytes(),
        )?
        .file;
    let usage = |path| -> Result<_, dkdc_lake::Error> {
        let files = lake.list(None, path)?;
        let blobs: Vec<_> = files.iter().map(|file| file.data).collect();
        Ok(lake.state().blob_usage(&blobs)?)
    };
    let shrunk = lake.state().blob_usage(&[text.data])?.stored;
    assert!(shrunk < 100, "{shrunk} bytes");
    let all = usage(None)?;
    assert_eq!((all.blobs, all.pieces), (4, 2));
    assert_eq!((all.logical, all.unique), (40_000, 20_000));
    assert_eq!(all.stored, 10_000 + shrunk);
    assert_eq!(all.stored, lake.state().status()?.blob_stored_bytes);
    let a = usage(Some("a"))?;
    assert_eq!((a.logical, a.unique, a.stored), (20_000, 10_000, 10_000));
    Ok(())
}
