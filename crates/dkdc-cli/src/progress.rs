//! How far a long command is: a bar on stderr, where people look at it.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use dkdc_lake::Gauge;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Content of less than this is done before anybody looks at a bar.
const LARGE: u64 = 4 << 20;

/// A bar that is gone when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// `total`: of what is counted, if that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Progress {
        let template = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} ({eta})",
            None => "{spinner} {msg} {human_pos} {elapsed}",
        };
        Progress::styled(what, total, template)
    }

    /// Of bytes.
    fn of_bytes(what: &'static str, total: Option<u64>) -> Progress {
        let template = match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} ({eta})",
            None => "{spinner} {msg} {bytes} {elapsed}",
        };
        Progress::styled(what, total, template)
    }

    fn styled(what: &'static str, total: Option<u64>, template: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(total, target());
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

/// How much of a content is done; of a small one nothing is shown.
pub(crate) struct Bytes {
    what: &'static str,
    total: Option<u64>,
    done: u64,
    bar: Option<Progress>,
}

impl Bytes {
    /// `total`: its size, if that is known.
    pub(crate) fn of(what: &'static str, total: Option<u64>) -> Bytes {
        Bytes {
            what,
            total,
            done: 0,
            bar: None,
        }
    }

    /// So many more are done.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done >= LARGE {
            let begin = || Progress::of_bytes(self.what, self.total);
            self.bar.get_or_insert_with(begin).set(self.done);
        }
    }

    /// A reader of which all that is read is done.
    pub(crate) fn reading<R: Read>(self, reader: R) -> impl Read {
        Watched {
            reader,
            bytes: self,
        }
    }
}

struct Watched<R> {
    reader: R,
    bytes: Bytes,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.add(read);
        Ok(read)
    }
}

/// A bar of what a gauge shows, until it is dropped; where nobody looks, nothing.
pub(crate) struct Watching(Option<(Sender<()>, JoinHandle<()>)>);

impl Watching {
    pub(crate) fn begin(what: &'static str, gauge: &Gauge) -> Watching {
        if !io::stderr().is_terminal() {
            return Watching(None);
        }
        let (end, ended) = channel();
        let gauge = gauge.clone();
        let watch = move || {
            let mut bar = None;
            let pause = Duration::from_millis(100);
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let total = gauge.total();
                if total > 0 {
                    let bar = bar.get_or_insert_with(|| Progress::of_bytes(what, Some(total)));
                    bar.0.set_length(total);
                    bar.set(gauge.done());
                }
            }
        };
        // Without a thread, there is no bar.
        let thread = std::thread::Builder::new().spawn(watch).ok();
        Watching(thread.map(|thread| (end, thread)))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            // The bar is gone before anything else is said.
            let _ = thread.join();
        }
    }
}
