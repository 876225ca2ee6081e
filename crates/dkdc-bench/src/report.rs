//! The results: a table to read, JSON to keep.

use std::fmt;
use std::path::Path;

use serde_json::json;

use crate::machine::Machine;
use crate::{Result, plot};

/// What was asked of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Nothing: it is shown so that it is known.
    None,
    /// At most this many times the peer.
    AtMost(f64),
    /// At least this many times the peer.
    AtLeast(f64),
    /// At most this much more than the peer.
    Above(f64),
    /// At least this many times faster than the peer.
    Faster(f64),
}

/// One measured operation.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) operation: String,
    pub(crate) size: String,
    /// What it is counted in: "us", "ms", "/s", "x".
    pub(crate) unit: &'static str,
    pub(crate) dkdc: f64,
    pub(crate) peer: f64,
    /// Who the peer is.
    pub(crate) against: &'static str,
    pub(crate) limit: Limit,
}

impl Outcome {
    /// How much of the limit is used: 1 is the limit, less is better. `None`
    /// where nothing was asked.
    pub(crate) fn used(&self) -> Option<f64> {
        match self.limit {
            Limit::None => None,
            Limit::AtMost(limit) => Some(self.ratio() / limit),
            Limit::AtLeast(limit) => Some(limit / self.ratio()),
            Limit::Above(limit) => Some((self.dkdc - self.peer) / limit),
            Limit::Faster(limit) => Some(limit * self.ratio()),
        }
    }

    /// Operation, size and peer; the ratio and its limit.
    pub(crate) fn labels(&self) -> [String; 2] {
        let [operation, size, _, _, against, ratio, limit, _] = self.cells();
        [
            format!("{operation}, {size} ({against})"),
            format!("{ratio} ({limit})"),
        ]
    }

    fn ratio(&self) -> f64 {
        self.dkdc / self.peer
    }

    /// `None` where nothing was asked.
    fn reached(&self) -> Option<bool> {
        self.used().map(|used| used <= 1.0)
    }

    fn cells(&self) -> [String; 8] {
        let limit = match self.limit {
            Limit::None => String::new(),
            Limit::AtMost(limit) => format!("<= {limit}x"),
            Limit::AtLeast(limit) => format!(">= {limit}x"),
            Limit::Above(limit) => format!("<= +{limit} {}", self.unit),
            Limit::Faster(limit) => format!(">= {limit}x faster"),
        };
        let ratio = match self.limit {
            Limit::Above(_) => format!("{:+.2} {}", self.dkdc - self.peer, self.unit),
            Limit::Faster(_) => format!("{:.0}x faster", self.peer / self.dkdc),
            _ => format!("{:.2}x", self.ratio()),
        };
        let reached = match self.reached() {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        [
            self.operation.clone(),
            self.size.clone(),
            number(self.dkdc, self.unit),
            number(self.peer, self.unit),
            self.against.to_owned(),
            ratio,
            limit,
            reached.to_owned(),
        ]
    }

    fn to_json(&self, suite: &str) -> serde_json::Value {
        let (kind, limit) = match self.limit {
            Limit::None => (None, None),
            Limit::AtMost(limit) => (Some("at most, times"), Some(limit)),
            Limit::AtLeast(limit) => (Some("at least, times"), Some(limit)),
            Limit::Above(limit) => (Some("at most, more"), Some(limit)),
            Limit::Faster(limit) => (Some("at least, times faster"), Some(limit)),
        };
        json!({
            "suite": suite,
            "operation": self.operation,
            "size": self.size,
            "unit": self.unit,
            "dkdc": self.dkdc,
            "peer": self.peer,
            "against": self.against,
            "ratio": self.ratio(),
            "limit": limit,
            "limit_kind": kind,
            "reached": self.reached(),
        })
    }
}

fn number(value: f64, unit: &str) -> String {
    if value >= 1000.0 {
        format!("{value:.0} {unit}")
    } else if value < 0.1 {
        format!("{value:.4} {unit}")
    } else {
        format!("{value:.2} {unit}")
    }
}

/// All results of a run.
pub(crate) struct Report {
    machine: Machine,
    /// What is measured now, for the name of its plot.
    suite: &'static str,
    outcomes: Vec<(&'static str, Outcome)>,
    /// What could not be measured, and why.
    skipped: Vec<String>,
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Report {
        Report {
            machine,
            suite: "",
            outcomes: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// What is added from now on belongs to this suite.
    pub(crate) fn begin(&mut self, suite: &'static str) {
        self.suite = suite;
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.outcomes.push((self.suite, outcome));
    }

    /// Draws each suite into a file of its name.
    pub(crate) fn plot(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for suite in self.outcomes.chunk_by(|a, b| a.0 == b.0) {
            let outcomes: Vec<&Outcome> = suite.iter().map(|(_, outcome)| outcome).collect();
            plot::draw(folder, suite[0].0, &outcomes)?;
        }
        Ok(())
    }

    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        self.skipped.push(format!("{what}: not measured: {why}"));
    }

    pub(crate) fn to_json(&self) -> String {
        let outcomes: Vec<_> = self
            .outcomes
            .iter()
            .map(|(suite, outcome)| outcome.to_json(suite))
            .collect();
        let machine = &self.machine;
        let all = json!({
            "profile": machine.profile,
            "debug_assertions": cfg!(debug_assertions),
            "cores": machine.cores,
            "load": machine.load,
            "file_system": machine.file_system,
            "sqlite": machine.sqlite,
            "outcomes": outcomes,
            "not_measured": self.skipped,
        });
        format!("{all:#}\n")
    }
}

const HEAD: [&str; 8] = [
    "operation",
    "size",
    "dkdc",
    "peer",
    "peer is",
    "ratio",
    "limit",
    "reached",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.outcomes.iter().map(|(_, outcome)| outcome.cells()));
        let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for row in &rows {
            write!(f, "|")?;
            for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Numbers stand right.
                if matches!(at, 2 | 3 | 5) {
                    write!(f, " {cell:>width$} |")?;
                } else {
                    write!(f, " {cell:<width$} |")?;
                }
            }
            writeln!(f)?;
            if row[0] == HEAD[0] {
                let rules = widths.map(|width| "-".repeat(width + 2));
                writeln!(f, "|{}|", rules.join("|"))?;
            }
        }
        for line in &self.skipped {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
