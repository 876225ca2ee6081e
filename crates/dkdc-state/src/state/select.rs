//! What [`Table::list`](crate::Table::list) takes: a filter, an order, a limit.

use crate::record::Value;

/// Which records to list, and how.
///
/// Conditions hold together. Without an order, records come by id. A declared
/// index is used where one fits; the answer is the same without.
///
/// ```
/// use dkdc_state::Select;
/// let open = Select::new()
///     .eq("status", "open")
///     .has("labels", "home")
///     .order("priority")
///     .order_desc("idx")
///     .limit(20);
/// # let _ = open;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a selection is made by `list`"]
pub struct Select {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) order: Vec<(String, bool)>,
    pub(crate) limit: Option<u64>,
}

/// One condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) test: Test,
    pub(crate) value: Value,
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Has,
}

impl Select {
    /// All records.
    pub fn new() -> Select {
        Select::default()
    }

    fn with(mut self, column: &str, test: Test, value: impl Into<Value>) -> Select {
        self.conditions.push(Condition {
            column: column.to_owned(),
            test,
            value: value.into(),
        });
        self
    }

    /// Records whose column equals `value`; NULL equals NULL.
    pub fn eq(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Eq, value)
    }

    /// Records whose column does not equal `value`.
    pub fn ne(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Ne, value)
    }

    /// Records whose column is less than `value`; NULL is not.
    pub fn lt(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Lt, value)
    }

    /// Records whose column is at most `value`; NULL is not.
    pub fn le(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Le, value)
    }

    /// Records whose column is greater than `value`; NULL is not.
    pub fn gt(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Gt, value)
    }

    /// Records whose column is at least `value`; NULL is not.
    pub fn ge(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Ge, value)
    }

    /// Records whose column is NULL.
    pub fn is_null(self, column: &str) -> Select {
        self.eq(column, Value::Null)
    }

    /// Records whose column is not NULL.
    pub fn not_null(self, column: &str) -> Select {
        self.ne(column, Value::Null)
    }

    /// Records whose list contains `value`.
    pub fn has(self, column: &str, value: impl Into<Value>) -> Select {
        self.with(column, Test::Has, value)
    }

    /// Least first, NULL before all; further calls order what is equal.
    pub fn order(mut self, column: &str) -> Select {
        self.order.push((column.to_owned(), false));
        self
    }

    /// Greatest first, NULL last.
    pub fn order_desc(mut self, column: &str) -> Select {
        self.order.push((column.to_owned(), true));
        self
    }

    /// At most `count` records.
    pub fn limit(mut self, count: usize) -> Select {
        self.limit = Some(count as u64);
        self
    }
}
