//! Reading files, now, inside a transaction or as of a moment, by the same
//! code.
//!
//! Every filter here is about current records, so it comes after "latest".

use dkdc_state::{Select, SnapshotTable, Table, TxTable, Versioned};

use crate::error::{Error, Result};
use crate::file::File;
use crate::name::FileName;

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
    name.check()?;
    Ok(source.many(&by_name(name).limit(1))?.pop())
}

pub(crate) fn get(source: &impl Source, name: &FileName) -> Result<Versioned<File>> {
    find(source, name)?.ok_or_else(|| not_found(name))
}

pub(crate) fn contains_path(source: &impl Source, path: &str, user: Option<&str>) -> Result<bool> {
    let select = of_user(user).eq("path", path).limit(1);
    Ok(!source.many(&select)?.is_empty())
}

pub(crate) fn list(
    source: &impl Source,
    user: Option<&str>,
    path: Option<&str>,
) -> Result<Vec<Versioned<File>>> {
    let select = of_user(user).order_desc("idx");
    let Some(path) = path else {
        return Ok(source.many(&select)?);
    };
    let path = path.trim_end_matches('/');
    // `0` follows `/`, so these are the path itself, all that is below it, and
    // a few neighbours, such as `a-b` beside `a`.
    let select = select.ge("path", path).lt("path", format!("{path}0"));
    let mut files = source.many(&select)?;
    files.retain(|file| file.path.as_deref().is_some_and(|of| is_below(of, path)));
    Ok(files)
}

/// True for `path` itself and whatever is below it.
fn is_below(of: &str, path: &str) -> bool {
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
    let deleted = table.list_deleted(&by_name(name))?;
    let all = current.into_iter().chain(deleted);
    Ok(all.map(|file| file.record.id).collect())
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
