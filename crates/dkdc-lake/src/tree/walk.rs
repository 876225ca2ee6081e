//! The files of a folder on disk, without those that are excluded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::gitignore::GitignoreBuilder;
use ignore::overrides::OverrideBuilder;

use super::stat::{Looker, Stat};
use super::{AddOptions, on_disk};
use crate::error::{Error, Result};

/// What a walk finds, by its path below the folder, with `/` between names.
pub(super) enum Found {
    File {
        below: String,
        path: PathBuf,
        stat: Stat,
    },
    Skipped {
        below: String,
        why: &'static str,
    },
    Failed {
        below: String,
        why: String,
    },
}

/// Walks a folder in the order of names. Links are not followed, and the files of
/// the store are not among what is found.
pub(super) fn walk(
    folder: &Path,
    options: &AddOptions,
    store: &Path,
) -> Result<impl Iterator<Item = Found>> {
    let root = folder
        .canonicalize()
        .map_err(|error| on_disk(folder, error))?;
    if !root.is_dir() {
        return Err(on_disk(folder, std::io::ErrorKind::NotADirectory.into()));
    }
    let mut overrides = OverrideBuilder::new(&root);
    for pattern in &options.excludes {
        let excluded = overrides.add(&format!("!{pattern}"));
        excluded.map_err(|_| Error::InvalidName {
            given: pattern.clone(),
            why: "it is no pattern to exclude",
        })?;
    }
    let overrides = overrides.build().map_err(|_| Error::InvalidName {
        given: options.excludes.join(" "),
        why: "it is no pattern to exclude",
    })?;
    let own = own_files(store);
    let everything = options.everything;
    let start = if everything { &root } else { start(&root) };
    let depth = root.components().count() - start.components().count();
    let mut builder = WalkBuilder::new(start);
    let on_the_way = root.clone();
    builder
        .standard_filters(false)
        .git_ignore(!everything)
        .ignore(!everything)
        .require_git(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(move |entry| {
            if entry.depth() <= depth {
                return on_the_way.starts_with(entry.path());
            }
            let name = entry.file_name();
            let git = !everything && name == ".git";
            // By name first: there are few of these and many of the others.
            let is_own = |(own, path): &(OsString, PathBuf)| own == name && path == entry.path();
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let excluded = || overrides.matched(entry.path(), is_folder).is_ignore();
            !git && !own.iter().any(is_own) && !excluded()
        });
    if !everything {
        builder.add_custom_ignore_filename(IGNORES[2]);
    }
    let walk = builder.build();
    let mut looker = Looker::new();
    Ok(walk.filter_map(move |entry| found(&root, entry, &mut looker)))
}

/// Files that say what to leave out; what the later ones say counts more.
const IGNORES: [&str; 3] = [".gitignore", ".ignore", ".dkdcignore"];

/// Where the walk of a folder begins. In a git repository at its root, so that what is
/// left out there is left out here, as git does it; but at the folder where all of it
/// is left out: then it is meant. Nothing above the repository counts.
fn start(root: &Path) -> &Path {
    let is_git = |folder: &&Path| folder.join(".git").exists();
    let Some(top) = root.ancestors().find(is_git) else {
        return root;
    };
    let inside = root.strip_prefix(top).unwrap_or(root);
    if inside.iter().any(|name| name == ".git") {
        return root;
    }
    // Of a name that nobody gives: nothing excludes it unless it excludes everything.
    let any = root.join("\u{1}dkdc");
    let above = root.ancestors().skip(1);
    for folder in above.take_while(|folder| folder.starts_with(top)) {
        if std::fs::read_dir(folder).is_err() {
            return root;
        }
        let mut ignores = GitignoreBuilder::new(folder);
        for name in IGNORES {
            // One that is not there, or is none, excludes nothing.
            let _ = ignores.add(folder.join(name));
        }
        let excludes_any = ignores.build().is_ok_and(|ignores| {
            let matched = ignores.matched_path_or_any_parents(&any, false);
            matched.is_ignore()
        });
        if excludes_any {
            return root;
        }
    }
    top
}

/// The store's files and folders: reading one of them in this process would drop
/// SQLite's locks.
fn own_files(store: &Path) -> Vec<(OsString, PathBuf)> {
    let endings = ["", "-wal", "-shm", "-mirror", "-spill"];
    let beside = |ending: &str| {
        let mut name = store.file_name()?.to_owned();
        name.push(ending);
        let path = store.with_file_name(&name);
        Some((name, path))
    };
    endings.into_iter().filter_map(beside).collect()
}

/// What a path has below the root that it begins with; `None` unless that is UTF-8.
fn below<'p>(path: &'p Path, root: &Path) -> Option<&'p str> {
    // As text, which is quicker than by the names in it.
    if let (Some(path), Some(root)) = (path.to_str(), root.to_str()) {
        let rest = path.strip_prefix(root)?;
        return Some(rest.trim_start_matches(std::path::MAIN_SEPARATOR));
    }
    path.strip_prefix(root).ok()?.to_str()
}

/// What the walk could not look into.
fn unreadable(root: &Path, error: &ignore::Error) -> Found {
    let mut of = error;
    let mut path = root;
    while let ignore::Error::WithDepth { err, .. } | ignore::Error::WithPath { err, .. } = of {
        if let ignore::Error::WithPath { path: named, .. } = of {
            path = named;
        }
        of = err;
    }
    let relative = path.strip_prefix(root).unwrap_or(path);
    Found::Failed {
        below: relative.to_string_lossy().into_owned(),
        why: match of.io_error() {
            Some(error) => error.kind().to_string(),
            None => of.to_string(),
        },
    }
}

fn found(
    root: &Path,
    entry: Result<ignore::DirEntry, ignore::Error>,
    looker: &mut Looker,
) -> Option<Found> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return Some(unreadable(root, &error)),
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    let path = entry.path();
    let Some(below) = below(path, root) else {
        let relative = path.strip_prefix(root).unwrap_or(path);
        return Some(Found::Failed {
            below: relative.to_string_lossy().into_owned(),
            why: "its name is not UTF-8".to_owned(),
        });
    };
    #[cfg(windows)]
    let below = &below.replace('\\', "/");
    let below = below.to_owned();
    if kind.is_symlink() {
        let why = "a link";
        return Some(Found::Skipped { below, why });
    }
    if !kind.is_file() {
        let why = "no regular file";
        return Some(Found::Skipped { below, why });
    }
    Some(match looker.look(path) {
        Ok(Some(stat)) => Found::File {
            below,
            path: entry.into_path(),
            stat,
        },
        Ok(None) => Found::Skipped {
            below,
            why: "of a store that is open",
        },
        Err(error) => Found::Failed {
            below,
            why: error.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_read_is_named_once() {
        let denied = std::io::Error::from_raw_os_error(13);
        let error = ignore::Error::WithDepth {
            depth: 1,
            err: Box::new(ignore::Error::WithPath {
                path: PathBuf::from("/tree/a/noread"),
                err: Box::new(ignore::Error::Io(denied)),
            }),
        };
        let Found::Failed { below, why } = unreadable(Path::new("/tree"), &error) else {
            panic!("it cannot be read");
        };
        assert_eq!((&*below, &*why), ("a/noread", "permission denied"));
    }
}
