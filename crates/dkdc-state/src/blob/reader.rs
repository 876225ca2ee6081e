//! Content on its way out of the store, from any place in it.
//!
//! Pieces that follow each other are read as one [`Run`]; who reads on has the next
//! runs read by threads, in turns, and who wants all of it gets it from them
//! ([`each`]). What must hold: a byte is given only after the whole piece that it is
//! in was verified; what is in memory is bounded; a range costs the pieces it touches
//! and the lists that lead to them.

mod each;

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use super::pack::LARGEST;
use crate::error::{Error, Result};
use crate::log::Store;
use crate::log::chunks::{self, Found};
use crate::log::{damaged, space};
use crate::record::BlobRef;

/// Bytes that are read together by one who reads on.
const AHEAD: u64 = 1 << 20;
/// Who has read on for so long is read for by threads, if this much is left.
const LONG: u64 = 4 << 20;
/// SQLite's cache is emptied of pages that nobody reads again after so many bytes.
const SHRINK: u64 = 16 << 20;
/// Threads that read ahead: one waits for the disk while the other verifies.
const READERS: usize = 2;
/// Runs of each of them that may wait for the reader.
const WAITING: usize = 1;
/// Lists within lists: one is usual; more are damage.
const DEEPEST: usize = 4;

/// Reads the content of a blob, from any place in it; from
/// [`State::open_blob`](crate::State::open_blob). Each piece is verified before
/// any byte of it is given.
pub struct BlobReader {
    store: Arc<Store>,
    blob: BlobRef,
    /// Where the next byte is read.
    at: u64,
    /// The lists that lead to the pieces around, the outermost first.
    lists: Vec<List>,
    run: Run,
    /// Bytes read since SQLite's cache was emptied.
    unshrunk: u64,
    /// What comes next, read by threads.
    ahead: Option<Ahead>,
}

/// Pieces one behind the other, verified.
#[derive(Default)]
struct Run {
    /// Where they begin and end in the content.
    begin: u64,
    end: u64,
    /// Begins with them; what is behind them is left from other runs.
    bytes: Vec<u8>,
}

impl Run {
    /// From a place in it on; nothing elsewhere.
    fn from(&self, at: u64) -> &[u8] {
        if !(self.begin..self.end).contains(&at) {
            return &[];
        }
        let of = |place: u64| usize::try_from(place - self.begin).unwrap_or(usize::MAX);
        self.bytes.get(of(at)..of(self.end)).unwrap_or(&[])
    }
}

/// Threads that read on, each every so many runs.
struct Ahead {
    turns: Vec<Turn>,
    next: usize,
}

struct Turn {
    /// `None` when it is to end.
    runs: Option<Receiver<Result<Run>>>,
    /// Takes back runs whose room can be used again.
    spent: Sender<Run>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Reads from where a reader is.
    fn start(reader: &BlobReader) -> Option<Ahead> {
        let turns = (0..READERS).map(|turn| Turn::start(reader, turn));
        Some(Ahead {
            // Without threads, the reader reads by itself.
            turns: turns.collect::<Option<_>>()?,
            next: 0,
        })
    }

    /// The next run, in exchange for the last one; `None` when there is none.
    fn next(&mut self, last: Run) -> Option<Result<Run>> {
        let turn = &self.turns[self.next];
        self.next = (self.next + 1) % self.turns.len();
        // When the thread is gone, it needs no room.
        let _ = turn.spent.send(last);
        turn.runs.as_ref()?.recv().ok()
    }
}

impl Turn {
    fn start(reader: &BlobReader, turn: usize) -> Option<Turn> {
        let mut share = Share::of(reader, turn, AHEAD);
        let (send, runs) = sync_channel(WAITING);
        let (spent, again) = channel();
        let read_on = move || {
            loop {
                share.reader.run = again.try_recv().unwrap_or_default();
                let run = match share.read() {
                    Ok(true) => Ok(std::mem::take(&mut share.reader.run)),
                    Ok(false) => return,
                    Err(error) => Err(error),
                };
                let failed = run.is_err();
                if send.send(run).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().spawn(read_on).ok()?;
        Some(Turn {
            runs: Some(runs),
            spent,
            thread: Some(thread),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Waited for: it has the store open.
        self.runs = None;
        let joined = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = joined {
            tracing::error!("a thread that reads ahead panicked");
        }
    }
}

/// Every [`READERS`]-th run of what a reader has before it, for one of as many threads.
struct Share {
    reader: BlobReader,
    /// Bytes that a run has, about.
    bytes: u64,
    /// Runs until the next one of its own.
    others: usize,
}

impl Share {
    fn of(reader: &BlobReader, turn: usize, bytes: u64) -> Share {
        let reader = BlobReader {
            store: Arc::clone(&reader.store),
            lists: reader.lists.clone(),
            run: Run::default(),
            ahead: None,
            ..*reader
        };
        Share {
            reader,
            bytes,
            others: turn,
        }
    }

    /// Reads its next run; false when there is none.
    fn read(&mut self) -> Result<bool> {
        while self.reader.at < self.reader.blob.size {
            let (begin, names) = self.reader.next_names(self.bytes)?;
            self.reader.at = begin + names.iter().map(|name| name.size).sum::<u64>();
            if self.others == 0 {
                self.others = READERS - 1;
                self.reader.fetch_run(begin, &names)?;
                return Ok(true);
            }
            self.others -= 1;
        }
        Ok(false)
    }
}

#[derive(Clone)]
struct List {
    /// Where its content begins.
    begin: u64,
    /// The entries, and where each ends.
    entries: Vec<(u64, BlobRef)>,
    /// The entries are lists themselves.
    of_lists: bool,
}

impl List {
    fn read(store: &Store, begin: u64, entries: Vec<BlobRef>) -> Result<List> {
        // All of one kind, as they are written.
        let of_lists = match entries.first() {
            Some(first) => store.read_alone(|conn| chunks::is_list(conn, first))?,
            None => false,
        };
        let mut end = begin;
        let entries = entries.into_iter().map(|entry| {
            end = end.saturating_add(entry.size);
            (end, entry)
        });
        Ok(List {
            begin,
            entries: entries.collect(),
            of_lists,
        })
    }

    /// The place of the entry that has the byte.
    fn find(&self, at: u64) -> Option<usize> {
        let place = self.entries.partition_point(|(end, _)| *end <= at);
        (at >= self.begin && place < self.entries.len()).then_some(place)
    }

    fn begin_of(&self, place: usize) -> u64 {
        match place.checked_sub(1) {
            Some(before) => self.entries[before].0,
            None => self.begin,
        }
    }
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobReader({:?} at {})", self.blob, self.at)
    }
}

impl Store {
    pub(crate) fn open_blob(self: &Arc<Store>, blob: &BlobRef) -> Result<BlobReader> {
        let (codec, data) = self.read_alone(|conn| chunks::fetch(conn, blob))?;
        let mut reader = BlobReader {
            store: Arc::clone(self),
            blob: *blob,
            at: 0,
            lists: Vec::new(),
            run: Run::default(),
            unshrunk: 0,
            ahead: None,
        };
        match chunks::open(blob, codec, data).map_err(|error| self.locate(error))? {
            Found::Content(bytes) => {
                let end = bytes.len() as u64;
                reader.run = Run {
                    begin: 0,
                    end,
                    bytes,
                };
            }
            Found::List(entries) => reader.lists.push(List::read(self, 0, entries)?),
        }
        Ok(reader)
    }
}

impl BlobReader {
    /// The size of the content in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blob.size
    }

    /// What is verified from the next byte on, read if need be; nothing at the end.
    fn rest(&mut self) -> Result<&[u8]> {
        if self.at >= self.blob.size {
            return Ok(&[]);
        }
        if !(self.run.begin..self.run.end).contains(&self.at) {
            // A single piece without a list stays.
            if self.lists.is_empty() {
                return Err(damaged("a content shorter than it says"));
            }
            self.fetch()?;
        }
        Ok(self.run.from(self.at))
    }

    /// Reads the piece that has the next byte, or takes it from who reads ahead.
    fn fetch(&mut self) -> Result<()> {
        let reads_on = self.run.end == self.at;
        if !reads_on {
            self.ahead = None;
        } else if self.ahead.is_none() && self.at >= AHEAD && self.blob.size - self.at > LONG {
            self.ahead = Ahead::start(self);
        }
        if let Some(ahead) = &mut self.ahead {
            if let Some(run) = ahead.next(std::mem::take(&mut self.run)) {
                self.run = run?;
                return Ok(());
            }
            self.ahead = None;
        }
        let bytes = if reads_on { AHEAD } else { 1 };
        let (begin, names) = self.next_names(bytes)?;
        self.fetch_run(begin, &names)
    }

    /// Reads these pieces, the first of which begins there.
    fn fetch_run(&mut self, begin: u64, names: &[BlobRef]) -> Result<()> {
        if names.iter().any(|name| name.size > LARGEST) {
            return Err(self.damaged());
        }
        let bytes: u64 = names.iter().map(|name| name.size).sum();
        let size = usize::try_from(bytes).map_err(|_| self.damaged())?;
        self.unshrunk += bytes;
        let shrink = self.unshrunk >= SHRINK;
        if shrink {
            self.unshrunk = 0;
        }
        // Nothing of it is given unless all was read.
        (self.run.begin, self.run.end) = (begin, begin);
        if self.run.bytes.len() < size {
            self.run.bytes.resize(size, 0);
        }
        let to = &mut self.run.bytes[..size];
        self.store.read_alone(|conn| {
            chunks::read(conn, names, to)
                .map_err(|error| chunks::lacking(conn, &self.blob, error))?;
            if shrink {
                space::shrink(conn)?;
            }
            Ok(())
        })?;
        self.run.end = begin + bytes;
        Ok(())
    }

    /// The names of the pieces from the next byte on, for so many bytes, as far as
    /// one list has them; and where the first begins.
    fn next_names(&mut self, bytes: u64) -> Result<(u64, Vec<BlobRef>)> {
        loop {
            // Up to the list that has it.
            while self.lists.len() > 1
                && self
                    .lists
                    .last()
                    .is_some_and(|list| list.find(self.at).is_none())
            {
                self.lists.pop();
            }
            let list = self.lists.last().ok_or_else(|| self.damaged())?;
            let place = list.find(self.at).ok_or_else(|| self.damaged())?;
            let begin = list.begin_of(place);
            let name = list.entries[place].1;
            if list.of_lists {
                if self.lists.len() >= DEEPEST {
                    return Err(self.damaged());
                }
                let (codec, data) = self.store.read_alone(|conn| {
                    chunks::fetch(conn, &name)
                        .map_err(|error| chunks::lacking(conn, &self.blob, error))
                })?;
                match self.open(&name, codec, data)? {
                    Found::List(entries) => {
                        let list = List::read(&self.store, begin, entries)?;
                        self.lists.push(list);
                    }
                    Found::Content(_) => return Err(self.damaged()),
                }
                continue;
            }
            let wanted = self.at.saturating_add(bytes);
            let rest = list.entries[place..].iter();
            let mut end = begin;
            let names = rest.take_while(|(entry_end, _)| {
                let take = end < wanted;
                end = *entry_end;
                take
            });
            return Ok((begin, names.map(|(_, name)| *name).collect()));
        }
    }

    fn open(&self, name: &BlobRef, codec: i64, data: Vec<u8>) -> Result<Found> {
        chunks::open(name, codec, data).map_err(|error| self.store.locate(error))
    }

    fn damaged(&self) -> Error {
        let error = damaged(format!("the content of blob {}", self.blob.hex()));
        self.store.locate(error)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let rest = self.rest().map_err(io::Error::other)?;
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

/// The buffer is of the content as it was verified, so that reading it copies
/// nothing.
impl BufRead for BlobReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.rest().map_err(io::Error::other)
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.blob.size, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        let at = from.checked_add_signed(by);
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
