//! What a folder's way into the lake, or out of it, may be told.

use dkdc_state::Moment;

use super::Gauge;

/// What [`Lake::add`](crate::Lake::add) takes of a folder, and where to.
///
/// ```
/// use dkdc_lake::AddOptions;
/// let options = AddOptions::new("reports").exclude("*.tmp").dry_run(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct AddOptions {
    pub(super) path: String,
    pub(super) user: Option<String>,
    pub(super) excludes: Vec<String>,
    pub(super) everything: bool,
    pub(super) dry_run: bool,
    pub(super) delete: bool,
    pub(super) reread: bool,
    pub(super) gauge: Gauge,
}

impl AddOptions {
    /// Into this path of the lake; empty: into no path.
    #[must_use]
    pub fn new(path: impl Into<String>) -> AddOptions {
        AddOptions {
            path: path.into(),
            ..AddOptions::default()
        }
    }

    /// As this user's files; without this, as nobody's.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> AddOptions {
        self.user = user.map(str::to_owned);
        self
    }

    /// Leaves out what a pattern as in `.gitignore` matches.
    #[must_use]
    pub fn exclude(mut self, pattern: impl Into<String>) -> AddOptions {
        self.excludes.push(pattern.into());
        self
    }

    /// Takes also what `.gitignore`, `.ignore` and `.dkdcignore` exclude, and
    /// `.git`.
    #[must_use]
    pub fn everything(mut self, everything: bool) -> AddOptions {
        self.everything = everything;
        self
    }

    /// Only says what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> AddOptions {
        self.dry_run = dry_run;
        self
    }

    /// Deletes from the path what is not in the folder any more; its history
    /// stays.
    #[must_use]
    pub fn delete(mut self, delete: bool) -> AddOptions {
        self.delete = delete;
        self
    }

    /// Reads also files whose size and time are as the lake has them.
    #[must_use]
    pub fn reread(mut self, reread: bool) -> AddOptions {
        self.reread = reread;
        self
    }

    /// Shows how far it is: what is to be read, and what was.
    #[must_use]
    pub fn gauge(mut self, gauge: &Gauge) -> AddOptions {
        self.gauge = gauge.clone();
        self
    }
}

/// What [`Lake::checkout`](crate::Lake::checkout) writes.
///
/// ```
/// use dkdc_lake::{CheckoutOptions, Moment};
/// let yesterday: Moment = "yesterday".parse()?;
/// let options = CheckoutOptions::new("reports/*.csv").at(Some(yesterday)).replace(true);
/// # let _ = options;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CheckoutOptions {
    pub(super) path: String,
    pub(super) user: Option<String>,
    pub(super) at: Option<Moment>,
    pub(super) replace: bool,
    pub(super) dry_run: bool,
    pub(super) gauge: Gauge,
}

impl CheckoutOptions {
    /// What is in this path of the lake and below it, the file of this name, or what
    /// a [`Pattern`](crate::Pattern) matches; empty: everything. What is before the first name with
    /// something in it that makes it a pattern is left out of the names, as a path is.
    #[must_use]
    pub fn new(path: impl Into<String>) -> CheckoutOptions {
        CheckoutOptions {
            path: path.into(),
            ..CheckoutOptions::default()
        }
    }

    /// This user's files; without this, nobody's.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> CheckoutOptions {
        self.user = user.map(str::to_owned);
        self
    }

    /// As of a moment.
    #[must_use]
    pub fn at(mut self, at: Option<Moment>) -> CheckoutOptions {
        self.at = at;
        self
    }

    /// Replaces files that are there and differ.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> CheckoutOptions {
        self.replace = replace;
        self
    }

    /// Only says what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> CheckoutOptions {
        self.dry_run = dry_run;
        self
    }

    /// Shows how far it is: what is to be written, and what was.
    #[must_use]
    pub fn gauge(mut self, gauge: &Gauge) -> CheckoutOptions {
        self.gauge = gauge.clone();
        self
    }
}
