//! From tokens to a [`Declaration`].
//!
//! Judges the shape only: which keys there are, and what each is given.
//! Whether names and indexes make sense together is for [`check`](crate::check).

mod index;
mod keys;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Expr, Field, Fields, Generics, LitStr, Path, Token, Type};

pub(crate) use index::{Index, Nulls};
pub(crate) use types::{is_string, option_item};

use crate::refuse::{Errors, refuse};
use keys::{FieldKeys, StructKeys, spelled};

/// A struct that declares a record.
pub(crate) struct Declaration {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// Where dkdc-state is.
    pub(crate) state: Path,
    pub(crate) table: Name,
    /// The field that holds the id.
    pub(crate) id: Ident,
    /// All other fields, in order.
    pub(crate) columns: Vec<Column>,
    pub(crate) indexes: Vec<Index>,
}

/// A name, and the tokens that give it.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) at: TokenStream,
}

impl From<&Ident> for Name {
    fn from(ident: &Ident) -> Name {
        Name {
            text: ident.unraw().to_string(),
            at: ident.to_token_stream(),
        }
    }
}

impl From<&LitStr> for Name {
    fn from(literal: &LitStr) -> Name {
        Name {
            text: literal.value(),
            at: literal.to_token_stream(),
        }
    }
}

/// A field that is a column.
pub(crate) struct Column {
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    pub(crate) name: Name,
    pub(crate) was: Option<Name>,
    pub(crate) json: bool,
    pub(crate) default: Option<Expr>,
}

/// Reads a declaration.
pub(crate) fn declaration(input: &DeriveInput) -> syn::Result<Declaration> {
    let fields = named_fields(input)?;
    let mut errors = Errors::default();
    let keys = StructKeys::read(&input.attrs, &mut errors);
    let mut id = None;
    let mut columns = Vec::new();
    for field in fields {
        // Every field of a braced struct has a name.
        let Some(ident) = &field.ident else { continue };
        let keys = FieldKeys::read(&field.attrs, &mut errors);
        if keys.id.is_some() {
            errors.keep(id_field(field, &keys, id));
            id = id.or(Some(ident));
        } else {
            errors.keep(check_default(&field.ty, keys.default.as_ref()));
            columns.push(column(ident, &field.ty, keys));
        }
    }
    let id = errors.finish(id.ok_or_else(|| no_id(input, &columns)))?;
    Ok(Declaration {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        state: match keys.state {
            Some(path) => path,
            None => syn::parse_quote!(::dkdc_state),
        },
        table: match &keys.table {
            Some(literal) => Name::from(literal),
            None => Name {
                text: snake_case(&input.ident.unraw().to_string()),
                at: input.ident.to_token_stream(),
            },
        },
        id: id.clone(),
        columns,
        indexes: keys.indexes,
    })
}

/// The fields of a struct that has named ones.
fn named_fields(input: &DeriveInput) -> syn::Result<&Punctuated<Field, Token![,]>> {
    let what = "a record is a struct with named fields";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            Fields::Unnamed(fields) => Err(refuse(fields, format!("{what}, not a tuple struct"))),
            Fields::Unit => Err(refuse(&input.ident, format!("{what}, not a unit struct"))),
        },
        Data::Enum(data) => Err(refuse(data.enum_token, format!("{what}, not an enum"))),
        Data::Union(data) => Err(refuse(data.union_token, format!("{what}, not a union"))),
    }
}

/// Refuses an id that is the second one, is no `String`, or has a column's keys.
fn id_field(field: &Field, keys: &FieldKeys, first: Option<&Ident>) -> syn::Result<()> {
    let mut errors = Errors::default();
    if let (Some(first), Some(second)) = (first, &keys.id) {
        let first = first.unraw();
        let why = format!("a record has one id, and field `{first}` is it already");
        errors.push(refuse(second, why));
    }
    if !is_string(&field.ty) {
        errors.push(refuse(&field.ty, "the id field must be a String"));
    }
    for key in &keys.of_columns {
        let why = format!(
            "the id is no column: `{}` does not go with it",
            spelled(key)
        );
        errors.push(refuse(key, why));
    }
    errors.finish(Ok(()))
}

fn no_id(input: &DeriveInput, columns: &[Column]) -> syn::Error {
    match columns.iter().find(|column| column.field == "id") {
        Some(column) => refuse(
            &column.field,
            "the record's key is marked with #[record(id)]",
        ),
        None => refuse(
            &input.ident,
            "no field is marked with #[record(id)]: mark the String that is the record's key",
        ),
    }
}

fn column(field: &Ident, ty: &Type, keys: FieldKeys) -> Column {
    Column {
        field: field.clone(),
        ty: ty.clone(),
        name: keys
            .rename
            .as_ref()
            .map_or_else(|| field.into(), Name::from),
        was: keys.was.as_ref().map(Name::from),
        json: keys.json.is_some(),
        default: keys.default,
    }
}

/// Refuses `Some(...)` and `None` for an `Option<T>`, whose default is a `T`.
fn check_default(ty: &Type, default: Option<&Expr>) -> syn::Result<()> {
    let (Some(default), Some(item)) = (default, option_item(ty)) else {
        return Ok(());
    };
    let item = item.to_token_stream();
    match types::option_variant(default) {
        Some("Some") => Err(refuse(
            default,
            format!("the default of an Option is given without Some, as a value of {item}"),
        )),
        Some(_) => Err(refuse(
            default,
            "an Option has no value by default: leave this out",
        )),
        None => Ok(()),
    }
}

/// `TodoItem` as `todo_item`, `HTTPServer` as `http_server`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut chars = name.chars().peekable();
    let mut last = None::<char>;
    while let Some(c) = chars.next() {
        let starts_word = last.is_some_and(|last| {
            let word_follows = chars.peek().is_some_and(|next| next.is_lowercase());
            last != '_' && (!last.is_uppercase() || word_follows)
        });
        if c.is_uppercase() && starts_word {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        last = Some(c);
    }
    out
}
