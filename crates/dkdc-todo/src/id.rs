//! Ids for people to type: short, random, without letters that look alike.

use crate::error::{Error, Result};

/// Digits and letters less `0`, `o`, `1`, `i` and `l`.
const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// How long an id is, as long as such ids are easily found.
const LENGTH: usize = 5;

/// This many clashes in a row mean that ids of a length have become rare.
const CLASHES: usize = 8;

/// The length to try after `clashes` ids were taken already: so the search ends
/// even when every short id is in use.
pub(crate) fn length_after(clashes: usize) -> usize {
    LENGTH + clashes / CLASHES
}

/// A random id of `length` characters.
pub(crate) fn random(length: usize) -> Result<String> {
    // Bytes from here on would make the alphabet's beginning more likely.
    let fair = u8::MAX - u8::MAX % 31;
    let mut id = String::with_capacity(length);
    let mut bytes = [0; 16];
    while id.len() < length {
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::NoRandomness(std::io::Error::other(error.to_string())))?;
        let letters = bytes.iter().filter(|byte| **byte < fair);
        let letters = letters.map(|byte| char::from(ALPHABET[usize::from(byte % 31)]));
        id.extend(letters.take(length - id.len()));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_use_the_whole_alphabet_and_nothing_else() {
        let many = random(20_000).expect("random numbers");
        assert_eq!(many.len(), 20_000);
        for letter in ALPHABET {
            assert!(many.as_bytes().contains(letter), "{}", char::from(*letter));
        }
        assert!(many.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn ids_grow_when_short_ones_are_taken() {
        assert_eq!(length_after(0), 5);
        assert_eq!(length_after(CLASHES - 1), 5);
        assert_eq!(length_after(CLASHES), 6);
        assert_eq!(length_after(10 * CLASHES), 15);
    }
}
