//! What identifies a file: user, path and filename, compared byte by byte.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The name of a file in the lake. `None` is a value: a file of no user is not
/// the file of some user, and one without a path is in no path.
///
/// A path is names with single slashes between them. However its slashes are
/// given, [`plain`](FileName::plain) is what a new file gets: `/a//b/` and
/// `a/./b` are `a/b`, and a path of no names is none. `..` is refused. Only files
/// of the original packages have other paths; they are found by those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName {
    /// Whose file it is.
    pub user: Option<String>,
    /// Where it is.
    pub path: Option<String>,
    /// What it is called there; not empty.
    pub filename: String,
}

impl FileName {
    /// This filename, without path and user.
    #[must_use]
    pub fn new(filename: impl Into<String>) -> FileName {
        FileName {
            user: None,
            path: None,
            filename: filename.into(),
        }
    }

    /// The same file in a path.
    #[must_use]
    pub fn in_path(mut self, path: impl Into<String>) -> FileName {
        self.path = Some(path.into());
        self
    }

    /// The same file of a user.
    #[must_use]
    pub fn of_user(mut self, user: impl Into<String>) -> FileName {
        self.user = Some(user.into());
        self
    }

    /// Splits `path/filename` at the last slash; without a slash there is no
    /// path. The user is none.
    ///
    /// ```
    /// use dkdc_lake::FileName;
    /// let name = FileName::parse("a/b/c.txt")?;
    /// assert_eq!(name, FileName::new("c.txt").in_path("a/b"));
    /// assert_eq!(FileName::parse("c.txt")?.path, None);
    /// assert!(FileName::parse("a/b/").is_err());
    /// # Ok::<(), dkdc_lake::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoFilename`] when nothing follows the last slash.
    pub fn parse(text: &str) -> Result<FileName> {
        let name = match text.rsplit_once('/') {
            Some((path, filename)) => FileName::new(filename).in_path(path),
            None => FileName::new(text),
        };
        name.check()?;
        Ok(name)
    }

    /// The same name as the lake keeps it.
    ///
    /// ```
    /// use dkdc_lake::FileName;
    /// let name = FileName::parse("/a//./b/c.txt")?.plain()?;
    /// assert_eq!(name, FileName::new("c.txt").in_path("a/b"));
    /// assert_eq!(FileName::parse("/c.txt")?.plain()?, FileName::new("c.txt"));
    /// assert!(FileName::parse("a/../c.txt")?.plain().is_err());
    /// # Ok::<(), dkdc_lake::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoFilename`]; [`Error::InvalidName`] for a path through `..`,
    /// and for a filename with a slash or of dots alone.
    pub fn plain(&self) -> Result<FileName> {
        self.check()?;
        let invalid = |why| Error::InvalidName {
            given: self.to_string(),
            why,
        };
        if self.filename.contains('/') {
            return Err(invalid("a filename has no slash"));
        }
        if matches!(self.filename.as_str(), "." | "..") {
            return Err(invalid("\".\" and \"..\" are folders"));
        }
        let path = self.path.as_deref().map(plain_path);
        let path = path.map(|path| path.ok_or_else(|| invalid("a path has no \"..\"")));
        Ok(FileName {
            path: path.transpose()?.flatten(),
            ..self.clone()
        })
    }

    /// The names that a file which is meant by this one can have: this very
    /// one, then the plain one.
    pub(crate) fn meant(&self) -> Result<Vec<FileName>> {
        self.check()?;
        let plain = self.plain().ok().filter(|plain| plain != self);
        Ok(std::iter::once(self.clone()).chain(plain).collect())
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.filename.is_empty() {
            return Err(Error::NoFilename {
                given: self.to_string(),
            });
        }
        Ok(())
    }
}

impl FromStr for FileName {
    type Err = Error;

    fn from_str(text: &str) -> Result<FileName> {
        FileName::parse(text)
    }
}

impl fmt::Display for FileName {
    /// `path/filename`, or the filename alone; the user is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => f.pad(&format!("{path}/{}", self.filename)),
            None => f.pad(&self.filename),
        }
    }
}

/// A path as the lake keeps it: the inner `None` is no path, the outer one a
/// path through `..`.
pub(crate) fn plain_path(path: &str) -> Option<Option<String>> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    let names: Vec<&str> = names.collect();
    if names.contains(&"..") {
        return None;
    }
    Some((!names.is_empty()).then(|| names.join("/")))
}

/// The type that a filename tells: what follows its last dot, in lower case.
/// None without a dot, and none when nothing is before or behind it.
///
/// ```
/// use dkdc_lake::filetype_of;
/// assert_eq!(filetype_of("archive.tar.GZ").as_deref(), Some("gz"));
/// assert_eq!(filetype_of("Makefile"), None);
/// assert_eq!(filetype_of(".profile"), None);
/// ```
#[must_use]
pub fn filetype_of(filename: &str) -> Option<String> {
    let (stem, extension) = filename.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
}
