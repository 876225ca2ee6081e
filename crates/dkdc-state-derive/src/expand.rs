//! From a [`Declaration`] to the implementation of `Record`.
//!
//! Every item is named by an absolute path, and what concerns one field has
//! that field's span.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, Path};

use crate::parse::{self, Column, Declaration, Index, Nulls, is_string, option_item};

/// The implementation for the struct that `input` declares.
pub(crate) fn derive(input: TokenStream) -> syn::Result<TokenStream> {
    let declared = parse::declaration(&syn::parse2::<DeriveInput>(input)?)?;
    crate::check::declaration(&declared)?;
    Ok(implementation(&declared))
}

fn implementation(declared: &Declaration) -> TokenStream {
    let Declaration {
        ident,
        generics,
        state,
        id,
        columns,
        ..
    } = declared;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let table = table(declared);
    let values = columns.iter().map(|column| to_value(column, state));
    let given = columns.iter().map(|column| give(column, state));
    let fields = columns.iter().map(from_value);
    quote! {
        #[automatically_derived]
        impl #impl_generics #state::Record for #ident #type_generics #where_clause {
            fn table() -> #state::TableDef {
                #table
            }

            fn id(&self) -> ::std::borrow::Cow<'_, str> {
                ::std::borrow::Cow::Borrowed(::std::string::String::as_str(&self.#id))
            }

            fn to_values(
                &self,
            ) -> ::core::result::Result<::std::vec::Vec<#state::Value>, #state::ValueError> {
                ::core::result::Result::Ok(::std::vec![#(#values),*])
            }

            fn give(
                &self,
            ) -> ::core::result::Result<
                ::std::vec::Vec<#state::record_support::Given<'_>>,
                #state::ValueError,
            > {
                ::core::result::Result::Ok(::std::vec![#(#given),*])
            }

            fn from_values(
                id: ::std::string::String,
                values: &mut #state::Values,
            ) -> ::core::result::Result<Self, #state::ValueError> {
                ::core::result::Result::Ok(Self { #id: id, #(#fields),* })
            }
        }
    }
}

fn table(declared: &Declaration) -> TokenStream {
    let state = &declared.state;
    let name = &declared.table.text;
    let columns = declared
        .columns
        .iter()
        .map(|column| column_def(column, state));
    let indexes = declared.indexes.iter().map(|index| index_def(index, state));
    quote! {
        #state::TableDef {
            name: ::std::string::String::from(#name),
            columns: ::std::vec![#(#columns),*],
            indexes: ::std::vec![#(#indexes),*],
        }
    }
}

fn column_def(column: &Column, state: &Path) -> TokenStream {
    let Column { ty, name, .. } = column;
    let name = &name.text;
    let (column_type, required) = if column.json {
        let required = option_item(ty).is_none();
        (quote!(#state::ColumnType::Json), quote!(#required))
    } else {
        (
            quote_spanned!(at(ty)=> <#ty as #state::Field>::TYPE),
            quote_spanned!(at(ty)=> <#ty as #state::Field>::REQUIRED),
        )
    };
    let default = match &column.default {
        Some(expr) => default(column, expr, state),
        None if column.json => quote!(::core::option::Option::None),
        None => quote_spanned!(at(ty)=> <#ty as #state::Field>::implied_default()),
    };
    let was = match &column.was {
        Some(was) => {
            let was = &was.text;
            quote!(::core::option::Option::Some(::std::string::String::from(#was)))
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #state::ColumnDef {
            name: ::std::string::String::from(#name),
            ty: #column_type,
            required: #required,
            default: #default,
            was: #was,
        }
    }
}

/// The declared default as a `Some(Value)`.
fn default(column: &Column, expr: &Expr, state: &Path) -> TokenStream {
    let name = &column.name.text;
    let ty = option_item(&column.ty).unwrap_or(&column.ty);
    let typed = if is_string(ty) {
        quote_spanned!(at(expr)=> ::core::convert::Into::<#ty>::into(#expr))
    } else {
        quote!(#expr)
    };
    let to_value = if column.json {
        quote_spanned!(at(ty)=> #state::record_support::to_json::<#ty>(&default))
    } else {
        quote_spanned!(at(ty)=> <#ty as #state::Field>::to_value(&default))
    };
    quote! {
        ::core::option::Option::Some({
            let default: #ty = #typed;
            match #to_value {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => ::core::panic!(
                    "BUG: the default of column {} cannot be kept: {}",
                    #name,
                    error,
                ),
            }
        })
    }
}

fn index_def(index: &Index, state: &Path) -> TokenStream {
    let parts = index.parts.iter().map(|part| {
        let name = &part.column.text;
        let descending = part.descending;
        quote! {
            #state::IndexColumn {
                name: ::std::string::String::from(#name),
                descending: #descending,
            }
        }
    });
    let unique = match index.unique {
        None => quote!(::core::option::Option::None),
        Some(Nulls::Distinct) => {
            quote!(::core::option::Option::Some(#state::Nulls::Distinct))
        }
        Some(Nulls::Equal) => quote!(::core::option::Option::Some(#state::Nulls::Equal)),
    };
    quote! {
        #state::IndexDef {
            columns: ::std::vec![#(#parts),*],
            unique: #unique,
        }
    }
}

fn to_value(column: &Column, state: &Path) -> TokenStream {
    let Column {
        field, ty, name, ..
    } = column;
    let name = &name.text;
    let value = if column.json {
        quote_spanned!(at(ty)=> #state::record_support::to_json::<#ty>(&self.#field))
    } else {
        quote_spanned!(at(ty)=> <#ty as #state::Field>::to_value(&self.#field))
    };
    quote! {
        #value.map_err(|error| error.in_column(#name))?
    }
}

fn give(column: &Column, state: &Path) -> TokenStream {
    let Column {
        field, ty, name, ..
    } = column;
    let name = &name.text;
    let given = if column.json {
        quote_spanned! {at(ty)=>
            #state::record_support::to_json::<#ty>(&self.#field)
                .map(#state::record_support::Given::Value)
        }
    } else {
        quote_spanned!(at(ty)=> <#ty as #state::Field>::give(&self.#field))
    };
    quote! {
        #given.map_err(|error| error.in_column(#name))?
    }
}

fn from_value(column: &Column) -> TokenStream {
    let Column {
        field, ty, name, ..
    } = column;
    let name = &name.text;
    if column.json {
        quote_spanned!(at(ty)=> #field: values.json::<#ty>(#name)?)
    } else {
        quote_spanned!(at(ty)=> #field: values.field::<#ty>(#name)?)
    }
}

/// Where errors about `tokens` are shown. Names resolve as everywhere else in
/// the expansion, also when a `macro_rules` macro wrote these tokens.
fn at(tokens: &impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}
