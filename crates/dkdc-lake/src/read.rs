//! Reading files, now, inside a transaction or as of a moment, by the same
//! code.
//!
//! Every filter here is about current records, so it comes after "latest".

use dkdc_state::{Select, SnapshotTable, Table, TxTable, Versioned};

use crate::error::{Error, Result};
use crate::file::File;
use crate::name::{FileName, plain_path};

/// Where files are read.
pub(crate) trait Source {
    fn many(&self, select: &Select) -> dkdc_state::Result<Vec<Versioned<File>>>;
    fn versions(&self, id: &str) -> dkdc_state::Result<Vec<Versioned<Option<File>>>>;
}

macro_rules! source {
    ($table:ty) => {
        impl Source for $table {
            fn many(&self, select: &Select) -> dkdc_state::Result<Vec<Versioned<File>>> {
                self.list(select)
            }

            fn versions(&self, id: &str) -> dkdc_state::Result<Vec<Versioned<Option<File>>>> {
                self.history(id)
            }
        }
    };
}

source!(Table<File>);
source!(TxTable<'_, '_, '_, File>);
source!(SnapshotTable<File>);

/// Exactly this name; the unique index serves it.
pub(crate) fn by_name(name: &FileName) -> Select {
    Select::new()
        .eq("user_id", name.user.as_deref())
        .eq("path", name.path.as_deref())
        .eq("filename", name.filename.as_str())
}

pub(crate) fn find(source: &impl Source, name: &FileName) -> Result<Option<Versioned<File>>> {
    for name in name.meant()? {
        let found = source.many(&by_name(&name).limit(1))?.pop();
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

pub(crate) fn get(source: &impl Source, name: &FileName) -> Result<Versioned<File>> {
    find(source, name)?.ok_or_else(|| not_found(name))
}

pub(crate) fn contains_path(source: &impl Source, path: &str, user: Option<&str>) -> Result<bool> {
    let given = Some(path.to_owned());
    for path in [Some(given), plain_path(path)].into_iter().flatten() {
        let select = of_user(user).eq("path", path).limit(1);
        if !source.many(&select)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn list(
    source: &impl Source,
    user: Option<&str>,
    path: Option<&str>,
) -> Result<Vec<Versioned<File>>> {
    let select = of_user(user).order_desc("idx");
    let plain = path.map_or(Some(None), plain_path);
    let (Some(path), Some(Some(_)) | None) = (path, &plain) else {
        return Ok(source.many(&select)?);
    };
    // As in a name: this very path, and the plain one.
    let given = path.trim_end_matches('/').to_owned();
    let plain = plain.flatten().filter(|plain| *plain != given);
    let mut files = Vec::new();
    for path in std::iter::once(given).chain(plain) {
        // `0` follows `/`, so these are the path itself, all that is below it,
        // and a few neighbours, such as `a-b` beside `a`.
        let select = select.clone().ge("path", &path);
        let found = source.many(&select.lt("path", format!("{path}0")))?;
        let of =
            |file: &Versioned<File>| file.path.as_deref().is_some_and(|of| is_below(of, &path));
        files.extend(found.into_iter().filter(of));
    }
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.idx()));
    Ok(files)
}

/// True for `path` itself and whatever is below it.
pub(crate) fn is_below(of: &str, path: &str) -> bool {
    of.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The versions of all these files, oldest first.
pub(crate) fn history(
    source: &impl Source,
    name: &FileName,
    ids: &[String],
) -> Result<Vec<Versioned<Option<File>>>> {
    let mut versions = Vec::new();
    for id in ids {
        versions.extend(source.versions(id)?);
    }
    if versions.is_empty() {
        return Err(not_found(name));
    }
    versions.sort_unstable_by_key(Versioned::idx);
    Ok(versions)
}

/// The ids of the files that have this name, or had it when they were deleted:
/// the current one first.
pub(crate) fn ids_of(table: &Table<File>, name: &FileName) -> Result<Vec<String>> {
    let current = find(table, name)?;
    let mut ids: Vec<String> = current.into_iter().map(|file| file.record.id).collect();
    for name in name.meant()? {
        let deleted = table.list_deleted(&by_name(&name))?;
        ids.extend(deleted.into_iter().map(|file| file.record.id));
    }
    Ok(ids)
}

pub(crate) fn not_found(name: &FileName) -> Error {
    Error::NotFound { name: name.clone() }
}

fn of_user(user: Option<&str>) -> Select {
    match user {
        Some(user) => Select::new().eq("user_id", user),
        None => Select::new(),
    }
}
