//! Content on its way into the store.
//!
//! What must hold: the caller's reader is read, and what it gives is hashed and
//! compressed, before any transaction begins, since it may be as slow as a person
//! typing; and a reader that fails leaves no version behind.

use std::io::{self, Cursor, Read};

use dkdc_state::{BlobRef, Packed, State, Transaction};

use crate::error::{Error, Result};
use crate::kind::kind_of;
use crate::name::FileName;

/// Content up to this size goes into the record's own transaction, so that it
/// costs one sync instead of two.
pub(crate) const SMALL: u64 = 1 << 20;

/// Content that has been read to its end.
pub(crate) enum Content {
    Small(Packed),
    Stored(BlobRef),
}

/// Content, and what its beginning tells of its kind.
pub(crate) struct Taken {
    pub(crate) content: Content,
    pub(crate) kind: Option<&'static str>,
}

impl Content {
    pub(crate) fn take(state: &State, name: &FileName, reader: impl Read) -> Result<Taken> {
        let failed = |source| Error::Content {
            name: name.clone(),
            source,
        };
        let mut reader = Watched {
            reader,
            failure: None,
        };
        let mut beginning = Vec::new();
        let read = (&mut reader).take(SMALL + 1).read_to_end(&mut beginning);
        let read = read.map_err(failed)? as u64;
        let kind = kind_of(&beginning);
        if read <= SMALL {
            let content = Content::Small(Packed::new(&beginning));
            return Ok(Taken { content, kind });
        }
        match state.put_blob(Cursor::new(beginning).chain(&mut reader)) {
            Ok(blob) => Ok(Taken {
                content: Content::Stored(blob),
                kind,
            }),
            Err(error) => Err(match reader.failure {
                Some(source) => failed(source),
                None => Error::State(error),
            }),
        }
    }

    pub(crate) fn put(&self, tx: &Transaction<'_, '_>) -> Result<BlobRef> {
        match self {
            Content::Small(packed) => Ok(tx.put_packed(packed)?),
            Content::Stored(blob) => Ok(*blob),
        }
    }

    pub(crate) fn blob(&self) -> BlobRef {
        match self {
            Content::Small(packed) => packed.blob(),
            Content::Stored(blob) => *blob,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.blob().size
    }
}

/// Remembers why the caller's reader failed, so that a store that fails is not
/// blamed for it, nor the other way round.
struct Watched<R> {
    reader: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buffer);
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failure = Some(io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}
