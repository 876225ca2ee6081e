//! Content on its way into the store: read and cut by the caller's thread,
//! hashed and compressed by another, written by a third, in short transactions.
//!
//! What must hold: no transaction is open while the caller's reader is read; what
//! is in memory is bounded, however large the content; its list is written last.

use std::borrow::Cow;
use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::cut::{Cutter, Window};
use super::list::Lister;
use super::pack::{self, Chunk, Codec, Packed, content_failed};
use crate::error::{Error, Result};
use crate::log::Store;
use crate::log::chunks;
use crate::log::writer::Tx;
use crate::record::BlobRef;

/// Windows between two of the threads.
const AHEAD: usize = 4;
/// Windows in one transaction, unless there are fewer.
const TOGETHER: usize = 8;

/// A window whose pieces have names; those that the store lacked are packed.
struct Packet {
    window: Window,
    pieces: Vec<(BlobRef, Piece)>,
}

enum Piece {
    /// The store had it.
    Known,
    /// To be stored as it is.
    Raw,
    Compressed(Vec<u8>),
}

impl Store {
    /// Puts content of any size, read to its end.
    pub(crate) fn put_blob(&self, reader: impl Read) -> Result<BlobRef> {
        self.refuse_unwritable()?;
        self.refuse_inside()?;
        let mut cutter = Cutter::new(reader);
        let Some(first) = cutter.next().map_err(content_failed)? else {
            return Err(Error::Query("BUG: content without a window".to_owned()));
        };
        let mut whole = Whole::default();
        whole.add(&first);
        if cutter.is_at_end() {
            return self.put_window(&first, whole.name());
        }
        std::thread::scope(|scope| {
            let (cut, to_pack) = sync_channel(AHEAD);
            let (packed, to_write) = sync_channel(AHEAD);
            let (written, spent) = channel();
            scope.spawn(move || self.pack_windows(&to_pack, &packed));
            let writer = scope
                .spawn(move || self.with_small_cache(|| self.write_packets(&to_write, &written)));
            let read = read_windows(&mut cutter, first, &mut whole, (&cut, &spent));
            drop(cut);
            let written = writer.join();
            // The reader's error is the cause; when a thread is gone, its own is.
            read?;
            let lister = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            self.write_lists(lister, whole.name())
        })
    }

    /// Puts content that is one window, in one transaction or none.
    fn put_window(&self, window: &Window, blob: BlobRef) -> Result<BlobRef> {
        let known = self.read_alone(|conn| chunks::exists(conn, &blob))?;
        if !(known && self.write(|tx| chunks::keep(tx.conn, &blob, tx.now))?) {
            let packed = Packed::of(window, blob);
            self.write(|tx| chunks::put_packed(tx.conn, &packed, tx.now))?;
        }
        Ok(blob)
    }

    fn write_lists(&self, lister: Lister, blob: BlobRef) -> Result<BlobRef> {
        let lists = lister.finish(blob);
        if !lists.is_empty() {
            self.write(|tx| chunks::put_lists(tx.conn, &lists, tx.now))?;
        }
        Ok(blob)
    }

    /// Packs the pieces that the store does not have.
    fn pack_windows(&self, windows: &Receiver<Window>, packed: &SyncSender<Result<Packet>>) {
        for window in windows {
            let packet = self.pack_window(window);
            let failed = packet.is_err();
            // When the writer is gone, it has failed, and says why itself.
            if packed.send(packet).is_err() || failed {
                return;
            }
        }
    }

    fn pack_window(&self, window: Window) -> Result<Packet> {
        let names: Vec<BlobRef> = window.pieces().map(pack::name_of).collect();
        let known: Vec<bool> = self.read_alone(|conn| {
            names
                .iter()
                .map(|name| chunks::exists(conn, name))
                .collect()
        })?;
        let pieces = window.pieces().zip(&names).zip(known);
        let pieces = pieces.map(|((piece, name), known)| {
            if known {
                return (*name, Piece::Known);
            }
            match pack::pack(*name, piece).data {
                Cow::Borrowed(_) => (*name, Piece::Raw),
                Cow::Owned(data) => (*name, Piece::Compressed(data)),
            }
        });
        Ok(Packet {
            pieces: pieces.collect(),
            window,
        })
    }

    /// Writes packets as they come, several in one transaction.
    fn write_packets(
        &self,
        packets: &Receiver<Result<Packet>>,
        written: &Sender<Window>,
    ) -> Result<Lister> {
        let mut lister = Lister::default();
        while let Ok(first) = packets.recv() {
            let mut together = vec![first?];
            while together.len() < TOGETHER {
                // Waited for: each transaction costs a sync.
                match packets.recv() {
                    Ok(packet) => together.push(packet?),
                    Err(_) => break,
                }
            }
            let mut parts = Vec::new();
            for (name, _) in together.iter().flat_map(|packet| &packet.pieces) {
                parts.extend(lister.push(*name));
            }
            self.write(|tx| {
                together.iter().try_for_each(|packet| write(packet, tx))?;
                chunks::put_lists(tx.conn, &parts, tx.now)
            })?;
            for packet in together {
                // Who has read all needs no room.
                let _ = written.send(packet.window);
            }
        }
        Ok(lister)
    }
}

fn write(packet: &Packet, tx: &Tx<'_>) -> Result<()> {
    for (bytes, (name, piece)) in packet.window.pieces().zip(&packet.pieces) {
        let (codec, data) = match piece {
            Piece::Known if chunks::keep(tx.conn, name, tx.now)? => continue,
            // It was collected meanwhile.
            Piece::Known => {
                chunks::put(tx.conn, &pack::pack(*name, bytes), tx.now)?;
                continue;
            }
            Piece::Raw => (Codec::Raw, bytes),
            Piece::Compressed(data) => (Codec::Zstd, &data[..]),
        };
        let chunk = Chunk {
            name: *name,
            codec,
            data: Cow::Borrowed(data),
        };
        chunks::put(tx.conn, &chunk, tx.now)?;
    }
    Ok(())
}

/// Sends all windows; stops when nobody takes them any more.
fn read_windows(
    cutter: &mut Cutter<impl Read>,
    first: Window,
    whole: &mut Whole,
    (windows, spent): (&SyncSender<Window>, &Receiver<Window>),
) -> Result<()> {
    let mut next = Some(first);
    while let Some(window) = next {
        if windows.send(window).is_err() {
            return Ok(());
        }
        spent.try_iter().for_each(|window| cutter.reuse(window));
        next = cutter.next().map_err(content_failed)?;
        if let Some(window) = &next {
            whole.add(window);
        }
    }
    Ok(())
}

/// The name of the whole content.
#[derive(Default)]
struct Whole {
    hasher: blake3::Hasher,
    size: u64,
}

impl Whole {
    fn add(&mut self, window: &Window) {
        let end = window.ends.last().copied().unwrap_or(0);
        self.hasher.update(&window.data[..end]);
        self.size += end as u64;
    }

    fn name(&self) -> BlobRef {
        BlobRef {
            hash: self.hasher.finalize().into(),
            size: self.size,
        }
    }
}
