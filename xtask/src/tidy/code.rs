//! Rust source without what is not code, so that a word found in it is a word
//! that the compiler sees.
//!
//! Comments and literals become blanks of the same length: lines and offsets are
//! those of the file. Not a parser; enough of a lexer not to be fooled by quotes.

use std::ops::Range;

pub(super) struct Code {
    text: String,
    tests: Vec<Range<usize>>,
}

impl Code {
    pub(super) fn new(source: &str) -> Self {
        let text = blanked(source);
        let tests = test_items(&text);
        Self { text, tests }
    }

    /// Where the word stands as a whole word.
    pub(super) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.text
            .match_indices(word)
            .map(|(start, _)| start)
            .filter(move |&start| {
                !self.before(start).ends_with(is_name)
                    && !self.after(start, word).starts_with(is_name)
            })
    }

    /// The code before an offset.
    pub(super) fn before(&self, offset: usize) -> &str {
        &self.text[..offset]
    }

    /// The code after a word at an offset.
    pub(super) fn after(&self, offset: usize, word: &str) -> &str {
        &self.text[offset + word.len()..]
    }

    /// The contents of every `#[...]` and `#![...]`, with their offsets.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (usize, &str)> {
        attributes(&self.text).map(|range| (range.start, &self.text[range]))
    }

    /// Whether an offset is inside an item that only tests compile.
    pub(super) fn in_tests(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }
}

pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn blanked(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let in_name = text.ends_with(is_name);
        match not_code(rest, in_name) {
            Some(length) => {
                let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
                text.extend(rest.bytes().take(length).map(blank));
                rest = &rest[length..];
            }
            None => {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    text
}

/// The length of the comment or literal that the text begins with.
fn not_code(text: &str, in_name: bool) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    if text.starts_with('"') {
        return Some(string(text));
    }
    if text.starts_with('\'') {
        return character(text);
    }
    if in_name {
        return None;
    }
    raw_string(text)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// A character literal; None for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (escape, _) = chars.next()?;
        let after = escape + 1;
        return text.get(after..)?.find('\'').map(|end| after + end + 1);
    }
    let (end, second) = chars.next()?;
    (second == '\'').then_some(end + 1)
}

/// `r"..."`, `r#"..."#` and their `br`, `cr` forms; None for a raw name.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix) && text[prefix.len()..].starts_with(['"', '#']))?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if !rest[hashes..].starts_with('"') {
        return None;
    }
    let start = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text[start..].find(&close);
    Some(end.map_or(text.len(), |end| start + end + close.len()))
}

fn attributes(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices('#').filter_map(|(hash, _)| {
        let rest = text[hash + 1..].trim_start();
        let rest = rest.strip_prefix('!').unwrap_or(rest).trim_start();
        let inner = text.len() - rest.strip_prefix('[')?.len();
        Some(inner..closed(text, inner - 1, '[', ']'))
    })
}

/// The offset of the bracket that closes the one at `open`.
fn closed(text: &str, open: usize, opening: char, closing: char) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text[open..].char_indices() {
        if c == opening {
            depth += 1;
        } else if c == closing {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return open + at;
            }
        }
    }
    text.len()
}

/// The items below a `#[cfg(test)]`, up to their closing brace or semicolon.
fn test_items(text: &str) -> Vec<Range<usize>> {
    attributes(text)
        .filter(|attribute| is_test_only(&text[attribute.clone()]))
        .map(|attribute| {
            let end = match text[attribute.end..].find(['{', ';']) {
                Some(at) if text[attribute.end + at..].starts_with('{') => {
                    closed(text, attribute.end + at, '{', '}')
                }
                Some(at) => attribute.end + at,
                None => text.len(),
            };
            attribute.start..end
        })
        .collect()
}

fn is_test_only(attribute: &str) -> bool {
    let condition = attribute.trim().strip_prefix("cfg").unwrap_or_default();
    let mut words = condition.split(|c| !is_name(c));
    words.clone().any(|word| word == "test") && !words.any(|word| word == "not" || word == "any")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blanks_of_their_length() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x\"y", z)"#, "f(      , z)"),
            ("f(\"\u{e9}\")", "f(    )"),
            (r###"r#"a"b"#; c"###, "        ; c"),
            (r#"br"\"; c"#, "     ; c"),
            ("'a' '\\'' '\\u{1F}' '\"' x", "                      x"),
            ("&'a str, 'b: loop", "&'a str, 'b: loop"),
            ("r#type + for\"\"", "r#type + for  "),
        ] {
            assert_eq!(blanked(source), code, "{source}");
        }
    }

    #[test]
    fn words_are_whole() {
        let code = Code::new("duckdb::x; my_duckdb; duckdb2; \"duckdb\"; (duckdb)");
        assert_eq!(code.words("duckdb").collect::<Vec<_>>(), [0, 42]);
    }

    #[test]
    fn attributes_are_found_whole() {
        let code = Code::new("#![a(b[0])]\n# [c]\nlet x = #y;");
        let attributes: Vec<_> = code.attributes().map(|(_, inner)| inner).collect();
        assert_eq!(attributes, ["a(b[0])", "c"]);
    }

    #[test]
    fn test_items_end_where_their_braces_do() {
        let source = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests { fn b() {} }\nfn c() {}\n\
            #[cfg(not(test))]\nfn d() {}\n#[cfg(all(test, unix))]\nuse e;\nfn f() {}";
        let code = Code::new(source);
        let tested = |name| code.words(name).all(|at| code.in_tests(at));
        assert!(["b", "e"].into_iter().all(tested));
        assert!(!["a", "c", "d", "f"].into_iter().any(tested));
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let code = Code::new("//! x\n/* y\n */ z");
        assert_eq!(code.words("z").map(|at| code.line(at)).next(), Some(3));
    }
}
