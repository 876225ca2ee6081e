//! Every version of every file, in the order in which they were written.

use dkdc_state::{ChangeKind, Changes, Idx, Record, Row, Value, Values, Version};

use crate::error::Result;
use crate::file::File;
use crate::lake::Lake;

/// One version of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileVersion {
    /// The file's id: the same in all its versions, whatever its name is.
    pub id: String,
    /// Which version.
    pub version: Version,
    /// The file as it is in this version; none when it is deleted.
    pub file: Option<File>,
}

/// Versions, as they are read; from [`Lake::versions`].
#[derive(Debug)]
pub struct FileVersions(Changes);

impl Lake {
    /// Every version of every file after a version, oldest first, up to the newest
    /// at the time of the call. [`Idx::ZERO`]: from the beginning.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Idx, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// lake.delete(&name)?;
    /// let versions: Vec<_> = lake.versions(Idx::ZERO)?.collect::<Result<_, _>>()?;
    /// assert_eq!(versions.len(), 2);
    /// assert_eq!(versions[0].file.as_ref().map(|file| file.size), Some(11));
    /// assert_eq!(versions[1].file, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`State::changes`](dkdc_state::State::changes).
    pub fn versions(&self, after: Idx) -> Result<FileVersions> {
        Ok(FileVersions(self.state().changes(after)?))
    }

    /// True when a file of exactly this user has or had a name that is meant.
    pub(crate) fn has_or_had(
        &self,
        user: Option<&str>,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<bool> {
        for version in self.versions(Idx::ZERO)? {
            if let Some(file) = version?.file
                && file.user_id.as_deref() == user
                && is_meant(&file.name().to_string())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Iterator for FileVersions {
    type Item = Result<FileVersion>;

    fn next(&mut self) -> Option<Result<FileVersion>> {
        loop {
            let change = match self.0.next()? {
                Ok(change) => change,
                Err(error) => return Some(Err(error.into())),
            };
            if let ChangeKind::Version {
                table,
                id,
                version,
                row,
            } = change.kind
                && table == "lake"
            {
                let file = row.map(|row| file_of(id.clone(), &row)).transpose();
                return Some(file.map(|file| FileVersion { id, version, file }));
            }
        }
    }
}

fn file_of(id: String, row: &Row) -> Result<File> {
    let columns = File::table().columns;
    let value = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    let values: Vec<Value> = columns.iter().map(|column| value(&column.name)).collect();
    let file = File::from_values(id.clone(), &mut Values::new(values));
    Ok(file.map_err(|source| dkdc_state::Error::InvalidValue {
        table: "lake".to_owned(),
        id,
        source,
    })?)
}
