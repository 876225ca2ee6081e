//! Declared indexes: keys whose bytes compare as the values do.
//!
//! A key is the concatenation of its parts. Each part is a tag (0 for NULL, 1
//! for a value) and the value so encoded that `memcmp` orders it; a descending
//! part has all its bits inverted. NULL is a value, and the least.

use crate::record::{Given, Idx, Value};
use crate::schema::sql::days;
use crate::schema::{Index, IndexPart, Nulls, PartKey};

/// The key of a record in an index. `None`: the record is not in it, because
/// the index is unique, lets NULLs repeat, and one part is NULL.
pub(crate) fn key(index: &Index, id: &str, idx: Idx, values: &[Value]) -> Option<Vec<u8>> {
    key_of(index, id, idx, |at| Given::of(&values[at]))
}

/// The same of values by their places.
pub(crate) fn key_of<'v>(
    index: &Index,
    id: &str,
    idx: Idx,
    value: impl Fn(usize) -> Given<'v>,
) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(16 * index.parts.len());
    for part in &index.parts {
        match part.key {
            PartKey::Id => push_text(&mut key, part.descending, id),
            PartKey::Idx => push_int(&mut key, part.descending, idx.as_micros()),
            PartKey::Column(number) => {
                let value = value(number as usize - 1);
                if value.is_null() && index.unique == Some(Nulls::Distinct) {
                    return None;
                }
                match value {
                    Given::Text(text) => push_text(&mut key, part.descending, text),
                    Given::Bytes(bytes) => push_bytes(&mut key, part.descending, bytes),
                    value => push(&mut key, *part, &value.into_value()),
                }
            }
        }
    }
    Some(key)
}

/// Appends one part.
pub(crate) fn push(key: &mut Vec<u8>, part: IndexPart, value: &Value) {
    let descending = part.descending;
    match value {
        Value::Null => {
            let start = key.len();
            key.push(0);
            finish(key, start, descending);
        }
        Value::Bool(b) => push_int(key, descending, i64::from(*b)),
        Value::Int(i) => push_int(key, descending, *i),
        Value::Timestamp(t) => push_int(key, descending, t.as_microsecond()),
        Value::Date(d) => push_int(key, descending, days(*d)),
        Value::Float(f) => {
            let start = key.len();
            let bits = f.to_bits();
            // Negative floats order backwards by their bits, positive ones
            // forwards above them.
            let ordered = if bits >> 63 == 1 {
                !bits
            } else {
                bits | (1 << 63)
            };
            key.push(1);
            key.extend_from_slice(&ordered.to_be_bytes());
            finish(key, start, descending);
        }
        Value::Text(t) => push_text(key, descending, t),
        Value::Uuid(u) => push_text(key, descending, &u.hyphenated().to_string()),
        Value::Bytes(b) => push_bytes(key, descending, b),
        Value::Blob(b) => push_bytes(key, descending, &b.to_bytes()),
        // Declarations refuse them: TableDef::check.
        Value::Json(_) | Value::List(_) => unreachable!("BUG: an index over {value:?}"),
    }
}

fn push_int(key: &mut Vec<u8>, descending: bool, int: i64) {
    let start = key.len();
    key.push(1);
    key.extend_from_slice(&(int ^ i64::MIN).to_be_bytes());
    finish(key, start, descending);
}

pub(super) fn push_text(key: &mut Vec<u8>, descending: bool, text: &str) {
    push_bytes(key, descending, text.as_bytes());
}

/// Bytes, ended by 0 0; a 0 inside is 0 255.
fn push_bytes(key: &mut Vec<u8>, descending: bool, bytes: &[u8]) {
    let start = key.len();
    key.push(1);
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(255);
        }
    }
    key.extend_from_slice(&[0, 0]);
    finish(key, start, descending);
}

fn finish(key: &mut [u8], start: usize, descending: bool) {
    if descending {
        for byte in &mut key[start..] {
            *byte = !*byte;
        }
    }
}

/// The least key greater than every key that begins with `prefix`; `None` when
/// there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 255 {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    fn part(descending: bool) -> IndexPart {
        IndexPart {
            key: PartKey::Column(1),
            descending,
        }
    }

    fn keys(a: &[Value], b: &[Value], descending: bool) -> (Vec<u8>, Vec<u8>) {
        let encode = |values: &[Value]| {
            let mut key = Vec::new();
            for value in values {
                push(&mut key, part(descending), value);
            }
            key
        };
        (encode(a), encode(b))
    }

    fn value() -> impl Strategy<Value = (Option<String>, Option<i64>, f64)> {
        let text = proptest::option::of(proptest::collection::vec(0u8..4, 0..4).prop_map(|b| {
            b.into_iter()
                .map(|b| char::from([0, 1, 97, 255][b as usize]))
                .collect()
        }));
        (text, proptest::option::of(any::<i64>()), -1e3..1e3)
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn keys_order_as_their_values(a in value(), b in value(), descending: bool) {
            let values = |v: &(Option<String>, Option<i64>, f64)| {
                [Value::from(v.0.clone()), Value::from(v.1), Value::from(v.2)]
            };
            let (ka, kb) = keys(&values(&a), &values(&b), descending);
            let expected = a.partial_cmp(&b).expect("no NaN");
            let expected = if descending { expected.reverse() } else { expected };
            prop_assert_eq!(ka.cmp(&kb), expected);
        }

        #[test]
        fn a_prefix_ends_before_its_successor(prefix: Vec<u8>, rest: Vec<u8>) {
            let key = [prefix.clone(), rest].concat();
            if let Some(end) = after_prefix(&prefix) {
                prop_assert!(key < end);
                prop_assert!(prefix < end);
            } else {
                prop_assert!(prefix.iter().all(|b| *b == 255));
            }
        }
    }
}
