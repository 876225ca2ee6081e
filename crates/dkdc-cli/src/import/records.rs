//! The records of a CSV file, field by field, with the line they begin in.
//!
//! RFC 4180: fields between delimiters, a field in quotes may hold anything, two
//! quotes in it are one. Lines end with LF, CRLF or CR; a blank line is no
//! record. A field knows whether it was quoted: that tells an empty text from
//! nothing at all. Files that are cut off inside quotes are refused.

use std::io::{self, BufRead, Read};

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Why a record cannot be read.
#[derive(Debug)]
pub(super) enum Wrong {
    Io(io::Error),
    /// The line, and what is wrong there.
    At(u64, &'static str),
}

/// What stands before the first name where some programs wrote the file.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of records.
pub(super) struct Records<R> {
    input: R,
    delimiter: u8,
    /// The line of the byte that comes next, from 1.
    line: u64,
    /// True after a CR: an LF belongs to it.
    after_cr: bool,
}

/// Where in a field the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Bare,
    Quoted,
    /// Behind a quote inside quotes: the end of the field, or the first of two.
    Quote,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(
        mut input: R,
        delimiter: u8,
    ) -> io::Result<Records<io::Chain<io::Cursor<Vec<u8>>, R>>> {
        let mut start = Vec::with_capacity(MARK.len());
        input
            .by_ref()
            .take(MARK.len() as u64)
            .read_to_end(&mut start)?;
        if start == MARK {
            start.clear();
        }
        Ok(Records {
            input: io::Cursor::new(start).chain(input),
            delimiter,
            line: 1,
            after_cr: false,
        })
    }

    /// The next record, and the line that it begins in.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Vec<Field>)>, Wrong> {
        let mut begun = self.line;
        let mut fields = Vec::new();
        let mut bytes = Vec::new();
        let mut quoted = false;
        let mut place = Place::Start;
        loop {
            let byte = self.byte().map_err(Wrong::Io)?;
            if place == Place::Quoted {
                match byte {
                    Some(b'"') => place = Place::Quote,
                    Some(byte) => bytes.push(byte),
                    None => {
                        return Err(Wrong::At(self.line, "the file ends inside a quoted field"));
                    }
                }
                continue;
            }
            match byte {
                Some(b'"') if place == Place::Start => (place, quoted) = (Place::Quoted, true),
                Some(b'"') if place == Place::Quote => {
                    bytes.push(b'"');
                    place = Place::Quoted;
                }
                Some(byte) if byte == self.delimiter => {
                    fields.push(field(&mut bytes, quoted, begun)?);
                    (place, quoted) = (Place::Start, false);
                }
                None | Some(b'\n' | b'\r') => {
                    let blank = fields.is_empty() && place == Place::Start;
                    match byte {
                        None if blank => return Ok(None),
                        // A blank line, or the second half of a CRLF.
                        Some(_) if blank => begun = self.line,
                        _ => {
                            fields.push(field(&mut bytes, quoted, begun)?);
                            return Ok(Some((begun, fields)));
                        }
                    }
                }
                Some(_) if place == Place::Quote => {
                    let why = "text follows the quote that ends a field; a quote inside is doubled";
                    return Err(Wrong::At(self.line, why));
                }
                Some(byte) => {
                    bytes.push(byte);
                    place = Place::Bare;
                }
            }
        }
    }

    /// The next byte; counts the lines.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = loop {
            match self.input.fill_buf() {
                Ok([]) => return Ok(None),
                Ok([byte, ..]) => break *byte,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.input.consume(1);
        if byte == b'\r' || (byte == b'\n' && !self.after_cr) {
            self.line += 1;
        }
        self.after_cr = byte == b'\r';
        Ok(Some(byte))
    }
}

fn field(bytes: &mut Vec<u8>, quoted: bool, line: u64) -> Result<Field, Wrong> {
    match String::from_utf8(std::mem::take(bytes)) {
        Ok(text) => Ok(Field { text, quoted }),
        Err(_) => Err(Wrong::At(line, "it is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as they are shown below: the line, then the fields, those that
    /// were quoted in quotes.
    fn read(text: &str) -> Result<Vec<String>, (u64, &'static str)> {
        let records = Records::new(text.as_bytes(), b',');
        let mut records = records.expect("memory can be read");
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some((line, fields))) => {
                    let fields = fields.iter().map(|field| match field.quoted {
                        true => format!("{:?}", field.text),
                        false => field.text.clone(),
                    });
                    let fields: Vec<String> = fields.collect();
                    found.push(format!("{line}: {}", fields.join("|")));
                }
                Ok(None) => return Ok(found),
                Err(Wrong::At(line, why)) => return Err((line, why)),
                Err(Wrong::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn records_are_told_with_their_line_whatever_ends_it() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "", "", "3,\"x", "y\"", "5,6"].join(end);
            let x = format!("5: 3|{:?}", format!("x{end}y"));
            let expected = ["1: a|b", "2: 1|2", x.as_str(), "7: 5|6"];
            assert_eq!(read(&text).as_deref(), Ok(&expected.map(str::to_owned)[..]));
            assert_eq!(read(&format!("{text}{end}")), read(&text), "{end:?}");
        }
    }

    #[test]
    fn quotes_are_kept_apart_from_what_they_hold() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n\r\n\n", &[]),
            ("a", &["1: a"]),
            (",", &["1: |"]),
            ("\"\",", &["1: \"\"|"]),
            ("\"\"", &["1: \"\""]),
            ("\"a,\"\"b\"\"\",c", &["1: \"a,\\\"b\\\"\"|c"]),
            ("5\" pipe,x\"\"y", &["1: 5\" pipe|x\"\"y"]),
            (" \"a\" ,", &["1:  \"a\" |"]),
            ("\u{feff}id,é\n", &["1: id|é"]),
            ("\u{feff}\"id\"", &["1: \"id\""]),
        ] {
            let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_csv_is_refused_where_it_stands() {
        for (text, line, says) in [
            ("a\n\"b\nc\n", 4, "ends inside"),
            ("a\r\n\"", 2, "ends inside"),
            ("a\n\"b\"c\n", 2, "follows the quote"),
            ("a\n\"b\" ,c\n", 2, "follows the quote"),
        ] {
            let (at, why) = read(text).expect_err("wrong");
            assert_eq!((at, why.contains(says)), (line, true), "{text:?}: {why}");
        }
        let mut latin = Records::new(&b"a\ncaf\xe9\n"[..], b',').expect("memory can be read");
        assert!(matches!(latin.next(), Ok(Some((1, _)))));
        assert!(matches!(latin.next(), Err(Wrong::At(2, "it is not UTF-8"))));
    }
}
