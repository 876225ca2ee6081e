//! The Rust types that a record's field may have.
//!
//! [`Field`] maps one Rust type to one column type, exactly: what would lose
//! information is a [`ValueError`]. Other types are kept as JSON with
//! `#[record(json)]`.

use jiff::civil::Date;
use serde::{Serialize, de::DeserializeOwned};

use super::given::Given;
use super::value::{BlobRef, Value, ValueError, check_depth, limit};
use crate::schema::{ColumnType, ListItem, sql};

/// A Rust type that can be a field of a record.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a record",
    note = "#[record(json)] keeps any serde type as JSON"
)]
pub trait Field: Sized + Sync {
    /// The type of the column that holds it.
    const TYPE: ColumnType;
    /// False when the column may be NULL, as for an `Option`.
    const REQUIRED: bool = true;

    /// The value to keep.
    ///
    /// # Errors
    /// [`ValueError`] when it cannot be kept exactly.
    fn to_value(&self) -> Result<Value, ValueError>;

    /// The same, as it is written: not copied where that is not needed.
    #[doc(hidden)]
    fn give(&self) -> Result<Given<'_>, ValueError> {
        self.to_value().map(Given::Value)
    }

    /// The field that `value` holds.
    ///
    /// # Errors
    /// [`ValueError`] when it does not fit.
    fn from_value(value: Value) -> Result<Self, ValueError>;

    /// The default of a column that declares none: rows written before the
    /// column existed have this value.
    #[must_use]
    fn implied_default() -> Option<Value> {
        None
    }
}

/// A Rust type that can be an item of a list field.
pub trait ListField: Field {
    /// The type of the list's items.
    const ITEM: ListItem;

    /// Appends the item to a list, as the log keeps it.
    #[doc(hidden)]
    fn push_to(&self, list: &mut String) -> Result<(), ValueError> {
        let item = self.to_value()?.check_item(Self::ITEM)?;
        sql::push_item(list, &item);
        Ok(())
    }
}

macro_rules! plain_fields {
    ($($rust:ty => $variant:ident $(as $given:ident)?),* $(,)?) => {$(
        impl Field for $rust {
            const TYPE: ColumnType = ColumnType::$variant;

            fn to_value(&self) -> Result<Value, ValueError> {
                Ok(Value::$variant(self.clone()))
            }

            $(fn give(&self) -> Result<Given<'_>, ValueError> {
                Ok(Given::$given(self))
            })?

            fn from_value(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::$variant(inner) => Ok(inner),
                    Value::Null => Err(ValueError::Missing),
                    other => Err(ValueError::wrong_type(Self::TYPE, &other)),
                }
            }
        }
    )*};
}

plain_fields! {
    String => Text as Text,
    bool => Bool,
    i64 => Int,
    f64 => Float,
    Vec<u8> => Bytes as Bytes,
    BlobRef => Blob,
    jiff::Timestamp => Timestamp,
    Date => Date,
    uuid::Uuid => Uuid,
}

impl Field for serde_json::Value {
    const TYPE: ColumnType = ColumnType::Json;

    fn to_value(&self) -> Result<Value, ValueError> {
        check_depth(self)?;
        Ok(Value::Json(self.clone()))
    }

    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Json(json) => Ok(json),
            Value::Null => Err(ValueError::Missing),
            other => Err(ValueError::wrong_type(Self::TYPE, &other)),
        }
    }
}

macro_rules! int_fields {
    ($($rust:ty),*) => {$(
        impl Field for $rust {
            const TYPE: ColumnType = ColumnType::Int;

            fn to_value(&self) -> Result<Value, ValueError> {
                i64::try_from(*self)
                    .map(Value::Int)
                    .map_err(|_| ValueError::OutOfRange(self.to_string()))
            }

            fn from_value(value: Value) -> Result<Self, ValueError> {
                let int = i64::from_value(value)?;
                <$rust>::try_from(int).map_err(|_| ValueError::OutOfRange(int.to_string()))
            }
        }
    )*};
}

int_fields!(i8, i16, i32, u8, u16, u32, u64, usize);

macro_rules! list_fields {
    ($($rust:ty => $item:ident),* $(,)?) => {$(
        impl ListField for $rust {
            const ITEM: ListItem = ListItem::$item;
        }
    )*};
}

impl ListField for String {
    const ITEM: ListItem = ListItem::Text;

    fn push_to(&self, list: &mut String) -> Result<(), ValueError> {
        limit(self.len())?;
        sql::push_text(list, self);
        Ok(())
    }
}

list_fields! {
    bool => Bool,
    i64 => Int,
    i32 => Int,
    u32 => Int,
    u64 => Int,
    f64 => Float,
    jiff::Timestamp => Timestamp,
    Date => Date,
    uuid::Uuid => Uuid,
    serde_json::Value => Json,
}

impl<T: Field> Field for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    const REQUIRED: bool = false;

    fn to_value(&self) -> Result<Value, ValueError> {
        self.as_ref().map_or(Ok(Value::Null), T::to_value)
    }

    fn give(&self) -> Result<Given<'_>, ValueError> {
        let none = Given::Value(Value::Null);
        self.as_ref().map_or(Ok(none), T::give)
    }

    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: ListField> Field for Vec<T> {
    const TYPE: ColumnType = ColumnType::List(T::ITEM);

    fn to_value(&self) -> Result<Value, ValueError> {
        self.iter()
            .map(T::to_value)
            .collect::<Result<_, _>>()
            .map(Value::List)
    }

    fn give(&self) -> Result<Given<'_>, ValueError> {
        let mut list = String::with_capacity(2 + 16 * self.len());
        list.push('[');
        for (at, item) in self.iter().enumerate() {
            if at > 0 {
                list.push(',');
            }
            item.push_to(&mut list)?;
        }
        list.push(']');
        Ok(Given::List(T::ITEM, list))
    }

    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::List(items) => items.into_iter().map(T::from_value).collect(),
            Value::Null => Err(ValueError::Missing),
            other => Err(ValueError::wrong_type(Self::TYPE, &other)),
        }
    }

    fn implied_default() -> Option<Value> {
        Some(Value::List(Vec::new()))
    }
}

/// A nested value as JSON: what `#[record(json)]` keeps. An absent `Option`
/// is NULL.
///
/// # Errors
/// [`ValueError::Malformed`] when JSON cannot express it.
pub fn to_json<T: Serialize>(value: &T) -> Result<Value, ValueError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) => Ok(Value::Null),
        Ok(json) => Ok(Value::Json(json)),
        Err(error) => Err(ValueError::Malformed {
            what: std::any::type_name::<T>().to_owned(),
            why: error.to_string(),
        }),
    }
}

/// The nested value that a JSON column holds.
///
/// # Errors
/// [`ValueError`] when the JSON is not of this type.
pub fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, ValueError> {
    let json = match value {
        Value::Null => serde_json::Value::Null,
        Value::Json(json) => json,
        other => return Err(ValueError::wrong_type(ColumnType::Json, &other)),
    };
    let absent = json.is_null();
    serde_json::from_value(json).map_err(|error| {
        if absent {
            ValueError::Missing
        } else {
            ValueError::Malformed {
                what: "json".to_owned(),
                why: error.to_string(),
            }
        }
    })
}

/// The values of one version, taken in the order of the type's columns.
#[derive(Debug)]
pub struct Values {
    values: std::vec::IntoIter<Value>,
}

impl Values {
    /// These values, in order.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Values {
        Values {
            values: values.into_iter(),
        }
    }

    /// The next value; NULL after the last one.
    #[must_use]
    pub fn take(&mut self) -> Value {
        self.values.next().unwrap_or_default()
    }

    /// The next value as a field of the named column.
    ///
    /// # Errors
    /// [`ValueError::InColumn`] when it does not fit.
    pub fn field<T: Field>(&mut self, column: &str) -> Result<T, ValueError> {
        T::from_value(self.take()).map_err(|error| error.in_column(column))
    }

    /// The next value as a nested value of the named JSON column.
    ///
    /// # Errors
    /// [`ValueError::InColumn`] when it does not fit.
    pub fn json<T: DeserializeOwned>(&mut self, column: &str) -> Result<T, ValueError> {
        from_json(self.take()).map_err(|error| error.in_column(column))
    }
}
