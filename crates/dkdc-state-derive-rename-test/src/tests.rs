//! The failure to prevent: an expansion that compiles in this repository and
//! nowhere else.

use state::{ColumnType, Nulls, Record, Value, Values};

/// One declaration with all keys, so that every part of the expansion is there.
#[derive(Record, Debug, PartialEq)]
#[record(crate = "state", index(size desc), unique(kind, nulls = equal))]
struct RenamedCrate {
    #[record(id)]
    id: String,
    #[record(rename = "kind", was = "sort", default = "plain")]
    r#type: Option<String>,
    #[record(default = 1)]
    size: u32,
    labels: Vec<String>,
    #[record(json, default = (1, 2))]
    place: (i32, i32),
}

#[test]
fn it_works_where_dkdc_state_has_another_name() {
    let record = RenamedCrate {
        id: "a".to_owned(),
        r#type: None,
        size: 2,
        labels: vec!["x".to_owned()],
        place: (3, 4),
    };
    let values = record.to_values().unwrap();
    assert_eq!(values[..2], [Value::Null, Value::Int(2)]);
    let back = RenamedCrate::from_values("a".to_owned(), &mut Values::new(values));
    assert_eq!(back, Ok(record));

    let table = RenamedCrate::table();
    assert_eq!(table.name, "renamed_crate");
    assert_eq!(table.columns[0].was.as_deref(), Some("sort"));
    assert_eq!(table.columns[3].ty, ColumnType::Json);
    assert_eq!(table.indexes[1].unique, Some(Nulls::Equal));
}

mod nothing_of_the_prelude {
    //! Every name that an expansion might lean on means something else here.
    #![expect(
        dead_code,
        non_upper_case_globals,
        unused_macros,
        reason = "they only hide the real ones"
    )]

    use super::state_elsewhere;

    struct Result;
    struct Vec;
    struct Value;
    struct Cow;
    struct Field;
    trait From {}
    trait Into {}
    const Some: () = ();
    const None: () = ();
    const Ok: () = ();
    const Err: () = ();
    macro_rules! vec {
        ($($x:tt)*) => {
            compile_error!("not this one")
        };
    }
    macro_rules! panic {
        ($($x:tt)*) => {
            compile_error!("not this one")
        };
    }
    mod std {}
    mod core {}

    #[derive(state_elsewhere::inner::Record)]
    #[record(crate = "state_elsewhere::inner", index(size), unique(name))]
    pub(super) struct Plain {
        #[record(id)]
        id: String,
        #[record(default = "a", was = "b")]
        name: String,
        size: Option<i64>,
        #[record(json, default = 1)]
        json: ::std::option::Option<u8>,
    }
}

mod state_elsewhere {
    pub(super) mod inner {
        pub(crate) use state::*;
    }
}

#[test]
fn it_leans_on_no_name_in_scope() {
    use nothing_of_the_prelude::Plain;
    assert_eq!(Plain::table().columns.len(), 3);
}

macro_rules! declare {
    ($name:ident, $field:ident: $ty:ty = $default:expr, $table:literal, $id:ty) => {
        #[derive(Record, Debug, PartialEq)]
        #[record(crate = "state", table = $table, index($field))]
        struct $name {
            #[record(id)]
            key: $id,
            #[record(default = $default)]
            $field: $ty,
            #[record(default = "here")]
            values: Option<String>,
            #[record(json, default = vec![1])]
            default: Vec<u16>,
        }
    };
}

declare!(Declared, name: Option<String> = "there", "declared by a macro", String);

#[test]
fn it_works_on_a_struct_that_a_macro_wrote() {
    let table = Declared::table();
    assert_eq!(table.name, "declared by a macro");
    let defaults: Vec<_> = table.columns.into_iter().map(|c| c.default).collect();
    assert_eq!(defaults[0], Some("there".into()));
    assert_eq!(defaults[1], Some("here".into()));

    let record = Declared {
        key: "a".to_owned(),
        name: None,
        values: None,
        default: vec![1],
    };
    let values = record.to_values().unwrap();
    let back = Declared::from_values("a".to_owned(), &mut Values::new(values));
    assert_eq!(back, Ok(record));
}
