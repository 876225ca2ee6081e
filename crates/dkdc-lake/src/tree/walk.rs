//! The files of a folder on disk, without those that are excluded.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;

use super::{AddOptions, on_disk};
use crate::error::{Error, Result};

/// What a walk finds, by its path below the folder, with `/` between names.
pub(super) enum Found {
    File {
        below: String,
        path: PathBuf,
        meta: Metadata,
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
    let mut builder = WalkBuilder::new(&root);
    builder
        .standard_filters(false)
        .git_ignore(!everything)
        .ignore(!everything)
        .require_git(false)
        .overrides(overrides)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(move |entry| {
            let git = !everything && entry.depth() > 0 && entry.file_name() == ".git";
            !git && !own.contains(entry.path())
        });
    if !everything {
        builder.add_custom_ignore_filename(".dkdcignore");
    }
    let walk = builder.build();
    Ok(walk.filter_map(move |entry| found(&root, entry)))
}

/// The store's files and folders: reading one of them in this process would drop
/// SQLite's locks.
fn own_files(store: &Path) -> HashSet<PathBuf> {
    let endings = ["", "-wal", "-shm", "-mirror", "-spill"];
    let beside = |ending: &str| {
        let mut name = store.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    endings.into_iter().map(beside).collect()
}

fn found(root: &Path, entry: Result<ignore::DirEntry, ignore::Error>) -> Option<Found> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            return Some(Found::Failed {
                below: String::new(),
                why: error.to_string(),
            });
        }
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    let path = entry.path();
    let relative = path.strip_prefix(root).unwrap_or(path);
    let lossy = || relative.to_string_lossy().into_owned();
    let Some(below) = relative.to_str() else {
        return Some(Found::Failed {
            below: lossy(),
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
    Some(match entry.metadata() {
        Ok(meta) => Found::File {
            below,
            path: entry.into_path(),
            meta,
        },
        Err(error) => Found::Failed {
            below,
            why: error.to_string(),
        },
    })
}
