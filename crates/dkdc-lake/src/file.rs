//! The record: one file, with the post's columns in the post's order, and four
//! more beside them.

use dkdc_state::{BlobRef, Record};
use jiff::Timestamp;

use crate::name::{FileName, filetype_of};

/// One version of a file, without its content. `None` is SQL's NULL.
///
/// The content is read with [`Lake::read_file`](crate::Lake::read_file).
#[derive(Record, Clone, Debug, PartialEq, Eq)]
#[record(
    table = "lake",
    unique(user_id, path, filename, nulls = equal),
    index(path)
)]
pub struct File {
    /// The key, made by [`uuid`](fn@crate::uuid): the same in every version.
    #[record(id)]
    pub id: String,
    /// Whose file it is.
    pub user_id: Option<String>,
    /// Where it is.
    pub path: Option<String>,
    /// What it is called there.
    pub filename: String,
    /// What kind of file it is, such as `txt`.
    pub filetype: Option<String>,
    /// The content.
    pub data: BlobRef,
    /// A version number of the caller's own; the lake's is the `idx`.
    pub version: Option<i64>,
    /// Any word.
    pub status: Option<String>,
    /// Whatever else is to be said.
    pub description: Option<String>,
    /// Any labels, commas and all.
    pub labels: Option<Vec<String>>,
    /// Length of the content in bytes.
    pub size: i64,
    /// BLAKE3 of the content in hexadecimal, 64 characters.
    pub hash: String,
    /// The permissions it had on disk, as Unix has them.
    pub mode: Option<i64>,
    /// When the content was last changed on disk, in whole microseconds.
    pub mtime: Option<Timestamp>,
}

impl File {
    /// What identifies the file.
    #[must_use]
    pub fn name(&self) -> FileName {
        FileName {
            user: self.user_id.clone(),
            path: self.path.clone(),
            filename: self.filename.clone(),
        }
    }

    /// The file under another name, its type as that tells if the old one told it.
    pub(crate) fn renamed(mut self, name: FileName) -> File {
        let told = filetype_of(&self.filename);
        if self.filetype == told
            && let Some(told) = filetype_of(&name.filename)
        {
            self.filetype = Some(told);
        }
        self.path = name.path;
        self.filename = name.filename;
        self
    }

    /// Gives the file this content.
    pub(crate) fn set_content(&mut self, content: BlobRef) {
        self.data = content;
        self.size = i64::try_from(content.size).expect("BUG: content beyond eight exbibytes");
        self.hash = content.hex();
    }
}

/// All that a new version of a file says, besides its content: for
/// [`Lake::append_file`](crate::Lake::append_file) and
/// [`Lake::update_file`](crate::Lake::update_file).
///
/// ```
/// use dkdc_lake::{FileName, NewFile};
/// let file = NewFile {
///     description: Some("first draft".to_owned()),
///     ..NewFile::new(FileName::new("post.MD"))
/// };
/// assert_eq!(file.filetype.as_deref(), Some("md"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// What identifies it.
    pub name: FileName,
    /// As [`File::filetype`].
    pub filetype: Option<String>,
    /// As [`File::version`].
    pub version: Option<i64>,
    /// As [`File::status`].
    pub status: Option<String>,
    /// As [`File::description`].
    pub description: Option<String>,
    /// As [`File::labels`].
    pub labels: Option<Vec<String>>,
    /// As [`File::mode`].
    pub mode: Option<i64>,
    /// As [`File::mtime`]; what is finer than a microsecond is cut off.
    pub mtime: Option<Timestamp>,
}

impl NewFile {
    /// A file of this name, its type [guessed](filetype_of) from it, and
    /// nothing else.
    #[must_use]
    pub fn new(name: FileName) -> NewFile {
        NewFile {
            filetype: filetype_of(&name.filename),
            name,
            version: None,
            status: None,
            description: None,
            labels: None,
            mode: None,
            mtime: None,
        }
    }

    /// The same, of this kind if its name tells none.
    pub(crate) fn or_kind(mut self, kind: Option<&str>) -> NewFile {
        if self.filetype.is_none() {
            self.filetype = kind.map(str::to_owned);
        }
        self
    }

    pub(crate) fn into_file(self, id: String, content: BlobRef) -> File {
        let mut file = File {
            id,
            user_id: self.name.user,
            path: self.name.path,
            filename: self.name.filename,
            filetype: self.filetype,
            data: content,
            version: self.version,
            status: self.status,
            description: self.description,
            labels: self.labels,
            size: 0,
            hash: String::new(),
            mode: self.mode,
            mtime: self.mtime.map(whole_microseconds),
        };
        file.set_content(content);
        file
    }
}

/// File systems count nanoseconds, a state counts microseconds.
pub(crate) fn whole_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
