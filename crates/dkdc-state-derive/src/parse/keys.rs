//! The keys inside `#[record(...)]`, and what each is given.

use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::{Attribute, Expr, LitStr, Path, Token};

use super::index::Index;
use crate::refuse::{Errors, refuse};

const OF_STRUCTS: [&str; 4] = ["table", "index", "unique", "crate"];
const OF_FIELDS: [&str; 5] = ["id", "default", "rename", "was", "json"];

/// What a struct's attributes say.
#[derive(Default)]
pub(super) struct StructKeys {
    pub(super) table: Option<LitStr>,
    pub(super) state: Option<Path>,
    pub(super) indexes: Vec<Index>,
}

impl StructKeys {
    pub(super) fn read(attrs: &[Attribute], errors: &mut Errors) -> StructKeys {
        let mut keys = StructKeys::default();
        for attr in ours(attrs) {
            errors.keep(attr.parse_nested_meta(|meta| keys.read_one(&meta)));
        }
        keys
    }

    fn read_one(&mut self, meta: &ParseNestedMeta) -> syn::Result<()> {
        let key = &meta.path;
        if key.is_ident("table") {
            set(&mut self.table, key, value(meta)?)
        } else if key.is_ident("crate") {
            set(&mut self.state, key, path(&value(meta)?)?)
        } else if key.is_ident("index") || key.is_ident("unique") {
            self.indexes.push(Index::read(meta)?);
            Ok(())
        } else {
            Err(unknown(key, "struct", &OF_STRUCTS, "field", &OF_FIELDS))
        }
    }
}

/// What a field's attributes say.
#[derive(Default)]
pub(super) struct FieldKeys {
    /// The key `id` itself.
    pub(super) id: Option<Path>,
    pub(super) default: Option<Expr>,
    pub(super) rename: Option<LitStr>,
    pub(super) was: Option<LitStr>,
    pub(super) json: Option<Path>,
    /// All keys but `id`.
    pub(super) of_columns: Vec<Path>,
}

impl FieldKeys {
    pub(super) fn read(attrs: &[Attribute], errors: &mut Errors) -> FieldKeys {
        let mut keys = FieldKeys::default();
        for attr in ours(attrs) {
            errors.keep(attr.parse_nested_meta(|meta| keys.read_one(&meta)));
        }
        keys
    }

    fn read_one(&mut self, meta: &ParseNestedMeta) -> syn::Result<()> {
        let key = &meta.path;
        if key.is_ident("id") {
            return set(&mut self.id, key, flag(meta)?);
        }
        self.of_columns.push(key.clone());
        if key.is_ident("default") {
            set(&mut self.default, key, value(meta)?)
        } else if key.is_ident("rename") {
            set(&mut self.rename, key, value(meta)?)
        } else if key.is_ident("was") {
            set(&mut self.was, key, value(meta)?)
        } else if key.is_ident("json") {
            set(&mut self.json, key, flag(meta)?)
        } else {
            Err(unknown(key, "field", &OF_FIELDS, "struct", &OF_STRUCTS))
        }
    }
}

fn ours(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("record"))
}

/// Sets what may be given once.
fn set<T>(slot: &mut Option<T>, key: &Path, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(refuse(key, format!("`{}` is given twice", spelled(key))));
    }
    *slot = Some(value);
    Ok(())
}

/// What follows the key and an equals sign.
fn value<T: Parse>(meta: &ParseNestedMeta) -> syn::Result<T> {
    if !meta.input.peek(Token![=]) {
        let key = spelled(&meta.path);
        return Err(refuse(
            &meta.path,
            format!("`{key}` is given as `{key} = ...`"),
        ));
    }
    meta.value()?.parse()
}

/// The key, which nothing may follow.
fn flag(meta: &ParseNestedMeta) -> syn::Result<Path> {
    if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        let why = format!("`{}` stands alone", spelled(&meta.path));
        return Err(refuse(&meta.path, why));
    }
    Ok(meta.path.clone())
}

fn path(literal: &LitStr) -> syn::Result<Path> {
    literal.parse_with(Path::parse_mod_style).map_err(|_| {
        refuse(
            literal,
            "expected a path, such as \"crate\" or \"my::state\"",
        )
    })
}

fn unknown(
    key: &Path,
    here: &str,
    known: &[&str],
    elsewhere: &str,
    known_elsewhere: &[&str],
) -> syn::Error {
    let name = spelled(key);
    let known = known.join(", ");
    let mut why = format!("unknown key `{name}`; the keys of a {here} are {known}");
    if known_elsewhere.contains(&name.as_str()) {
        why = format!("`{name}` is a key of a {elsewhere}; the keys of a {here} are {known}");
    }
    refuse(key, why)
}

/// A key as it is written.
pub(super) fn spelled(key: &Path) -> String {
    let parts = key.segments.iter().map(|part| part.ident.to_string());
    parts.collect::<Vec<_>>().join("::")
}
