//! How far a call is, for who watches it from another thread.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of content that a call has to read or to write, and those that it has; clones
/// show the same. Files that are skipped or fail are not waited for: the one need not
/// reach the other.
///
/// ```
/// use dkdc_lake::{AddOptions, Gauge, Lake};
/// # let folder = tempfile::tempdir()?;
/// # let lake = Lake::open(folder.path().join("data.db"))?;
/// let tree = folder.path().join("reports");
/// std::fs::create_dir(&tree)?;
/// std::fs::write(tree.join("june.csv"), "a,b\n1,2\n")?;
/// let gauge = Gauge::default();
/// lake.add(&tree, &AddOptions::new("reports").gauge(&gauge), &mut |_, _| {})?;
/// assert_eq!((gauge.done(), gauge.total()), (8, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
}

impl Gauge {
    /// Bytes that are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Bytes that are to be done, as far as that is known: [`Lake::add`](crate::Lake::add)
    /// finds more while it reads.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.0.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A reader of which all that is read counts.
    pub(super) fn of<R: Read>(&self, reader: R) -> impl Read {
        Gauged {
            reader,
            gauge: self.clone(),
        }
    }
}

struct Gauged<R> {
    reader: R,
    gauge: Gauge,
}

impl<R: Read> Read for Gauged<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.gauge.add(read as u64);
        Ok(read)
    }
}
