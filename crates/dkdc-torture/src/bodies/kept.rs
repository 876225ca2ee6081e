//! Whether what is kept is what was given.

use dkdc_state::Row;
use dkdc_state::serde_json::{Value as Json, from_str};

/// A record has what a row in JSON gave for it.
pub(super) fn declared(text: &str, record: &Row) {
    let given: Json = from_str(text).expect("accepted, and no JSON");
    let shown = record.to_json();
    for (name, given) in given.as_object().into_iter().flatten() {
        let kept = shown.get(name).unwrap_or(&Json::Null);
        let is_kept = match (&**name, given) {
            (_, Json::Null) => kept.is_null(),
            // A number may be given as a text, a time in any of many ways.
            ("c1" | "c2", Json::Number(_)) => is_number(given, kept),
            ("id" | "c0", Json::String(_)) | ("c3", Json::Bool(_)) | ("c8" | "c9", _) => {
                given == kept
            }
            _ => !kept.is_null(),
        };
        assert!(is_kept, "{text:?}: {name} is {kept}");
    }
}

/// The same number; one that was given as a whole one, to its last digit, also where a
/// float is kept.
pub(super) fn is_number(given: &Json, kept: &Json) -> bool {
    let Some(given) = whole(given) else {
        return given.as_f64() == kept.as_f64();
    };
    match (whole(kept), kept.as_f64()) {
        (Some(kept), _) => kept == given,
        // All digits of the float are shown.
        (None, Some(kept)) => kept.fract() == 0.0 && format!("{kept:.0}") == given.to_string(),
        (None, None) => false,
    }
}

fn whole(number: &Json) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}
