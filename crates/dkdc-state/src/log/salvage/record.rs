//! Records as SQLite writes them: the values of a row, one after the other.
//!
//! Format: <https://www.sqlite.org/fileformat2.html>, "Record Format".

use rusqlite::types::ValueRef;

use super::pages::varint;

/// What is left of a record. Gives its values, and ends with a `None` where it makes no
/// sense.
pub(super) struct Record<'r> {
    kinds: &'r [u8],
    body: &'r [u8],
}

impl<'r> Record<'r> {
    pub(super) fn new(bytes: &'r [u8]) -> Option<Record<'r>> {
        let (head, first) = varint(bytes)?;
        let head = usize::try_from(head).ok()?;
        Some(Record {
            kinds: bytes.get(first..head)?,
            body: bytes.get(head..)?,
        })
    }

    fn value(&mut self) -> Option<ValueRef<'r>> {
        let (kind, len) = varint(self.kinds)?;
        self.kinds = self.kinds.get(len..)?;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            12.. => (kind - 12) / 2,
            _ => return None,
        };
        let (bytes, rest) = self.body.split_at_checked(usize::try_from(size).ok()?)?;
        self.body = rest;
        Some(match kind {
            0 => ValueRef::Null,
            7 => ValueRef::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
            8 | 9 => ValueRef::Integer(kind - 8),
            1..=6 => ValueRef::Integer(integer(bytes)),
            _ if kind % 2 == 0 => ValueRef::Blob(bytes),
            _ => ValueRef::Text(bytes),
        })
    }
}

impl<'r> Iterator for Record<'r> {
    type Item = Option<ValueRef<'r>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.kinds.is_empty() {
            return None;
        }
        let value = self.value();
        if value.is_none() {
            self.kinds = &[];
        }
        Some(value)
    }
}

fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let sign = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(sign, |value, byte| (value << 8) | i64::from(*byte))
}
