//! What can be told from a type's or an expression's spelling.

use syn::{Expr, GenericArgument, PathArguments, PathSegment, Type};

/// True for `String`, however its path is written.
pub(crate) fn is_string(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "String" && last.arguments.is_none())
}

/// The `T` of an `Option<T>`, however its path is written.
pub(crate) fn option_item(ty: &Type) -> Option<&Type> {
    let last = last_segment(ty).filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(item)) if arguments.args.len() == 1 => Some(item),
        _ => None,
    }
}

/// `Some` or `None`, when `expr` is spelled as one of them.
pub(super) fn option_variant(expr: &Expr) -> Option<&'static str> {
    let (path, name) = match expr {
        Expr::Call(call) => (call.func.as_ref(), "Some"),
        other => (other, "None"),
    };
    match path {
        Expr::Path(path) => {
            let last = path.path.segments.last()?;
            (last.ident == name).then_some(name)
        }
        _ => None,
    }
}

/// The last segment of a plain path. A type that a `macro_rules` macro passed
/// on comes in a group.
fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}
