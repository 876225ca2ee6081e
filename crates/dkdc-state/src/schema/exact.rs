//! JSON from text: exactly what it says, or refused.
//!
//! A parser that is lenient takes the last of two equal keys and the float that
//! is nearest to a number. Here every key is given once, and every number comes
//! back as the same number: whole ones of 64 bits, and those that a 64-bit
//! float gives back as they were written. Where the column says that its numbers
//! are floats, the nearest one is what is meant; whole numbers stay exact there,
//! too.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value as Json};

use super::{ColumnType, ListItem};
use crate::record::{Value, ValueError, shorten};

/// The JSON value that a text means: exactly, or not at all.
///
/// ```
/// use dkdc_state::{ValueError, parse_json};
/// assert_eq!(parse_json("[0.1, 18446744073709551615]")?[0], 0.1);
/// for text in ["18446744073709551616", "0.10000000000000001"] {
///     assert!(matches!(parse_json(text), Err(ValueError::Inexact { .. })));
/// }
/// assert!(parse_json(r#"{"a": {"b": 1, "b": 2}}"#).is_err());
/// # Ok::<(), ValueError>(())
/// ```
///
/// # Errors
/// [`ValueError::Inexact`] and [`ValueError::OutOfRange`] for a number,
/// [`ValueError::Malformed`] for a key that is given twice and for what is no
/// JSON.
pub fn parse_json(text: &str) -> Result<Json, ValueError> {
    parse(text, false)
}

/// The value that a text of JSON means in a column of this type.
pub(super) fn value(text: &str, ty: ColumnType) -> Result<Value, ValueError> {
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match ty {
        ColumnType::Int if is_number => int(text),
        ColumnType::Float if is_number => float(text).map(Value::Float),
        ty => {
            let floats = ty == ColumnType::List(ListItem::Float);
            super::json::value_from_json(parse(text, floats)?, ty)
        }
    }
}

fn parse(text: &str, floats: bool) -> Result<Json, ValueError> {
    for number in numbers(text) {
        if floats {
            float(number)?;
        } else {
            keeps(number)?;
        }
    }
    match serde_json::from_str(text) {
        Ok(Exact(json)) => Ok(json),
        Err(error) => Err(ValueError::Malformed {
            what: format!("{:?} is no json", shorten(text)),
            why: mistake(&error),
        }),
    }
}

/// What is wrong with a text that is no JSON, and where, without a parser's words.
pub(super) fn mistake(error: &serde_json::Error) -> String {
    let place = format!("at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("it ends too early, {place}"),
        Category::Syntax => format!("the mistake is {place}"),
        Category::Data | Category::Io => error.to_string(),
    }
}

fn int(number: &str) -> Result<Value, ValueError> {
    match number.parse() {
        Ok(int) => Ok(Value::Int(int)),
        Err(_) if is_whole(number) => Err(ValueError::OutOfRange(shorten(number))),
        Err(_) => Err(ValueError::WrongType {
            expected: ColumnType::Int.to_string(),
            found: format!("number {}", shorten(number)),
        }),
    }
}

/// The float nearest to a number; a whole number is exact.
pub(super) fn float(number: &str) -> Result<f64, ValueError> {
    let out_of_range = || ValueError::OutOfRange(shorten(number));
    let float: f64 = number.parse().map_err(|_| out_of_range())?;
    let vanished = float == 0.0 && !decimal(number).0.is_empty();
    if float.is_infinite() || vanished {
        return Err(out_of_range());
    }
    let kept = format!("{float:.0}");
    if is_whole(number) && kept != number && decimal(&kept) != decimal(number) {
        return Err(ValueError::Inexact {
            given: shorten(number),
            kept: shorten(&kept),
        });
    }
    Ok(float)
}

/// Refuses a number that would come back as another.
fn keeps(number: &str) -> Result<(), ValueError> {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return Ok(());
    }
    // What is no number is the parser's to refuse.
    let Ok(float) = number.parse::<f64>() else {
        return Ok(());
    };
    // As it is printed, by whoever prints JSON here.
    let Some(kept) = Number::from_f64(float).map(|kept| kept.to_string()) else {
        return Err(ValueError::OutOfRange(shorten(number)));
    };
    if decimal(&kept) == decimal(number) {
        return Ok(());
    }
    Err(ValueError::Inexact {
        given: shorten(number),
        kept,
    })
}

fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// A number's digits without zeros at either end, its power of ten, and whether
/// it is negative: the same for the same number, however it is written.
fn decimal(number: &str) -> (String, i64, bool) {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(i64::MIN)),
        None => (number, 0_i64),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let power = digits.len() - kept.len();
    let digits = kept.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return (digits, 0, false);
    }
    let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let exponent = exponent.saturating_add(places(power));
    (
        digits,
        exponent.saturating_sub(places(fraction.len())),
        negative,
    )
}

/// The numbers in a text of JSON, in order: whatever begins like one outside
/// strings.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut inside = false;
    std::iter::from_fn(move || {
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => inside = !inside,
                // The escaped byte does not end the string.
                b'\\' if inside => at += 1,
                b'-' | b'0'..=b'9' if !inside => {
                    let part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    let rest = &bytes[at..];
                    let start = at;
                    at += rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
                    return text.get(start..at);
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

/// JSON whose every key is given once.
struct Exact(Json);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        deserializer.deserialize_any(Once).map(Exact)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Json, E> {
        Ok(Json::Bool(bool))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Json, E> {
        Ok(Json::from(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Json, E> {
        Ok(Json::from(int))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Json, E> {
        Ok(Json::from(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Json, S::Error> {
        let mut array = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Json, M::Error> {
        let mut object = Map::new();
        while let Some((key, Exact(value))) = fields.next_entry::<String, Exact>()? {
            if object.contains_key(&key) {
                return Err(M::Error::custom(twice(&key)));
            }
            object.insert(key, value);
        }
        Ok(Json::Object(object))
    }
}

/// What is wrong with a key that an object has already.
pub(super) fn twice(key: &str) -> String {
    format!("the key {key:?} is given twice")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    #[test]
    fn a_number_comes_back_as_it_was_or_is_refused() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "0.0e9",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "0.10",
            "1.0",
            "1E2",
            "1e22",
            "12.50e-1",
            "1e300",
            "5e-324",
            "1.7976931348623157e308",
            "10000000000000000000000",
            "-1.5e+3",
        ] {
            let json = parse_json(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(decimal(&json.to_string()), decimal(text), "{text}");
        }
        for (text, kept) in [
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("-9223372036854775809", "-9.223372036854776e+18"),
            ("0.10000000000000001", "0.1"),
            ("3.14159265358979323846", "3.141592653589793"),
            ("1e-400", "0.0"),
            (
                "[1, {\"a\": 12345678901234567.5}]",
                "1.2345678901234568e+16",
            ),
        ] {
            match parse_json(text) {
                Err(ValueError::Inexact { kept: found, .. }) => assert_eq!(found, kept, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in ["1e400", "-1e400", "[1e99999999999999999999]"] {
            assert!(
                matches!(parse_json(text), Err(ValueError::OutOfRange(_))),
                "{text}"
            );
        }
        for text in [
            "01", "1.", ".5", "+1", "-", "1e", "--1", "1-1", "0x1", "NaN", "\"1e400", "[1",
        ] {
            assert!(
                matches!(parse_json(text), Err(ValueError::Malformed { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_is_given_once_however_deep() {
        for text in [
            "{\"a\": 1, \"a\": 1}",
            "[{\"b\": {\"a\": 1, \"c\": 2, \"a\": null}}]",
            "{\"a\": 1, \"\\u0061\": 2}",
        ] {
            let error = parse_json(text).expect_err(text).to_string();
            assert!(error.contains("the key \"a\" is given twice"), "{error}");
        }
        assert!(parse_json("[{\"a\": {\"a\": 1}}, {\"a\": 2}]").is_ok());
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        let text = r#"{"1e400": "-9e999", "\"7": "\\", "x": ["1.00000000000000000001"]}"#;
        assert_eq!(numbers(text).count(), 0);
        assert!(parse_json(text).is_ok());
        let found: Vec<&str> = numbers("{\"a\\\"1\":-1.5e+3,\"b\":[2,33 ,4]}").collect();
        assert_eq!(found, ["-1.5e+3", "2", "33", "4"]);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn whatever_a_float_is_printed_as_is_kept(float in any::<f64>(), int in any::<i128>()) {
            if float.is_finite() {
                let text = serde_json::json!([float]).to_string();
                let json = parse_json(&text).expect("a float");
                prop_assert_eq!(json[0].as_f64(), Some(float));
            }
            let text = int.to_string();
            match parse_json(&text) {
                Ok(json) => prop_assert_eq!(decimal(&json.to_string()), decimal(&text)),
                Err(error) => {
                    let inexact = matches!(error, ValueError::Inexact { .. });
                    prop_assert!(inexact, "{}", error);
                }
            }
        }
    }
}
