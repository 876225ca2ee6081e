//! The type of a column, from all of its values.
//!
//! A guess begins with every type and loses those that a value does not fit. A
//! type remains only if it keeps each value exactly: `007` is no number.

use dkdc_state::{ColumnType, ListItem, Moment};
use jiff::civil::Date;
use serde_json::Value as Json;

/// What a column can be, after the values seen so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guess {
    seen: bool,
    bool: bool,
    int: bool,
    float: bool,
    date: bool,
    timestamp: bool,
    text: bool,
    /// What its items can be, while all values are lists.
    list: Option<Box<Guess>>,
    /// True once a value was a list: an empty guess of items is one, too.
    lists: bool,
}

impl Default for Guess {
    fn default() -> Guess {
        Guess {
            seen: false,
            bool: true,
            int: true,
            float: true,
            date: true,
            timestamp: true,
            text: true,
            list: None,
            lists: true,
        }
    }
}

/// Beyond these, neighbouring whole numbers are one float.
const EXACT: u64 = 1 << 53;

impl Guess {
    /// Adds a field of CSV that is not empty.
    pub(super) fn text(&mut self, text: &str) {
        self.seen = true;
        self.lists = false;
        self.bool &= matches!(text, "true" | "false" | "TRUE" | "FALSE" | "True" | "False");
        let int = canonical(text);
        self.int &= int.is_some();
        self.float &= match int {
            Some(int) => int.unsigned_abs() <= EXACT,
            None => is_float(text),
        };
        self.times(text);
    }

    /// Adds a value of JSON.
    pub(super) fn json(&mut self, json: &Json) {
        match json {
            Json::Null => {}
            Json::Bool(_) => self.only(|kept| kept.bool = true),
            Json::Number(number) => {
                let int = number.as_i64();
                let float = match int {
                    Some(int) => int.unsigned_abs() <= EXACT,
                    None => number.is_f64(),
                };
                self.only(|kept| {
                    kept.int = int.is_some();
                    kept.float = float;
                });
            }
            Json::String(text) => {
                self.only(|kept| {
                    kept.date = true;
                    kept.timestamp = true;
                    kept.text = true;
                });
                self.times(text);
            }
            Json::Array(items) => {
                let mut guess = self.list.take().unwrap_or_default();
                items.iter().for_each(|item| guess.json(item));
                self.only(|kept| kept.lists = true);
                self.list = Some(guess);
            }
            Json::Object(_) => self.only(|_| {}),
        }
    }

    /// Loses every type but those that `keep` sets.
    fn only(&mut self, keep: impl FnOnce(&mut Guess)) {
        let mut kept = Guess {
            seen: true,
            bool: false,
            int: false,
            float: false,
            date: false,
            timestamp: false,
            text: false,
            list: None,
            lists: false,
        };
        keep(&mut kept);
        self.seen = true;
        self.bool &= kept.bool;
        self.int &= kept.int;
        self.float &= kept.float;
        self.date &= kept.date;
        self.timestamp &= kept.timestamp;
        self.text &= kept.text;
        self.lists &= kept.lists;
    }

    fn times(&mut self, text: &str) {
        // A time needs its day; phrases such as `yesterday` are no data.
        let date = text
            .get(..10)
            .is_some_and(|day| day.parse::<Date>().is_ok());
        self.date &= date && text.len() == 10;
        self.timestamp &= date && matches!(text.parse(), Ok(Moment::Time(_)));
    }

    /// The narrowest type that is left.
    pub(super) fn ty(&self) -> ColumnType {
        let left = [
            (self.bool, ColumnType::Bool),
            (self.int, ColumnType::Int),
            (self.float, ColumnType::Float),
            (self.date, ColumnType::Date),
            (self.timestamp, ColumnType::Timestamp),
            (self.text, ColumnType::Text),
        ];
        if !self.seen {
            return ColumnType::Text;
        }
        match left.iter().find(|(left, _)| *left) {
            Some((_, ty)) => *ty,
            None if self.lists => ColumnType::List(self.item()),
            None => ColumnType::Json,
        }
    }

    fn item(&self) -> ListItem {
        match self.list.as_ref().map(|guess| guess.ty()) {
            None | Some(ColumnType::Text) => ListItem::Text,
            Some(ColumnType::Bool) => ListItem::Bool,
            Some(ColumnType::Int) => ListItem::Int,
            Some(ColumnType::Float) => ListItem::Float,
            Some(ColumnType::Date) => ListItem::Date,
            Some(ColumnType::Timestamp) => ListItem::Timestamp,
            Some(_) => ListItem::Json,
        }
    }
}

/// A whole number that is written as we write it.
fn canonical(text: &str) -> Option<i64> {
    let int: i64 = text.parse().ok()?;
    (int.to_string() == text).then_some(int)
}

/// A number with a point or an exponent, without zeros that lead nowhere.
fn is_float(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let leads = digits.starts_with('0') && !digits.starts_with("0.");
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(plain)
        && digits.contains(['.', 'e', 'E'])
        && !leads
        && ColumnType::Float.value_of(text).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(texts: &[&str]) -> String {
        let mut guess = Guess::default();
        texts.iter().for_each(|text| guess.text(text));
        guess.ty().to_string()
    }

    fn jsons(jsons: &[Json]) -> String {
        let mut guess = Guess::default();
        jsons.iter().for_each(|json| guess.json(json));
        guess.ty().to_string()
    }

    #[test]
    fn fields_get_the_narrowest_type_that_keeps_them_all() {
        for (values, ty) in [
            (&["1", "-20", "0"][..], "int"),
            (&["1", "2.5", "1e3", "-0.5"], "float"),
            (&["9223372036854775807", "1.5"], "text"),
            (&["9223372036854775808"], "text"),
            (&["007", "1"], "text"),
            (&["00.5"], "text"),
            (&["1", "x"], "text"),
            (&["NaN"], "text"),
            (&["inf"], "text"),
            (&["1."], "float"),
            (&["9007199254740993", "0.5"], "text"),
            (&["12345678901234567890123", "0.5"], "text"),
            (&["1e-400"], "text"),
            (&["1e400"], "text"),
            (&["0.000", "0.0e-400"], "float"),
            (&["true", "FALSE"], "bool"),
            (&["true", "1"], "text"),
            (&["2026-11-22", "0001-01-01"], "date"),
            (&["2026-02-30"], "text"),
            (
                &[
                    "2026-11-22 10:00:00.123456",
                    "2026-11-22T10:00:00Z",
                    "2026-11-22",
                ],
                "timestamp",
            ),
            (&["2026-11-22 10:00:00.123456789"], "text"),
            (&["yesterday"], "text"),
            (&["2026"], "int"),
            (&["1732730565321529"], "int"),
            (&[], "text"),
        ] {
            assert_eq!(texts(values), ty, "{values:?}");
        }
    }

    #[test]
    fn json_values_keep_their_kind() {
        for (values, ty) in [
            (vec![json!(1), json!(null)], "int"),
            (vec![json!(1), json!(2.5)], "float"),
            (vec![json!(i64::MAX), json!(2.5)], "json"),
            (vec![json!(u64::MAX)], "json"),
            (vec![json!(true)], "bool"),
            (vec![json!("1"), json!("2")], "text"),
            (vec![json!("2026-11-22")], "date"),
            (vec![json!(1), json!("x")], "json"),
            (vec![json!({"a": 1})], "json"),
            (
                vec![json!(["a"]), json!([]), json!(["b", null])],
                "list<text>",
            ),
            (vec![json!([1]), json!([2.5])], "list<float>"),
            (vec![json!([])], "list<text>"),
            (vec![json!([[1]])], "list<json>"),
            (vec![json!([1]), json!(1)], "json"),
            (vec![json!(null)], "text"),
        ] {
            assert_eq!(jsons(&values), ty, "{values:?}");
        }
    }
}
