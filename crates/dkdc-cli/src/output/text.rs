//! Text that a terminal shows as it is, and nothing else.
//!
//! Values are other people's: what would move the cursor, change colours, or
//! turn the direction of what follows is shown as an escape.

use std::fmt::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text without a character that a terminal would obey.
pub(crate) fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// See [`escaped`].
pub(crate) struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if u32::from(c) < 0x100 && c.is_control() => {
                    write!(f, "\\x{:02x}", u32::from(c))?;
                }
                c if is_unseen(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters that act on the text around them: directions, separators of
/// lines, marks without a width that hide in names.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Bytes as Python writes them, at most so many.
pub(crate) fn bytes_literal(bytes: &[u8], limit: usize) -> String {
    let mut out = String::from("b'");
    for byte in bytes.iter().take(limit) {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\'' => out.push_str("\\'"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    if bytes.len() > limit {
        out.push('…');
    }
    out.push('\'');
    out
}

/// Columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `limit` columns, ending in `…` if that cost anything.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = limit.saturating_sub(1);
    for c in text.chars() {
        let takes = c.width().unwrap_or(0);
        if takes > left {
            break;
        }
        left -= takes;
        out.push(c);
    }
    if limit > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        for (text, shown) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("\u{9b}31m", "\\x9b31m"),
            ("a\nb\r\tc\u{0}\u{7f}", "a\\nb\\r\\tc\\x00\\x7f"),
            ("exe.\u{202e}txt", "exe.\\u{202e}txt"),
            ("\u{feff}id", "\\u{feff}id"),
        ] {
            assert_eq!(escaped(text).to_string(), shown);
        }
    }

    #[test]
    fn bytes_look_as_in_python() {
        assert_eq!(bytes_literal(b"hello world", 40), "b'hello world'");
        assert_eq!(
            bytes_literal(b"\x00\xff'\\\n", 40),
            "b'\\x00\\xff\\'\\\\\\n'"
        );
        assert_eq!(bytes_literal(b"abcdef", 3), "b'abc…'");
    }

    #[test]
    fn shortened_text_fits_and_says_so() {
        for (text, limit, short) in [
            ("hello", 5, "hello"),
            ("hello", 4, "hel…"),
            ("hello", 1, "…"),
            ("hello", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
        ] {
            assert_eq!(shortened(text, limit), short, "{text} in {limit}");
            assert!(width(&shortened(text, limit)) <= limit);
        }
    }
}
