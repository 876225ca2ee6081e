//! Markdown: every path it names exists, and every link it makes to a file or a
//! heading of this repository leads there.
//!
//! Fenced code is not looked at. A changelog is exempt: it names what is gone.

use super::Finding;
use super::files::{File, Files};

/// A word in backticks that begins so names a file or folder of ours.
const OURS: &[&str] = &["crates/", "docs/", "xtask/", "tests/", ".ci/"];

pub(super) fn check(file: &File, files: &Files) -> Vec<Finding> {
    if !file.path.ends_with(".md") || file.path.ends_with("CHANGELOG.md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (text, line) in prose(&file.text) {
        let line = Line::new(text, line);
        findings.extend(names(file, files, &line));
        findings.extend(links(file, files, &line));
    }
    findings
}

/// The lines outside fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut fence = None;
    text.lines().zip(1..).filter(move |(line, _)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, None) => true,
            (None, Some(_)) => {
                fence = mark;
                false
            }
            (Some(_), _) => {
                if mark == fence {
                    fence = None;
                }
                false
            }
        }
    })
}

/// A line of prose, its code in backticks and its other text apart.
struct Line<'a> {
    number: usize,
    spans: Vec<&'a str>,
    text: String,
}

impl<'a> Line<'a> {
    fn new(line: &'a str, number: usize) -> Self {
        let (mut spans, mut text) = (Vec::new(), String::new());
        let mut rest = line;
        while let Some(start) = rest.find('`') {
            let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
            let (mark, inner) = (&rest[start..start + ticks], &rest[start + ticks..]);
            text.push_str(&rest[..start]);
            match inner.find(mark) {
                Some(end) => {
                    spans.push(&inner[..end]);
                    // Something stands there, so that [`x`](y) remains a link.
                    text.push('x');
                    rest = &inner[end + ticks..];
                }
                None => rest = inner,
            }
        }
        text.push_str(rest);
        Self {
            number,
            spans,
            text,
        }
    }
}

fn names(file: &File, files: &Files, line: &Line<'_>) -> Vec<Finding> {
    let words = line.spans.iter().flat_map(|span| span.split_whitespace());
    words
        .flat_map(named_paths)
        .filter(|path| !exists(files, path))
        .map(|path| Finding::new(file, line.number, format!("`{path}` does not exist")))
        .collect()
}

/// `tests/` is that of the crate which the page speaks of.
fn exists(files: &Files, path: &str) -> bool {
    files.has(path) || (path.starts_with("tests/") && files.has_ending(path))
}

/// The paths of ours that a word names: none when it is a pattern, several when
/// it has alternatives in braces.
fn named_paths(word: &str) -> Vec<String> {
    let is_quote = |c: char| "\"'(),;:".contains(c);
    let word = word.trim_matches(is_quote).trim_end_matches('.');
    // `file.rs:12` and `file.rs::function` name the file.
    let word = word.split([':', '#']).next().unwrap_or(word);
    if !OURS.iter().any(|ours| word.starts_with(ours)) {
        return Vec::new();
    }
    let paths = alternatives(word);
    let is_plain = |path: &String| !path.contains(['*', '<', '>', '{', '}', '$', '…']);
    paths.into_iter().filter(is_plain).collect()
}

/// `log/{read,event}.rs` is two paths.
fn alternatives(word: &str) -> Vec<String> {
    let parts = word.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        Some((before, inside, after))
    });
    let Some((before, inside, after)) = parts else {
        return vec![word.to_owned()];
    };
    inside
        .split(',')
        .filter(|part| !part.trim_matches('.').is_empty())
        .flat_map(|part| alternatives(&format!("{before}{part}{after}")))
        .collect()
}

fn links(file: &File, files: &Files, line: &Line<'_>) -> Vec<Finding> {
    targets(&line.text)
        .filter_map(|target| {
            let problem = problem(file, files, target)?;
            Some(Finding::new(file, line.number, problem))
        })
        .collect()
}

/// What `[text](target)` and `[name]: target` point to.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let inline = text.match_indices("](").filter_map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        rest.split([')', ' ']).next()
    });
    let definition = text
        .strip_prefix('[')
        .filter(|name| !name.starts_with('^'))
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline
        .chain(definition)
        .map(|target| target.trim_matches(['<', '>']))
}

fn problem(file: &File, files: &Files, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = match target.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (target, None),
    };
    let path = resolved(&file.path, path);
    if !path.as_ref().is_some_and(|path| files.has(path)) {
        return Some(format!("the link `{target}` leads to no file"));
    }
    let page = files
        .get(&path?)
        .filter(|page| page.path.ends_with(".md"))?;
    let heading = heading?;
    (!anchors(&page.text).iter().any(|anchor| anchor == heading))
        .then(|| format!("the link `{target}` leads to no heading"))
}

/// The path from the root of a link on a page; None outside the repository.
fn resolved(page: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors that GitHub gives a page's headings.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (line, _) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|&c| c.is_alphanumeric() || "-_ ".contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|candidate| !anchors.contains(candidate));
        anchors.extend(free);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let files = Files::of(vec![
            File::new(".ci/run", ""),
            File::new(
                "README.md",
                "# Start here\n## What it's for\n## Again\n## Again\n",
            ),
            File::new("crates/a/src/log.rs", ""),
            File::new("crates/a/src/log/read.rs", ""),
            File::new("crates/a/tests/it/main.rs", ""),
            File::new("docs/page.md", page),
        ]);
        let page = files.get("docs/page.md").expect("just put there");
        check(page, &files)
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn paths_that_exist_pass() {
        for good in [
            "`crates/a/src/log.rs`, `crates/a/src/log/` and `.ci/run`",
            "`crates/a/src/{log,log/read}.rs`",
            "`crates/a/src/log.rs:12`, `crates/a/src/log.rs::append`",
            "`tests/it/main.rs` of that crate",
            "`crates/*/src` and `crates/<name>/src`",
            "`cargo run crates/a/src/log.rs`",
            "crates/gone.rs outside backticks, `src/gone.rs` of a user's",
            "```sh\ncat `crates/gone.rs`\n```",
        ] {
            assert_eq!(found(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn paths_that_are_gone_are_found() {
        for bad in [
            "`crates/a/src/gone.rs`",
            "`crates/a/src/{log,gone}.rs`",
            "see (`docs/gone.md`).",
            "`tests/it/gone.rs`",
            "`vi .ci/gone`",
            "```\n```\n``crates/gone.rs``",
        ] {
            assert_eq!(found(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for good in [
            "[home](../README.md), [code](../crates/a/src/log.rs \"title\")",
            "[folder](../crates/a/) and [root](/README.md)",
            "[web](https://example.org/x) [mail](mailto:a@example.org)",
            "[`log`](../crates/a/src/log.rs)",
            "[what](../README.md#what-its-for) [twice](../README.md#again-1)",
            "# Here\n[here](#here)",
            "[home]: ../README.md",
            "[^1]: a footnote",
            "`list[0](gone)`",
        ] {
            assert_eq!(found(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for bad in [
            "[gone](gone.md)",
            "![gone](../img/gone.svg)",
            "[above](../../README.md)",
            "[gone]: ../gone.md",
            "[heading](../README.md#gone)",
            "[`code`](gone.md)",
        ] {
            assert_eq!(found(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_changelog_may_name_what_is_gone() {
        let file = File::new("CHANGELOG.md", "`crates/gone.rs`");
        assert_eq!(check(&file, &Files::of(Vec::new())), []);
    }
}
