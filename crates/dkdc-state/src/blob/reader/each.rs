//! All of a content, given run by run by the threads that read it: in turns, so that
//! it is in order, and each its own, so that what it has read and verified need not
//! go from one processor's cache to another's.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{BlobReader, LONG, READERS, Share};

/// Bytes of a run: so few that they stay in a processor's own cache.
const GIVEN: u64 = 256 << 10;

impl BlobReader {
    /// Gives what is left, in order, in parts of a size that suits the content; what
    /// is long, from two threads by turns, which is faster than reading it. Each part
    /// is verified before it is given. After an error, the place is any.
    ///
    /// ```
    /// # use dkdc_state::{Error, State};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let blob = state.put_blob(&b"hello world"[..])?;
    /// let mut copy = Vec::new();
    /// state.open_blob(&blob)?.each(|bytes| {
    ///     copy.extend_from_slice(bytes);
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// assert_eq!(copy, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `give`; as an [`io::Error`], those of reading.
    pub fn each<E: From<io::Error> + Send>(
        &mut self,
        give: impl FnMut(&[u8]) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        self.each_with(thread::Builder::new(), give)
    }

    fn each_with<E: From<io::Error> + Send>(
        &mut self,
        thread: thread::Builder,
        mut give: impl FnMut(&[u8]) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        if self.blob.size.saturating_sub(self.at) > LONG {
            self.give_run(&mut give)?;
            // From the end of a run on, the others begin where pieces do.
            if let Some(given) = self.give_by_turns(thread, &mut give) {
                return given;
            }
        }
        while self.at < self.blob.size {
            self.give_run(&mut give)?;
        }
        Ok(())
    }

    fn give_run<E: From<io::Error>>(
        &mut self,
        give: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let rest = self.rest().map_err(io::Error::other)?;
        give(rest)?;
        self.at += rest.len() as u64;
        Ok(())
    }

    /// `None` when there is no thread to be had; then nothing is given.
    fn give_by_turns<E: From<io::Error> + Send, G>(
        &mut self,
        thread: thread::Builder,
        give: &mut G,
    ) -> Option<Result<(), E>>
    where
        G: FnMut(&[u8]) -> Result<(), E> + Send,
    {
        self.ahead = None;
        let shares: [Share; READERS] = std::array::from_fn(|turn| Share::of(self, turn, GIVEN));
        let [here, there] = shares;
        let (to_here, turn_here) = channel();
        let (to_there, turn_there) = channel();
        let first = to_here.clone();
        let given = thread::scope(|scope| {
            let there = move || give_share(there, &turn_there, &to_here);
            let there = thread.spawn_scoped(scope, there).ok()?;
            // Received below.
            let _ = first.send(give);
            drop(first);
            let here = give_share(here, &turn_here, &to_there);
            // It waits for turns that come from here.
            drop((turn_here, to_there));
            let there = there.join().unwrap_or_else(|panic| resume_unwind(panic));
            Some(here.and(there))
        });
        if matches!(given, Some(Ok(()))) {
            self.at = self.blob.size;
        }
        given
    }
}

/// Reads and gives runs as long as there are more, and the others give theirs. One that
/// ends by an error takes the others' turns with it.
fn give_share<'g, E: From<io::Error>, G: FnMut(&[u8]) -> Result<(), E>>(
    mut share: Share,
    turn: &Receiver<&'g mut G>,
    next: &Sender<&'g mut G>,
) -> Result<(), E> {
    loop {
        let read = share.read();
        if matches!(read, Ok(false)) {
            return Ok(());
        }
        let Ok(give) = turn.recv() else {
            return Ok(());
        };
        read.map_err(io::Error::other)?;
        give(share.reader.run.from(share.reader.run.begin))?;
        // Nobody waits for it after the last run.
        let _ = next.send(give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn without_a_thread_it_is_all_given_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path().join("data.db")).expect("a store");
        let numbers = (0_u32..3 << 20).flat_map(u32::to_le_bytes);
        let data: Vec<u8> = numbers.collect();
        assert!(data.len() as u64 > 2 * LONG);
        let blob = state.put_blob(&data[..]).expect("content");
        let mut reader = state.open_blob(&blob).expect("content");
        // No system has room for such a stack.
        let impossible = thread::Builder::new().stack_size(1 << 60);
        let mut given = Vec::new();
        let all = reader.each_with(impossible, |part| {
            given.extend_from_slice(part);
            Ok::<(), io::Error>(())
        });
        all.expect("all of it");
        assert!(given == data, "{} of {} bytes", given.len(), data.len());
    }
}
