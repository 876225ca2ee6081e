//! Names of many files at once: `*` and `?` stay within a name, `**` crosses folders,
//! `{a,b}` is either.

use dkdc_state::Versioned;
use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, Result};
use crate::file::File;
use crate::name::plain_path;

/// A pattern of names; see [`Lake::glob`](crate::Lake::glob).
///
/// ```
/// use dkdc_lake::Pattern;
/// let pattern = Pattern::new("reports/*.{csv,tsv}")?;
/// assert!(pattern.matches("reports/june.csv"));
/// assert!(!pattern.matches("reports/2026/june.csv"));
/// assert_eq!(pattern.path(), Some("reports"));
/// # Ok::<(), dkdc_lake::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    path: Option<String>,
    rest: GlobMatcher,
}

impl Pattern {
    /// Reads a pattern; its slashes may be given in any way, as those of a path.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a pattern that is none.
    pub fn new(pattern: &str) -> Result<Pattern> {
        let plain = plain_path(pattern).flatten();
        let plain = plain.as_deref().unwrap_or(pattern);
        let names: Vec<&str> = plain.split('/').collect();
        let first = names.iter().position(|name| is_pattern(name));
        // Without anything that makes it a pattern, it is a name.
        let (path, rest) = names.split_at(first.unwrap_or(names.len() - 1));
        let rest = rest.join("/");
        let rest = GlobBuilder::new(&rest).literal_separator(true).build();
        let rest = rest.map_err(|_| Error::InvalidName {
            given: pattern.to_owned(),
            why: "it is no pattern: a bracket or brace is not closed",
        })?;
        Ok(Pattern {
            path: (!path.is_empty()).then(|| path.join("/")),
            rest: rest.compile_matcher(),
        })
    }

    /// True for a name, path and all, that the pattern means.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let below = match &self.path {
            None => Some(name),
            Some(path) => name
                .strip_prefix(path.as_str())
                .and_then(|rest| rest.strip_prefix('/')),
        };
        below.is_some_and(|below| self.matches_below(below))
    }

    /// The path that all of them are in or below: what is before the first name with
    /// something in it that makes it a pattern.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The same for a name below [`path`](Pattern::path).
    pub(crate) fn matches_below(&self, below: &str) -> bool {
        self.rest.is_match(below)
    }
}

/// Those files whose path and filename match a pattern: see
/// [`Lake::glob`](crate::Lake::glob).
///
/// ```
/// use dkdc_lake::{Edit, Lake, matching};
/// # let folder = tempfile::tempdir()?;
/// # let lake = Lake::open(folder.path().join("data.db"))?;
/// lake.put(&"a/1.csv".parse()?, &Edit::new(), &b"x"[..])?;
/// lake.put(&"a/2.txt".parse()?, &Edit::new(), &b"x"[..])?;
/// assert_eq!(matching(lake.list(None, None)?, "a/*.csv")?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::InvalidName`] for a pattern that is none.
pub fn matching(mut files: Vec<Versioned<File>>, pattern: &str) -> Result<Vec<Versioned<File>>> {
    let pattern = Pattern::new(pattern)?;
    files.retain(|file| pattern.matches(&file.name().to_string()));
    Ok(files)
}

/// True when a name is meant as a pattern.
///
/// ```
/// assert!(dkdc_lake::is_pattern("reports/*.csv"));
/// assert!(!dkdc_lake::is_pattern("reports/june.csv"));
/// ```
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_path_and_what_is_below_it() {
        for (pattern, path, yes, no) in [
            ("a/b/*.csv", Some("a/b"), "a/b/x.csv", "a/b/c/x.csv"),
            ("./a//*.csv", Some("a"), "a/x.csv", "b/x.csv"),
            ("a/**/x", Some("a"), "a/b/c/x", "ab/x"),
            ("**/x", None, "a/x", "a/y"),
            ("a*/x", None, "ab/x", "ab/c/x"),
            ("{a,b}/x", None, "b/x", "c/x"),
            ("{a/b,c}/x", None, "a/b/x", "a/x"),
            ("a/x", Some("a"), "a/x", "a/xx"),
            ("x", None, "x", "a/x"),
        ] {
            let read = Pattern::new(pattern).expect("a pattern");
            assert_eq!(read.path(), path, "{pattern}");
            assert!(read.matches(yes) && !read.matches(no), "{pattern}");
        }
        for none in ["a/{b", "[x"] {
            assert!(Pattern::new(none).is_err(), "{none}");
        }
    }
}
