//! A value as its record holds it, on its way into the log: what is text or bytes
//! already is not copied.

use std::borrow::Cow;

use super::value::{Value, ValueError, limit};
use crate::schema::sql::{self, Cell};
use crate::schema::{ColumnType, ListItem};

/// A value of a record that is written.
#[derive(Clone, Debug)]
pub enum Given<'a> {
    /// Text of the record's own.
    Text(&'a str),
    /// Bytes of the record's own.
    Bytes(&'a [u8]),
    /// A list of such items, each of which has been checked, as the log keeps it.
    List(ListItem, String),
    /// Any value.
    Value(Value),
}

impl<'a> Given<'a> {
    /// A value of somebody else's.
    pub(crate) fn of(value: &'a Value) -> Given<'a> {
        match value {
            Value::Text(text) => Given::Text(text),
            Value::Bytes(bytes) => Given::Bytes(bytes),
            value => Given::Value(value.clone()),
        }
    }

    /// As [`Value::check`].
    pub(crate) fn check(self, ty: ColumnType) -> Result<Given<'a>, ValueError> {
        match (&self, ty) {
            (Given::Text(text), ColumnType::Text) => limit(text.len()).map(|()| self),
            (Given::Bytes(bytes), ColumnType::Bytes) => limit(bytes.len()).map(|()| self),
            (Given::List(item, _), ColumnType::List(of)) if *item == of => Ok(self),
            _ => self.into_value().check(ty).map(Given::Value),
        }
    }

    /// As SQLite holds it, once it has been checked.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Given::Text(text) => Cell::Text(Cow::Borrowed(text)),
            Given::Bytes(bytes) => Cell::Blob(Cow::Borrowed(bytes)),
            Given::List(_, text) => Cell::Text(Cow::Borrowed(text)),
            Given::Value(value) => Cell::of(value),
        }
    }

    /// The same, lent.
    pub(crate) fn lent(&self) -> Given<'_> {
        match self {
            Given::Text(text) => Given::Text(text),
            Given::Bytes(bytes) => Given::Bytes(bytes),
            Given::List(item, text) => Given::List(*item, text.clone()),
            Given::Value(value) => Given::of(value),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Given::Value(Value::Null))
    }

    /// The value itself.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self {
            Given::Text(text) => Value::Text(text.to_owned()),
            Given::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
            Given::List(item, text) => {
                let list = sql::list(&text, item);
                list.unwrap_or_else(|| unreachable!("BUG: a list of {item:?} is {text}"))
            }
            Given::Value(value) => value,
        }
    }

    /// The same without the record.
    pub(crate) fn into_owned(self) -> Given<'static> {
        match self {
            Given::List(item, text) => Given::List(item, text),
            given => Given::Value(given.into_value()),
        }
    }
}
