//! How far a long command is: a bar on stderr, where people look at it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that is gone when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// `total`: of what is counted, if that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Progress {
        let bar = ProgressBar::with_draw_target(total, target());
        let template = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} ({eta})",
            None => "{spinner} {msg} {human_pos} {elapsed}",
        };
        // The templates are ours; if one were wrong, there is indicatif's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Progress(bar)
    }

    /// For work that cannot be counted: it turns by itself.
    pub(crate) fn spinning(what: &'static str) -> Progress {
        let progress = Progress::new(what, None);
        progress.0.enable_steady_tick(Duration::from_millis(100));
        progress
    }

    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}
