//! What a word of the command line means in the lake: a path, a file, or a pattern.

use dkdc_lake::{Error, File, FileName, Lake, LakeAt, Pattern, is_pattern, matching};
use dkdc_state::{Select, Versioned};

use crate::exit::Result;

/// The current files of a path and below it, else the one of this name, or what a
/// pattern matches; the newest first.
pub(super) fn files(
    lake: &Lake,
    then: Option<&LakeAt>,
    user: Option<&str>,
    word: Option<&str>,
) -> Result<Vec<Versioned<File>>> {
    let list = |path| match then {
        Some(then) => then.list(user, path),
        None => lake.list(user, path),
    };
    match word {
        // A name may look like a pattern: a file that has it is meant.
        Some(word) if is_pattern(word) => match named(lake, then, user, word)? {
            found if found.is_empty() => Ok(matching(list(None)?, word)?),
            found => Ok(found),
        },
        Some(word) => match list(Some(word))? {
            found if found.is_empty() => named(lake, then, user, word),
            found => Ok(found),
        },
        None => Ok(list(None)?),
    }
}

/// The files of this name: this user's, or everyone's.
fn named(
    lake: &Lake,
    then: Option<&LakeAt>,
    user: Option<&str>,
    word: &str,
) -> Result<Vec<Versioned<File>>> {
    let Ok(name) = FileName::parse(word) else {
        return Ok(Vec::new());
    };
    for name in [name.plain().ok(), Some(name)].into_iter().flatten() {
        let select = Select::new()
            .eq("path", name.path.as_deref())
            .eq("filename", name.filename.as_str())
            .order_desc("idx");
        let select = match user {
            Some(user) => select.eq("user_id", user),
            None => select,
        };
        let found = match then {
            Some(then) => then.snapshot().table::<File>()?.list(&select)?,
            None => lake.table().list(&select)?,
        };
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// What a word means in every version of every file.
pub(super) struct Place<'w> {
    given: &'w str,
    plain: Option<String>,
    pattern: Option<Pattern>,
    user: Option<&'w str>,
}

impl<'w> Place<'w> {
    /// No word: everything. No user: everyone's.
    pub(super) fn new(
        lake: &Lake,
        word: Option<&'w str>,
        user: Option<&'w str>,
    ) -> Result<Place<'w>> {
        let given = word.unwrap_or_default().trim_matches('/');
        let plain = FileName::parse(given).and_then(|name| name.plain()).ok();
        // A name may look like a pattern: a file that has it is meant.
        let pattern = is_pattern(given) && named(lake, None, user, given)?.is_empty();
        Ok(Place {
            given,
            plain: plain.map(|name| name.to_string()),
            pattern: pattern.then(|| Pattern::new(given)).transpose()?,
            user,
        })
    }

    /// True for a file that is meant, and for one below it.
    pub(super) fn has(&self, file: &File) -> bool {
        let name = file.name().to_string();
        let is_below = |path: &str| {
            let rest = name.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let users = self.user.is_none() || file.user_id.as_deref() == self.user;
        users
            && match &self.pattern {
                Some(pattern) => pattern.matches(&name),
                None => {
                    self.given.is_empty()
                        || is_below(self.given)
                        || self.plain.as_deref().is_some_and(is_below)
                }
            }
    }

    /// Refuses what names nothing that is or was there; `found`: something was.
    pub(super) fn check(&self, found: bool) -> Result<()> {
        if found || self.given.is_empty() {
            return Ok(());
        }
        let name = FileName::parse(self.given)?;
        Err(Error::NotFound { name }.into())
    }
}
