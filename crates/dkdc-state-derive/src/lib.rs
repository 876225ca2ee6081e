//! `#[derive(Record)]` for dkdc-state, which re-exports it: depend on
//! dkdc-state, not on this crate.
//!
//! A declaration is read (`parse`), judged (`check`) and turned into an
//! implementation (`expand`). What must hold: the expansion names every item
//! by an absolute path, and a declaration that no table can have is refused
//! where it is written, all its mistakes at once.

mod check;
mod expand;
mod parse;
mod refuse;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Implements `dkdc_state::Record` for a struct with named fields: each field
/// is a column, except the one that is the record's id.
///
/// ```ignore
/// #[derive(Record, Clone, Debug, PartialEq)]
/// #[record(table = "notes", index(priority, idx desc), unique(path, nulls = equal))]
/// struct Note {
///     #[record(id)]
///     id: String,
///     path: Option<String>,
///     #[record(was = "text")]
///     body: String,
///     #[record(default = 100)]
///     priority: i64,
///     #[record(rename = "type")]
///     kind: String,
///     #[record(json)]
///     place: Option<Place>, // any serde type
/// }
/// ```
///
/// A field's type is one that implements `dkdc_state::Field`, or with `json`
/// any type that implements serde's `Serialize` and `DeserializeOwned`. An
/// `Option<T>` makes a column that may be NULL. A generic struct states the
/// bounds that its fields need in its own where clause.
///
/// # On the struct
///
/// | key | meaning |
/// |---|---|
/// | `table = "notes"` | The table's name. Without it: the struct's name in snake case, so `TodoItem` is kept in `todo_item`. |
/// | `index(a, b desc)` | An index over current records, ordered by these columns. May be repeated. |
/// | `unique(a, b)` | No two current records have the same values in these columns. NULLs may repeat, as in SQL. May be repeated. |
/// | `unique(a, b, nulls = equal)` | The same, with NULL a value as any other; `nulls = distinct` says the default. |
/// | `crate = "path"` | Where dkdc-state is, when it is not `::dkdc_state`. |
///
/// `index` and `unique` name columns, not fields: a renamed field by its
/// column's name, as an identifier or as a string literal. `id` (and in `index`
/// also `idx`, the number of the current version) may be among them.
///
/// # On a field
///
/// | key | meaning |
/// |---|---|
/// | `id` | The record's key. On exactly one field, a `String`; no other key goes with it. |
/// | `default = EXPR` | What a record has that was written without this column. |
/// | `rename = "name"` | The column's name. Without it: the field's name (`r#type` is `type`). |
/// | `was = "name"` | The name that the column had before: a stored column with it is renamed. |
/// | `json` | The value is kept as JSON. |
///
/// `EXPR` is any expression of the field's type, or for an `Option<T>` of `T`.
/// For a `String` it may be whatever a `String` is made from, such as a string
/// literal. It is evaluated whenever the type's table is asked for; one that
/// cannot be kept, such as `u64::MAX`, panics there.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    expand::derive(input.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
