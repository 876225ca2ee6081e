//! What stands inside `index(...)` and `unique(...)`.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{LitStr, Path, Token, parenthesized, token};

use super::Name;
use super::keys::spelled;
use crate::refuse::refuse;

/// A declared index or unique constraint.
pub(crate) struct Index {
    /// The key that declares it: `index` or `unique`.
    pub(crate) key: Path,
    pub(crate) parts: Vec<Part>,
    /// `None`: not unique.
    pub(crate) unique: Option<Nulls>,
}

/// A column of an index.
pub(crate) struct Part {
    pub(crate) column: Name,
    pub(crate) descending: bool,
}

/// How a unique constraint treats NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    Distinct,
    Equal,
}

impl Index {
    pub(super) fn read(meta: &ParseNestedMeta) -> syn::Result<Index> {
        let key = meta.path.clone();
        let unique = key.is_ident("unique");
        if !meta.input.peek(token::Paren) {
            let why = format!("`{0}` is given as `{0}(column, ...)`", spelled(&key));
            return Err(refuse(&key, why));
        }
        let inside;
        parenthesized!(inside in meta.input);
        let mut parts = Vec::new();
        let mut nulls = None;
        while !inside.is_empty() {
            if inside.peek(Ident::peek_any) && inside.peek2(Token![=]) {
                let word = Ident::parse_any(&inside)?;
                if word != "nulls" {
                    return Err(refuse(&word, "expected a column, or `nulls = equal`"));
                }
                if !unique {
                    return Err(refuse(&word, "`nulls` goes with `unique` only"));
                }
                if nulls.is_some() {
                    return Err(refuse(&word, "`nulls` is given twice"));
                }
                inside.parse::<Token![=]>()?;
                nulls = Some(Nulls::read(&inside)?);
            } else {
                parts.push(Part::read(&inside)?);
            }
            if !inside.is_empty() {
                inside.parse::<Token![,]>()?;
            }
        }
        Ok(Index {
            key,
            parts,
            unique: unique.then(|| nulls.unwrap_or(Nulls::Distinct)),
        })
    }
}

impl Nulls {
    fn read(input: ParseStream) -> syn::Result<Nulls> {
        let word = Ident::parse_any(input)?;
        if word == "equal" {
            Ok(Nulls::Equal)
        } else if word == "distinct" {
            Ok(Nulls::Distinct)
        } else {
            Err(refuse(&word, "NULLs are `equal` or `distinct`"))
        }
    }
}

impl Part {
    fn read(input: ParseStream) -> syn::Result<Part> {
        let column = if input.peek(LitStr) {
            Name::from(&input.parse::<LitStr>()?)
        } else if input.peek(Ident::peek_any) {
            Name::from(&Ident::parse_any(input)?)
        } else {
            return Err(input.error("expected a column: its name, or a string literal"));
        };
        let mut descending = false;
        if input.peek(Ident::peek_any) {
            let word = Ident::parse_any(input)?;
            if word != "desc" {
                return Err(refuse(&word, "expected `desc` or a comma"));
            }
            descending = true;
        }
        Ok(Part { column, descending })
    }
}
