//! The original packages joined labels with commas: `"red, green"` came back as
//! two labels, and none could not be told from an empty one.

use dkdc_todo::{Todo, TodoFilter};

use crate::{Outcome, empty, ids};

fn labels(labels: &[&str]) -> Option<Vec<String>> {
    Some(labels.iter().map(|label| (*label).to_owned()).collect())
}

#[test]
fn labels_are_lists() -> Outcome {
    let (_folder, todos) = empty()?;
    let cases = [
        labels(&["red, green", "blue"]),
        labels(&[",", "", "\"", "[]", "ünï"]),
        labels(&["same", "same"]),
        labels(&[""]),
        labels(&[]),
        None,
    ];
    for (number, labels) in cases.into_iter().enumerate() {
        let id = number.to_string();
        todos.append(Todo {
            labels: labels.clone(),
            ..Todo::new(id.as_str(), "")
        })?;
        assert_eq!(todos.get(&id)?.labels, labels);
    }
    Ok(())
}

#[test]
fn a_label_is_found_whole() -> Outcome {
    let (_folder, todos) = empty()?;
    for (id, list) in [
        ("comma", labels(&["red, green"])),
        ("two", labels(&["red", " green"])),
        ("green", labels(&["blue", "green"])),
        ("none", None),
    ] {
        todos.append(Todo {
            labels: list,
            ..Todo::new(id, "")
        })?;
    }
    for (label, expected) in [
        ("red, green", vec!["comma"]),
        ("red", vec!["two"]),
        ("green", vec!["green"]),
        ("gree", vec![]),
        ("", vec![]),
    ] {
        let filter = TodoFilter {
            label: Some(label.to_owned()),
            ..TodoFilter::default()
        };
        assert_eq!(ids(&todos.select(&filter)?), expected, "{label:?}");
    }
    Ok(())
}
