//! The kind of a file that its first bytes tell, for names that tell none.

/// Beginnings that only one kind of file has.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"\xfd7zXZ\0", "xz"),
    (b"SQLite format 3\0", "sqlite"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\x7fELF", "elf"),
];

/// Bytes that are looked at.
const LOOK: usize = 8192;

/// The kind of file that begins so; none when it could be any.
///
/// ```
/// use dkdc_lake::kind_of;
/// assert_eq!(kind_of(b"%PDF-1.7"), Some("pdf"));
/// assert_eq!(kind_of("plain w\u{f6}rds\n".as_bytes()), Some("txt"));
/// assert_eq!(kind_of(b"\0\x01\x02"), None);
/// assert_eq!(kind_of(b""), None);
/// ```
#[must_use]
pub fn kind_of(beginning: &[u8]) -> Option<&'static str> {
    let known = BEGINNINGS
        .iter()
        .find(|(bytes, _)| beginning.starts_with(bytes));
    if let Some((_, kind)) = known {
        return Some(kind);
    }
    let looked = &beginning[..beginning.len().min(LOOK)];
    let text = match std::str::from_utf8(looked) {
        Ok(text) => text,
        // Cut in the middle of a character.
        Err(error) if error.error_len().is_none() && looked.len() == LOOK => {
            std::str::from_utf8(&looked[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    // Many files are looked at: bytes where those are enough, and many at once.
    let is_obeyed = |b: &u8| b.is_ascii_control() & !(b'\t'..=b'\r').contains(b);
    let obeyed = if text.is_ascii() {
        let mut parts = text.as_bytes().chunks(256);
        parts.any(|part| part.iter().fold(false, |any, b| any | is_obeyed(b)))
    } else {
        text.contains(|c: char| c.is_control() && !c.is_whitespace())
    };
    (!text.is_empty() && !obeyed).then_some("txt")
}
