//! Which folders of a target are made under way and renamed as a whole.
//!
//! A folder that the target has not, with all that goes below it, is made under way
//! and gets its name when its files are durable: one rename, where each of its
//! files would cost one. Where the target has the folder, its files are renamed one
//! by one.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use super::super::target::Target;

/// The folders that are made under way.
pub(super) struct Staging {
    /// Their paths in the target.
    paths: Vec<String>,
    numbers: HashMap<String, usize>,
}

/// Where the files of a folder are written.
#[derive(PartialEq, Eq)]
pub(super) enum Place<'p> {
    /// This folder of the target has them.
    Target(Option<&'p str>),
    /// A folder under way of this number, and what is below it.
    Staged(usize, Option<&'p str>),
}

impl Place<'_> {
    pub(super) fn number(&self) -> Option<usize> {
        match self {
            Place::Target(_) => None,
            Place::Staged(number, _) => Some(*number),
        }
    }

    pub(super) fn is_staged(&self) -> bool {
        self.number().is_some()
    }
}

impl Staging {
    /// Looks which of these folders the target has not.
    pub(super) fn plan<'p>(
        target: &Target,
        folders: impl Iterator<Item = Option<&'p str>>,
    ) -> Staging {
        let mut staging = Staging {
            paths: Vec::new(),
            numbers: HashMap::new(),
        };
        let mut last = None;
        for folder in folders.flatten() {
            if last == Some(folder) || staging.place(Some(folder)).is_staged() {
                continue;
            }
            last = Some(folder);
            // What cannot be looked at fails where files are written into it.
            let Ok(depth) = target.depth(folder) else {
                continue;
            };
            if let Some(missing) = prefixes(folder).nth(depth) {
                let number = staging.paths.len();
                staging.numbers.insert(missing.to_owned(), number);
                staging.paths.push(missing.to_owned());
            }
        }
        staging
    }

    /// Where the files of a folder are written.
    pub(super) fn place<'p>(&self, folder: Option<&'p str>) -> Place<'p> {
        let path = folder.unwrap_or_default();
        let staged = prefixes(path).find_map(|prefix| {
            let number = self.numbers.get(prefix)?;
            let rest = path[prefix.len()..].strip_prefix('/');
            Some(Place::Staged(*number, rest))
        });
        staged.unwrap_or(Place::Target(folder))
    }

    /// Gives the folders their names; false for those that did not get theirs,
    /// because the target has it by now.
    pub(super) fn publish(&self, target: &Target) -> Vec<bool> {
        let folders = self.paths.iter().enumerate();
        let publish = |(number, path): (usize, &String)| {
            target.publish_folder(&name_of(number), path).is_ok()
        };
        folders.map(publish).collect()
    }
}

/// A path's first name, its first two, and so on.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

/// What a folder is called while it is under way.
fn name_of(number: usize) -> String {
    format!("folder-{number}")
}

/// The folder that was last used: files come by folder.
#[derive(Default)]
pub(super) struct Folders {
    last: Option<(Option<usize>, Option<String>, OwnedFd)>,
}

impl Folders {
    pub(super) fn get(&mut self, target: &Target, place: &Place<'_>) -> io::Result<&OwnedFd> {
        let (number, path) = match place {
            Place::Target(path) => (None, *path),
            Place::Staged(number, path) => (Some(*number), *path),
        };
        let is_last = |(of, last, _): &(Option<usize>, Option<String>, OwnedFd)| {
            *of == number && last.as_deref() == path
        };
        if !self.last.as_ref().is_some_and(is_last) {
            self.last = None;
            let folder = match number {
                None => target.folder(path)?,
                Some(number) => target.staged(&name_of(number), path)?,
            };
            self.last = Some((number, path.map(str::to_owned), folder));
        }
        match &self.last {
            Some((_, _, folder)) => Ok(folder),
            None => unreachable!("BUG: a folder was just opened"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_target_has_is_entered_and_the_rest_is_made_under_way() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("a/b")).expect("folders");
        std::fs::write(folder.path().join("file"), "").expect("a file");
        let target = Target::open(folder.path(), "x").expect("a target");
        let folders = ["a", "a/b", "a/b/c", "a/b/c/d", "a/e/f", "e", "file/x"];
        let staging = Staging::plan(&target, folders.into_iter().map(Some).chain([None]));
        assert_eq!(staging.paths, ["a/b/c", "a/e", "e"]);
        for (path, place) in [
            (None, Place::Target(None)),
            (Some("a/b"), Place::Target(Some("a/b"))),
            (Some("file/x"), Place::Target(Some("file/x"))),
            (Some("a/b/c"), Place::Staged(0, None)),
            (Some("a/b/c/d"), Place::Staged(0, Some("d"))),
            (Some("a/e/f"), Place::Staged(1, Some("f"))),
            (Some("ee"), Place::Target(Some("ee"))),
        ] {
            assert!(staging.place(path) == place, "{path:?}");
        }
    }
}
