//! What goes wrong, and when: read from a text such as `sync:3:eio`.

use std::fmt;
use std::str::FromStr;

use rusqlite::ffi;

use super::{Hindrance, Verdict};

/// Kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is cut.
    Cut,
    /// A file is synced.
    Sync,
    /// A file is removed.
    Remove,
    /// A file is opened.
    Open,
    /// In a plan: writes, cuts, syncs and removals.
    Change,
}

const KINDS: [(&str, Kind); 7] = [
    ("read", Kind::Read),
    ("write", Kind::Write),
    ("cut", Kind::Cut),
    ("sync", Kind::Sync),
    ("remove", Kind::Remove),
    ("open", Kind::Open),
    ("change", Kind::Change),
];

impl Kind {
    /// True when a plan for `self` means operations of kind `other`.
    pub(super) fn includes(self, other: Kind) -> bool {
        let changes = [Kind::Write, Kind::Cut, Kind::Sync, Kind::Remove];
        self == other || (self == Kind::Change && changes.contains(&other))
    }
}

/// What happens at the planned operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process dies before it.
    KillBefore,
    /// The process dies when half of the bytes are written.
    KillTorn,
    /// The process dies after it, before SQLite is told.
    KillAfter,
    /// The system says EIO.
    Eio,
    /// The disk is full; half of the bytes are written.
    Full,
    /// The system reads half of the bytes, and the others when it is asked again.
    Short,
    /// The system was interrupted by a signal before it read anything.
    Interrupted,
    /// A file seems to end in the middle of what is read: the rest is zeros.
    Ends,
}

const ACTIONS: [(&str, Action); 8] = [
    ("kill-before", Action::KillBefore),
    ("kill-torn", Action::KillTorn),
    ("kill-after", Action::KillAfter),
    ("eio", Action::Eio),
    ("full", Action::Full),
    ("short", Action::Short),
    ("eintr", Action::Interrupted),
    ("ends", Action::Ends),
];

impl Action {
    pub(super) fn verdict(self, kind: Kind) -> Verdict {
        match self {
            Action::KillBefore => Verdict::Die { torn: false },
            Action::KillTorn => Verdict::Die { torn: true },
            Action::KillAfter => Verdict::GoAndDie,
            Action::Eio => Verdict::Fail {
                code: eio(kind),
                torn: false,
            },
            // Only what needs room can lack it.
            Action::Full if kind == Kind::Write => Verdict::Fail {
                code: ffi::SQLITE_FULL,
                torn: true,
            },
            Action::Short if kind == Kind::Read => Verdict::Hindered(Hindrance::Short),
            Action::Interrupted if kind == Kind::Read => Verdict::Hindered(Hindrance::Interrupted),
            Action::Ends if kind == Kind::Read => Verdict::Ends,
            Action::Full | Action::Short | Action::Interrupted | Action::Ends => Verdict::Go,
        }
    }
}

/// What SQLite's own VFS says when the system says EIO.
fn eio(kind: Kind) -> i32 {
    match kind {
        // Of which SQLite makes a damaged database.
        Kind::Read => ffi::SQLITE_IOERR_CORRUPTFS,
        Kind::Write | Kind::Change => ffi::SQLITE_IOERR_WRITE,
        Kind::Cut => ffi::SQLITE_IOERR_TRUNCATE,
        Kind::Sync => ffi::SQLITE_IOERR_FSYNC,
        Kind::Remove => ffi::SQLITE_IOERR_DELETE,
        Kind::Open => ffi::SQLITE_CANTOPEN,
    }
}

/// From the `nth` operation of a kind on, `times` of them go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which operations count.
    pub kind: Kind,
    /// The first that goes wrong, from 1.
    pub nth: u64,
    /// How they go wrong.
    pub action: Action,
    /// How many go wrong.
    pub times: u64,
}

impl Plan {
    /// The `nth` operation of a kind goes wrong, and no other.
    #[must_use]
    pub fn once(kind: Kind, nth: u64, action: Action) -> Plan {
        Plan {
            kind,
            nth,
            action,
            times: 1,
        }
    }

    /// Nothing goes wrong: operations of a kind are counted.
    #[must_use]
    pub fn count(kind: Kind) -> Plan {
        Plan::once(kind, u64::MAX, Action::Eio)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, kind)| *kind == self.kind);
        let action = ACTIONS.iter().find(|(_, action)| *action == self.action);
        let (kind, action) = (kind.map_or("?", |k| k.0), action.map_or("?", |a| a.0));
        write!(f, "{kind}:{}:{action}:{}", self.nth, self.times)
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Plan, String> {
        let plan = || {
            let mut parts = text.split(':');
            let kind = parts.next()?;
            let kind = KINDS.iter().find(|(name, _)| *name == kind)?.1;
            let nth = parts.next()?.parse().ok()?;
            let action = parts.next()?;
            let action = ACTIONS.iter().find(|(name, _)| *name == action)?.1;
            let times = parts.next().map_or(Some(1), |times| times.parse().ok())?;
            Some(Plan {
                kind,
                nth,
                action,
                times,
            })
        };
        plan().ok_or_else(|| format!("{text:?} is no plan, such as sync:3:eio"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        for (kind, action) in [
            (Kind::Change, Action::KillTorn),
            (Kind::Read, Action::Eio),
            (Kind::Write, Action::Full),
            (Kind::Read, Action::Short),
            (Kind::Read, Action::Interrupted),
            (Kind::Read, Action::Ends),
        ] {
            let plan = Plan {
                times: 5,
                ..Plan::once(kind, 7, action)
            };
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert!("sync:x:eio".parse::<Plan>().is_err());
    }
}
