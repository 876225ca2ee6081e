//! No file names a path of the one machine that it was written on.

use super::Finding;
use super::files::File;

/// Folders at the top of a file system that no other machine shares.
const OF_ONE_MACHINE: &[&str] = &["work", "farm", "root"];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().zip(1..);
    lines
        .filter_map(|(text, line)| {
            let path = machine_path(text)?;
            let message = format!("`{path}` is a path of one machine");
            Some(Finding::new(file, line, message))
        })
        .collect()
}

/// The first such path of a line, up to the slash that gives it away.
fn machine_path(line: &str) -> Option<&str> {
    line.match_indices('/').find_map(|(start, _)| {
        if !is_absolute(&line[..start]) {
            return None;
        }
        let mut parts = line[start + 1..].split('/');
        let (top, name, rest) = (parts.next()?, parts.next()?, parts.next());
        let length = if OF_ONE_MACHINE.contains(&top) {
            top.len() + 2
        } else if top == "home" && rest.is_some() && is_name(name) {
            top.len() + name.len() + 3
        } else {
            return None;
        };
        line.get(start..start + length)
    })
}

/// Whether a slash after this text begins a path, rather than going on with one
/// (`a/b/c`, `https://example.org/b`).
fn is_absolute(before: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "._-~*$}>)]/".contains(c);
    before.ends_with("://") || !before.ends_with(goes_on)
}

fn is_name(text: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.chars().all(in_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spelled in two halves, so that this file passes its own check.
    fn found(before: &str, after: &str) -> Vec<Finding> {
        check(&File::new("README.md", &format!("first\n{before}/{after}")))
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for (before, after) in [
            ("cd ", "work/main"),
            ("\"", "farm/cache\""),
            ("`", "root/.cargo`"),
            ("", "home/ada/dkdc/data.db"),
            ("file://", "home/ada/data.db"),
            ("https://example.org/x and ", "work/main"),
        ] {
            let found = found(before, after);
            assert_eq!(found.len(), 1, "{before}/{after}");
            assert_eq!(found[0].line, 2);
        }
    }

    #[test]
    fn placeholders_addresses_and_relative_paths_are_not() {
        for (before, after) in [
            ("https://example.org", "work/item"),
            ("crates", "work/src"),
            ("", "home/<name>/data.db"),
            ("", "home/$USER/data.db"),
            ("", "homework/x"),
            ("in ", "root"),
            ("$HOME", "work/x"),
        ] {
            assert_eq!(found(before, after), [], "{before}/{after}");
        }
    }
}
