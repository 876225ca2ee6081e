//! Content on its way out of the store, from any place in it.
//!
//! What must hold: a byte is given only after the whole piece that it is in was
//! verified; what is in memory is bounded; a range costs the pieces it touches
//! and the lists that lead to them.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::log::Store;
use crate::log::chunks::{self, Found};
use crate::log::{damaged, space};
use crate::record::BlobRef;

/// Bytes that are read ahead of one who reads on.
const AHEAD: u64 = 1 << 20;
/// Who has read on for so long is read for by another thread, if this much is left.
const LONG: u64 = 4 << 20;
/// SQLite's cache is emptied of pages that nobody reads again after so many bytes.
const SHRINK: u64 = 16 << 20;
/// Such reads that may wait for the reader.
const WAITING: usize = 3;
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
    /// Pieces that were read: where each begins.
    pieces: VecDeque<(u64, Vec<u8>)>,
    /// Where the last piece that was read ends.
    read_to: u64,
    /// Bytes read since SQLite's cache was emptied.
    unshrunk: u64,
    /// What comes next, read by another thread.
    ahead: Option<Ahead>,
}

/// Pieces, and where they end.
type Run = (VecDeque<(u64, Vec<u8>)>, u64);

/// A thread that reads on.
struct Ahead {
    runs: Option<Receiver<Result<Run>>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Reads from where a reader is.
    fn start(reader: &BlobReader) -> Option<Ahead> {
        let mut own = BlobReader {
            store: Arc::clone(&reader.store),
            lists: reader.lists.clone(),
            pieces: VecDeque::new(),
            ahead: None,
            ..*reader
        };
        let (send, runs) = sync_channel(WAITING);
        let read_on = move || {
            while own.at < own.blob.size {
                let run = own.fetch_here().map(|()| {
                    own.at = own.read_to;
                    (std::mem::take(&mut own.pieces), own.read_to)
                });
                let failed = run.is_err();
                if send.send(run).is_err() || failed {
                    return;
                }
            }
        };
        // Without a thread, the reader reads by itself.
        let thread = std::thread::Builder::new().spawn(read_on).ok()?;
        Some(Ahead {
            runs: Some(runs),
            thread: Some(thread),
        })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Waited for: it has the store open.
        self.runs = None;
        let joined = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = joined {
            tracing::error!("a thread that reads ahead panicked");
        }
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
            pieces: VecDeque::new(),
            read_to: 0,
            unshrunk: 0,
            ahead: None,
        };
        match chunks::open(blob, codec, data).map_err(|error| self.locate(error))? {
            Found::Content(piece) => {
                reader.read_to = piece.len() as u64;
                reader.pieces.push_back((0, piece));
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

    /// The rest of the piece that has the next byte, read if need be; nothing at
    /// the end.
    fn piece(&mut self) -> Result<&[u8]> {
        if self.at >= self.blob.size {
            return Ok(&[]);
        }
        while let Some((begin, piece)) = self.pieces.front() {
            if (*begin..begin + piece.len() as u64).contains(&self.at) {
                break;
            }
            // A single piece without a list stays.
            if self.lists.is_empty() {
                return Err(damaged("a content shorter than it says"));
            }
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() {
            self.fetch()?;
        }
        let (begin, piece) = &self.pieces[0];
        let skip = usize::try_from(self.at - begin).unwrap_or(usize::MAX);
        Ok(piece.get(skip..).unwrap_or(&[]))
    }

    /// Reads the piece that has the next byte, or takes it from who reads ahead.
    fn fetch(&mut self) -> Result<()> {
        let reads_on = self.at > 0 && self.read_to == self.at;
        if !reads_on {
            self.ahead = None;
        } else if self.ahead.is_none() && self.at >= AHEAD && self.blob.size - self.at > LONG {
            self.ahead = Ahead::start(self);
        }
        let run = self.ahead.as_ref().and_then(|ahead| ahead.runs.as_ref());
        match run.and_then(|runs| runs.recv().ok()) {
            Some(run) => {
                (self.pieces, self.read_to) = run?;
                Ok(())
            }
            None => {
                self.ahead = None;
                self.fetch_here()
            }
        }
    }

    /// Reads the piece that has the next byte, and some that follow if what is
    /// before it was read last.
    fn fetch_here(&mut self) -> Result<()> {
        let ahead = if self.read_to == self.at { AHEAD } else { 1 };
        let (begin, names) = self.next_names(ahead)?;
        self.unshrunk += ahead;
        let shrink = self.unshrunk >= SHRINK;
        if shrink {
            self.unshrunk = 0;
        }
        let stored = self.store.read_alone(|conn| {
            let fetched = names.iter().map(|name| chunks::fetch(conn, name));
            let fetched = fetched.collect::<Result<Vec<_>>>()?;
            if shrink {
                space::shrink(conn)?;
            }
            Ok(fetched)
        })?;
        let mut at = begin;
        for (name, (codec, data)) in names.iter().zip(stored) {
            let Found::Content(piece) = self.open(name, codec, data)? else {
                return Err(self.damaged());
            };
            self.pieces.push_back((at, piece));
            at += name.size;
        }
        self.read_to = at;
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
                let (codec, data) = self.store.read_alone(|conn| chunks::fetch(conn, &name))?;
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
        let piece = self.piece().map_err(io::Error::other)?;
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

/// The buffer is a piece of the content, so that reading it copies nothing.
impl BufRead for BlobReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.piece().map_err(io::Error::other)
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
