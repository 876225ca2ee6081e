//! Every mistake in a declaration is named where it is.
//!
//! The failure to prevent: a declaration that no table can have compiles, or
//! is refused with a riddle far from the cause. Tests write a mistake as
//! `message @ tokens`: what is said, and what the compiler underlines.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::expand::derive;

/// The mistakes in a declaration.
#[track_caller]
fn mistakes(declaration: TokenStream) -> Vec<String> {
    let error = derive(declaration).expect_err("this compiles");
    error.into_iter().map(|error| error.to_string()).collect()
}

/// Asserts that each of these is the only mistake in its record.
macro_rules! assert_mistakes {
    ($({ $($declaration:tt)* } => [$($mistake:literal),* $(,)?];)*) => {
        $(assert_eq!(mistakes(quote!($($declaration)*)), [$($mistake),*]);)*
    };
}

/// The same for attributes of a struct with the columns `a` and `b`.
#[track_caller]
fn struct_mistakes(attributes: TokenStream) -> Vec<String> {
    mistakes(quote! {
        #attributes
        struct Note { #[record(id)] key: String, a: i64, b: String }
    })
}

/// The same for fields besides the id.
#[track_caller]
fn field_mistakes(fields: TokenStream) -> Vec<String> {
    mistakes(quote!(struct Note { #[record(id)] key: String, #fields }))
}

fn implementation(declaration: TokenStream) -> String {
    let tokens = derive(declaration).expect("a declaration without a mistake");
    let item: ItemImpl = syn::parse2(tokens).expect("one impl");
    quote!(#item).to_string()
}

#[test]
fn only_a_struct_with_named_fields_is_a_record() {
    assert_mistakes! {
        { enum Note { A } } => ["a record is a struct with named fields, not an enum @ enum"];
        { union Note { a: u8 } } => ["a record is a struct with named fields, not a union @ union"];
        { struct Note(String); } =>
            ["a record is a struct with named fields, not a tuple struct @ (String)"];
        { struct Note; } => ["a record is a struct with named fields, not a unit struct @ Note"];
    }
}

#[test]
fn a_record_has_one_id_and_it_is_a_string() {
    assert_mistakes! {
        { struct Note { name: String } } =>
            ["no field is marked with #[record(id)]: mark the String that is the record's key \
              @ Note"];
        { struct Note { name: String, id: String } } =>
            ["the record's key is marked with #[record(id)] @ id"];
        { struct Note { #[record(id)] a: String, #[record(id)] b: String } } =>
            ["a record has one id, and field `a` is it already @ id"];
        { struct Note { #[record(id)] a: uuid::Uuid } } =>
            ["the id field must be a String @ uuid :: Uuid"];
        { struct Note { #[record(id)] a: Option<String> } } =>
            ["the id field must be a String @ Option < String >"];
        { struct Note { #[record(id, rename = "key", was = "b")] a: String } } => [
            "the id is no column: `rename` does not go with it @ rename",
            "the id is no column: `was` does not go with it @ was",
        ];
    }
}

#[test]
fn an_unknown_key_is_told_the_known_ones() {
    assert_eq!(
        struct_mistakes(quote!(#[record(tabel = "notes")])),
        ["unknown key `tabel`; the keys of a struct are table, index, unique, crate @ tabel"]
    );
    assert_eq!(
        struct_mistakes(quote!(#[record(a::b)])),
        ["unknown key `a::b`; the keys of a struct are table, index, unique, crate @ a :: b"]
    );
    assert_eq!(
        struct_mistakes(quote!(#[record(json)])),
        ["`json` is a key of a field; the keys of a struct are table, index, unique, crate @ json"]
    );
    let of_fields = "the keys of a field are id, default, rename, was, json";
    assert_eq!(
        field_mistakes(quote!(#[record(defualt = 5)] a: i64)),
        [format!("unknown key `defualt`; {of_fields} @ defualt")]
    );
    assert_eq!(
        field_mistakes(quote!(#[record(unique)] a: i64)),
        [format!(
            "`unique` is a key of a struct; {of_fields} @ unique"
        )]
    );
}

#[test]
fn a_key_is_given_what_it_takes() {
    for (attribute, mistake) in [
        (quote!(table), "`table` is given as `table = ...` @ table"),
        (quote!(table = notes), "expected string literal"),
        (
            quote!(crate = "a b"),
            "expected a path, such as \"crate\" or \"my::state\" @ \"a b\"",
        ),
        (
            quote!(index),
            "`index` is given as `index(column, ...)` @ index",
        ),
        (
            quote!(table = "a", table = "b"),
            "`table` is given twice @ table",
        ),
    ] {
        assert_eq!(struct_mistakes(quote!(#[record(#attribute)])), [mistake]);
    }
    for (attribute, mistake) in [
        (quote!(json = true), "`json` stands alone @ json"),
        (
            quote!(default),
            "`default` is given as `default = ...` @ default",
        ),
        (quote!(rename = b), "expected string literal"),
        (quote!(was = "b", was = "c"), "`was` is given twice @ was"),
    ] {
        assert_eq!(
            field_mistakes(quote!(#[record(#attribute)] a: i64)),
            [mistake]
        );
    }
    assert_eq!(
        struct_mistakes(quote!(#[record])),
        ["expected attribute arguments in parentheses: #[record(...)]"]
    );
}

#[test]
fn the_default_of_an_option_is_what_it_holds() {
    assert_eq!(
        field_mistakes(quote!(#[record(default = Some(5))] a: Option<i64>)),
        ["the default of an Option is given without Some, as a value of i64 @ Some (5)"]
    );
    assert_eq!(
        field_mistakes(quote!(#[record(default = None)] a: std::option::Option<i64>)),
        ["an Option has no value by default: leave this out @ None"]
    );
}

#[test]
fn a_table_has_a_name_of_its_own() {
    let long = "n".repeat(129);
    for (name, mistake) in [
        ("", "a table name has 1 to 128 bytes, this one has 0"),
        (&long, "a table name has 1 to 128 bytes, this one has 129"),
        ("a\0", "a table name cannot hold a NUL"),
        (
            "_notes",
            "table _notes: names that begin with _ or sqlite_ are reserved",
        ),
        (
            "SQLite_notes",
            "table SQLite_notes: names that begin with _ or sqlite_ are reserved",
        ),
    ] {
        let literal = quote!(#name).to_string();
        assert_eq!(
            struct_mistakes(quote!(#[record(table = #name)])),
            [format!("{mistake} @ {literal}")]
        );
    }
    assert_mistakes! {
        { struct _Note { #[record(id)] key: String } } =>
            ["table _note: names that begin with _ or sqlite_ are reserved @ _Note"];
    }
}

#[test]
fn a_column_has_a_name_of_its_own() {
    for (fields, mistake) in [
        (
            quote!(_a: i64),
            "column _a: names that begin with _ are dkdc's own; use `rename` @ _a",
        ),
        (
            quote!(#[record(rename = "_a")] a: i64),
            "column _a: names that begin with _ are dkdc's own; use `rename` @ \"_a\"",
        ),
        (
            quote!(id: i64),
            "column id: every table has it already; use `rename` @ id",
        ),
        (
            quote!(IDX: i64),
            "column IDX: every table has it already; use `rename` @ IDX",
        ),
        (
            quote!(#[record(rename = "")] a: i64),
            "a column name has 1 to 128 bytes, this one has 0 @ \"\"",
        ),
        (
            quote!(r#type: i64, #[record(rename = "type")] b: i64),
            "column type is declared twice @ \"type\"",
        ),
        (
            quote!(a: i64, A: i64),
            "columns a and A differ in case only @ A",
        ),
        (
            quote!(#[record(was = "a")] a: i64),
            "`was` gives another name: column a is a now @ \"a\"",
        ),
        (
            quote!(#[record(was = "c")] a: i64, #[record(was = "c")] b: i64),
            "column a was c already @ \"c\"",
        ),
    ] {
        assert_eq!(field_mistakes(fields), [mistake]);
    }
}

#[test]
fn an_index_names_columns_that_have_an_order() {
    for (attribute, mistake) in [
        (
            quote!(index(a, c)),
            "there is no column c; there are a, b, id, idx @ c",
        ),
        (
            quote!(unique("c")),
            "there is no column c; there are a, b, id, idx @ \"c\"",
        ),
        (
            quote!(index(key)),
            "there is no column key; there are a, b, id, idx @ key",
        ),
        (
            quote!(unique(a, idx)),
            "every version has its own idx: leave it out @ idx",
        ),
        (
            quote!(index()),
            "an index needs at least one column @ index",
        ),
        (
            quote!(unique(nulls = equal)),
            "an index needs at least one column @ unique",
        ),
        (
            quote!(index(a, b, a desc)),
            "column a is in this index already @ a",
        ),
        (quote!(index(a asc)), "expected `desc` or a comma @ asc"),
        (
            quote!(index(5)),
            "expected a column: its name, or a string literal",
        ),
        (
            quote!(index(a, nulls = equal)),
            "`nulls` goes with `unique` only @ nulls",
        ),
        (
            quote!(unique(a, nulls = same)),
            "NULLs are `equal` or `distinct` @ same",
        ),
        (
            quote!(unique(a, nulls = equal, nulls = equal)),
            "`nulls` is given twice @ nulls",
        ),
        (
            quote!(unique(a, null = equal)),
            "expected a column, or `nulls = equal` @ null",
        ),
    ] {
        assert_eq!(struct_mistakes(quote!(#[record(#attribute)])), [mistake]);
    }
    assert_mistakes! {
        {
            #[record(index(place))]
            struct Note { #[record(id)] key: String, #[record(json)] place: Place }
        } => ["column place is JSON, which has no order @ place"];
    }
}

#[test]
fn all_mistakes_are_named_at_once() {
    assert_mistakes! {
        {
            #[record(tabel = "x")]
            struct Note { #[record(id)] key: u64, #[record(jsno)] a: i64 }
        } => [
            "unknown key `tabel`; the keys of a struct are table, index, unique, crate @ tabel",
            "the id field must be a String @ u64",
            "unknown key `jsno`; the keys of a field are id, default, rename, was, json @ jsno",
        ];
        {
            #[record(table = "", index(c), unique(d))]
            struct Note { #[record(id)] key: String, _a: i64 }
        } => [
            "a table name has 1 to 128 bytes, this one has 0 @ \"\"",
            "column _a: names that begin with _ are dkdc's own; use `rename` @ _a",
            "there is no column c; there are _a, id, idx @ c",
            "there is no column d; there are _a, id, idx @ d",
        ];
    }
}

#[test]
fn a_table_without_a_name_has_the_type_s() {
    for (ident, table) in [
        (quote!(Note), "\"note\""),
        (quote!(TodoItem), "\"todo_item\""),
        (quote!(HTTPServer), "\"http_server\""),
        (quote!(Utf8Text2), "\"utf8_text2\""),
        (quote!(Odd_Name), "\"odd_name\""),
        (quote!(r#type), "\"type\""),
    ] {
        let expanded = implementation(quote!(struct #ident { #[record(id)] key: String }));
        assert!(expanded.contains(table), "{table} is not in {expanded}");
    }
}

#[test]
fn dkdc_state_is_where_the_declaration_says() {
    let fields = quote! {
        { #[record(id)] key: String, #[record(default = 1)] a: i64, #[record(json)] b: Place }
    };
    let usual = implementation(quote!(struct Note #fields));
    assert!(usual.contains(":: dkdc_state :: record_support"), "{usual}");

    let moved = implementation(quote!(#[record(crate = "my::state")] struct Note #fields));
    assert!(
        moved.contains("impl my :: state :: Record for Note"),
        "{moved}"
    );
    assert_eq!(moved, usual.replace(":: dkdc_state", "my :: state"));
}

#[test]
fn a_generic_struct_keeps_its_bounds() {
    let expanded = implementation(quote! {
        struct Note<'a, T: Copy, const N: usize> where T: Field { #[record(id)] key: String, a: T }
    });
    let header = "impl < 'a , T : Copy , const N : usize > :: dkdc_state :: Record \
                  for Note < 'a , T , N > where T : Field";
    assert!(expanded.contains(header), "{expanded}");
}
