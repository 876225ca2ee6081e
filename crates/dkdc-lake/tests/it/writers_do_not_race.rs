//! Two programs put the same new file at once. The original packages looked
//! first and inserted then: the lake had two files of one name, and each update
//! after that rewrote whichever was newest.

use std::sync::Barrier;

use dkdc_lake::{Edit, Error, FileName, Lake, NewFile};

use crate::{Outcome, empty, text};

/// What each of `N` threads, all starting at once, got.
fn at_once<const N: usize, T: Send>(
    lake: &Lake,
    work: impl Fn(&Lake, usize) -> T + Sync,
) -> Vec<T> {
    let start = Barrier::new(N);
    std::thread::scope(|scope| {
        let spawn = |number| {
            let (lake, work, start) = (lake.clone(), &work, &start);
            scope.spawn(move || {
                start.wait();
                work(&lake, number)
            })
        };
        let threads: Vec<_> = (0..N).map(spawn).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.expect("a thread panicked"))
            .collect()
    })
}

#[test]
fn one_append_of_a_name_wins() -> Outcome {
    let (_folder, lake) = empty()?;
    for round in 0..10 {
        let name = FileName::new(format!("{round}.txt"));
        let answers = at_once::<8, _>(&lake, |lake, number| {
            let content = number.to_string();
            lake.append_file(NewFile::new(name.clone()), content.as_bytes())
        });
        let mut won = Vec::new();
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(_) => won.push(number),
                Err(Error::AlreadyExists { name: taken }) => assert_eq!(taken, name),
                Err(other) => return Err(other.into()),
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(text(&lake, &name)?, won[0].to_string());
    }
    assert_eq!(lake.list(None, None)?.len(), 10);
    Ok(())
}

#[test]
fn puts_of_a_name_become_versions_of_one_file() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt").of_user("ann");
    let answers = at_once::<8, _>(&lake, |lake, number| {
        (0..10)
            .map(|round| {
                let content = format!("{number} {round}");
                lake.put(&name, &Edit::new(), content.as_bytes())
            })
            .collect::<Result<Vec<_>, _>>()
    });
    let mut idxs = Vec::new();
    for answer in answers {
        for put in answer? {
            assert!(put.written);
            idxs.push(put.file.idx());
        }
    }
    idxs.sort_unstable();
    let history = lake.history(&name)?;
    let kept: Vec<_> = history.iter().map(|version| version.idx()).collect();
    assert_eq!(kept, idxs); // each acknowledged version, once
    assert_eq!(lake.list(None, None)?.len(), 1);
    Ok(())
}
