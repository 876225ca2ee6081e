//! A program's next version works on the store that the last one left, and the
//! last one goes on beside it.
//!
//! The failure to prevent: a field is added and old records cannot be read; a
//! field is renamed and the old program fails; a change is refused half-way and
//! the table is neither the old nor the new.

use dkdc_state::{
    ColumnDef, ColumnType, Error, IndexDef, Nulls, Record, Row, Select, TableDef, Value,
};

use crate::support::{Place, assert_sound, note, notes, quick, refusal};
use crate::workers::{Worker, listen, say};

#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "tasks")]
struct First {
    #[record(id)]
    id: String,
    body: String,
}

/// Two fields more, of which one need not be there.
#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "tasks", index(priority, idx))]
struct Second {
    #[record(id)]
    id: String,
    body: String,
    owner: Option<String>,
    #[record(default = 100)]
    priority: i64,
    tags: Vec<String>,
}

/// `body` is called `text`, and is first no more.
#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "tasks")]
struct Third {
    #[record(id)]
    id: String,
    owner: Option<String>,
    #[record(was = "body")]
    text: String,
}

fn first(id: &str, body: &str) -> First {
    let (id, body) = (id.to_owned(), body.to_owned());
    First { id, body }
}

fn second(id: &str, body: &str, owner: Option<&str>, priority: i64) -> Second {
    Second {
        id: id.to_owned(),
        body: body.to_owned(),
        owner: owner.map(str::to_owned),
        priority,
        tags: Vec::new(),
    }
}

#[test]
fn a_new_field_shows_its_default_where_it_was_not() {
    let place = Place::new();
    let state = place.open();
    let old = state.table::<First>().expect("a table");
    old.append_all(&[first("a", "one"), first("b", "two")])
        .expect("new");
    let before = old.delete("b").expect("there").idx;

    let new = state.table::<Second>().expect("two columns more");
    assert_eq!(
        new.get("a").expect("a read").expect("there").record,
        second("a", "one", None, 100)
    );
    let then = state.at(before.into()).expect("history");
    let then = then.table::<Second>().expect("a table");
    assert_eq!(then.get("a").expect("a read").expect("there").priority, 100);
    let found = new
        .list(&Select::new().eq("priority", 100))
        .expect("a list");
    assert_eq!(found.len(), 1, "the index has the old records");
    let found = then
        .list(&Select::new().gt("priority", 99).order("priority"))
        .expect("a list");
    assert_eq!(found.len(), 1);
    // The old program goes on: what it does not know, it keeps or gets.
    old.append(&first("c", "three")).expect("new");
    assert_eq!(
        new.get("c").expect("a read").expect("there").record,
        second("c", "three", None, 100)
    );
    new.update(&second("a", "ONE", Some("ada"), 1))
        .expect("there");
    old.update(&first("a", "One")).expect("there");
    assert_eq!(
        new.get("a").expect("a read").expect("there").record,
        second("a", "One", Some("ada"), 1)
    );
    // A deleted record comes back with the default too.
    let lost = new.list_deleted(&Select::new()).expect("a list");
    assert_eq!(lost[0].record, second("b", "two", None, 100));
    new.restore("b", lost[0].idx()).expect("it had it");
    assert_eq!(new.get("b").expect("a read").expect("there").priority, 100);
    assert_sound(&state);
    // Nothing changes when both are declared again.
    let last = state.last().expect("a read");
    drop((old, new, then, state));
    let state = place.open();
    state.table::<First>().expect("the old one");
    state.table::<Second>().expect("the new one");
    assert_eq!(state.last().expect("a read"), last);
    assert_sound(&state);
}

/// Worker: a program of the first version, which writes `b` and reads `a` when it is told.
pub(crate) fn go_on_with_the_first_type(args: &[String]) {
    let state = quick().open(&args[0]).expect("a store");
    let old = state.table::<First>().expect("a table");
    old.append(&first("a", "of the old")).expect("new");
    say("ready");
    while let word = listen()
        && !word.is_empty()
    {
        old.upsert(&first("b", &word)).expect("either");
        old.modify("a", |task| task.body.push('!')).expect("there");
        let found = old.get("a").expect("a read").expect("there");
        say(found.record.body);
    }
}

/// The old program is not stopped while the new one begins, as on a server that is
/// brought up to date in turns.
#[test]
fn two_versions_of_a_type_go_on_side_by_side_in_two_processes() {
    let place = Place::new();
    let mut old = Worker::start("go-on-with-the-first-type", &place.db(), &[]);
    assert_eq!(old.answer(), "ready");
    let state = place.open();
    let new = state.table::<Second>().expect("columns more");
    let mut body = "of the old".to_owned();
    for turn in 0..5 {
        old.tell(&format!("turn {turn}"));
        body.push('!');
        assert_eq!(old.answer(), body);
        let found = |id: &str| new.get(id).expect("a read").expect("there").record;
        // What it does not know it keeps, or leaves to the default.
        let (owner, priority) = match turn {
            0 => (None, 100),
            _ => (Some("ada"), turn - 1),
        };
        assert_eq!(found("a"), second("a", &body, owner, priority));
        assert_eq!(found("b"), second("b", &format!("turn {turn}"), None, 100));
        let by_priority = Select::new().eq("priority", priority);
        let listed = new.list(&by_priority).expect("a list");
        assert!(listed.iter().any(|task| task.id == "a"), "{listed:?}");
        body.push('?');
        new.update(&second("a", &body, Some("ada"), turn))
            .expect("there");
    }
    old.tell("");
    old.finish();
    assert_sound(&state);
}

#[test]
fn a_default_is_for_rows_before_the_column_alone() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("old", 1)).expect("new");
    let with = notes().column(ColumnDef::new("x", ColumnType::Int).default(5));
    let table = state.define(&with).expect("a column");
    table.append(&note("unnamed", 1)).expect("new");
    table
        .append(&note("null", 1).with("x", Value::Null))
        .expect("new");
    let found = |x: Value| {
        let rows = table.list(&Select::new().eq("x", x)).expect("a list");
        rows.into_iter()
            .map(|row| row.record.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(5.into()), ["old", "unnamed"]);
    assert_eq!(found(Value::Null), ["null"]);
    table
        .update(&Row::new("old").with("x", Value::Null))
        .expect("there");
    assert_eq!(found(Value::Null), ["null", "old"]);
    assert_sound(&state);
}

#[test]
fn a_renamed_field_is_the_same_field() {
    let place = Place::new();
    let state = place.open();
    let old = state.table::<Second>().expect("a table");
    let v1 = old
        .append(&second("a", "one", Some("ada"), 1))
        .expect("new")
        .idx;
    let new = state.table::<Third>().expect("a new name");
    assert_eq!(new.get("a").expect("a read").expect("there").text, "one");
    new.update(&Third {
        id: "a".into(),
        owner: None,
        text: "two".into(),
    })
    .expect("there");
    assert_eq!(
        old.get("a").expect("a read").expect("there").record,
        second("a", "two", None, 1)
    );
    old.update(&second("a", "three", None, 2)).expect("there");
    assert_eq!(new.get("a").expect("a read").expect("there").text, "three");
    let then = state.at(v1.into()).expect("history");
    let then = then.table::<Third>().expect("a table");
    assert_eq!(then.get("a").expect("a read").expect("there").text, "one");
    // Both names are understood; the newer is shown, and nothing flips it back.
    drop((old, new, then, state));
    let state = place.open();
    let last = state.last().expect("a read");
    state.table::<Second>().expect("the old program");
    state.table::<Third>().expect("the new one");
    assert_eq!(state.last().expect("a read"), last);
    let rows = state.rows("tasks").expect("a table");
    assert_eq!(
        rows.list(&Select::new().eq("body", "three"))
            .expect("a list")
            .len(),
        1
    );
    let row = rows.get("a").expect("a read").expect("there").record;
    assert_eq!(
        (row.get("text"), row.get("body")),
        (Some(&"three".into()), None)
    );
    assert_sound(&state);
}

#[test]
fn a_name_means_one_column_for_good() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    state
        .rename_column("notes", "body", "text")
        .expect("a new name");
    for taken in ["n", "N", "body", "Body", "id", "IDX", "_op", "", "a\0b"] {
        let refused = state.rename_column("notes", "n", taken);
        if taken == "n" || taken == "N" {
            refused.expect("its own name");
        } else {
            assert_eq!(refusal(refused), "InvalidSchema", "{taken:?}");
        }
    }
    let column = |name: &str| TableDef::new("notes").column(ColumnDef::new(name, ColumnType::Text));
    for twin in ["TEXT", "BODY"] {
        assert_eq!(
            refusal(state.define(&column(twin)).map(|_| ())),
            "SchemaMismatch"
        );
    }
    assert_eq!(
        refusal(state.rename_column("notes", "nothing", "x")),
        "UnknownColumn"
    );
    assert_eq!(
        refusal(state.rename_column("nowhere", "n", "x")),
        "UnknownTable"
    );
    let mut def = TableDef::new("notes").column(ColumnDef::new("Text", ColumnType::Int).was("n"));
    assert_eq!(
        refusal(state.define(&def).map(|_| ())),
        "SchemaMismatch",
        "taken but for case"
    );
    def.columns[0].name = "BODY".to_owned();
    assert_eq!(
        refusal(state.define(&def).map(|_| ())),
        "SchemaMismatch",
        "another's old name"
    );
    state
        .rename_column("notes", "text", "body")
        .expect("its own old name");
    let row = table.get("a").expect("a read").expect("there").record;
    assert_eq!(row, Row::new("a").with("body", "body 1").with("N", 1));
    assert_sound(&state);
}

#[test]
fn a_changed_type_is_refused_with_every_difference() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let last = state.last().expect("a read");
    let other = TableDef::new("notes")
        .column(ColumnDef::new("new", ColumnType::Int))
        .column(ColumnDef::new("body", ColumnType::Json))
        .column(ColumnDef::new("n", ColumnType::Float))
        .column(ColumnDef::new("must", ColumnType::Text).required());
    let error = state
        .define(&other)
        .map(|_| ())
        .expect_err("three differences");
    let Error::SchemaMismatch {
        table: name,
        differences,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((name.as_str(), differences.len()), ("notes", 3), "{error}");
    assert!(differences[0].contains("column body: text in the store, json as declared"));
    assert!(differences[1].contains("column n: int in the store, float as declared"));
    assert!(differences[2].contains("column must: new and required"));
    assert!(error.to_string().lines().count() == 4, "{error}");
    assert_eq!(
        state.last().expect("a read"),
        last,
        "the new column was not added either"
    );
    assert_eq!(table.schema().expect("a schema").columns.len(), 2);
}

#[test]
fn a_required_column_needs_a_default_once_there_are_records() {
    let place = Place::new();
    let state = place.open();
    let base = TableDef::new("t");
    let must = |name: &str| ColumnDef::new(name, ColumnType::Text).required();
    let table = state.define(&base).expect("a table");
    state
        .define(&base.clone().column(must("early")))
        .expect("nobody lacks it");
    assert_eq!(refusal(table.append(&Row::new("a"))), "InvalidValue");
    table
        .append(&Row::new("a").with("early", "x"))
        .expect("new");
    assert_eq!(
        refusal(state.define(&base.clone().column(must("late"))).map(|_| ())),
        "SchemaMismatch"
    );
    state
        .define(&base.clone().column(must("late").default("y")))
        .expect("a default");
    assert_eq!(
        table.get("a").expect("a read").expect("there").get("late"),
        Some(&"y".into())
    );
    let null = Row::new("a").with("late", Value::Null);
    assert_eq!(refusal(table.update(&null)), "InvalidValue");
    // Whoever declares it optional makes it so, for all.
    state
        .define(&base.column(ColumnDef::new("late", ColumnType::Text)))
        .expect("optional");
    table.update(&null).expect("optional now");
    assert_sound(&state);
}

#[test]
fn a_column_that_records_may_lack_cannot_be_required() {
    let place = Place::new();
    let state = place.open();
    let optional = TableDef::new("tasks").column(ColumnDef::new("body", ColumnType::Text));
    let table = state.define(&optional).expect("a table");
    table.append(&Row::new("a")).expect("without a body");
    let last = state.last().expect("a read");
    // First has a `body: String`, and would fail at reading "a".
    let error = state.table::<First>().map(|_| ()).expect_err("required");
    let Error::SchemaMismatch { differences, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        differences,
        &[
            "column body: optional in the store, required as declared; records may lack it: \
           declare it optional"
        ]
    );
    let renamed = ColumnDef::new("text", ColumnType::Text)
        .required()
        .was("body");
    let renamed = TableDef::new("tasks").column(renamed.default("x"));
    assert_eq!(
        refusal(state.define(&renamed).map(|_| ())),
        "SchemaMismatch",
        "neither a new name nor a default gives the old records a value"
    );
    assert_eq!(state.last().expect("a read"), last);
}

#[test]
fn the_default_that_a_column_was_made_with_stays() {
    let place = Place::new();
    let state = place.open();
    let n = |default: i64| {
        let column = ColumnDef::new("n", ColumnType::Int).default(default);
        TableDef::new("t").column(column)
    };
    let table = state.define(&n(1)).expect("a table");
    let last = state.last().expect("a read");
    state.define(&n(2)).expect("as good as the first");
    let without = TableDef::new("t").column(ColumnDef::new("n", ColumnType::Int));
    state.define(&without).expect("as good as the first");
    assert_eq!(state.last().expect("a read"), last, "nothing was altered");
    table.append(&Row::new("a")).expect("new");
    let row = table.get("a").expect("a read").expect("there").record;
    assert_eq!(row.get("n"), Some(&Value::Int(1)));
}

#[test]
fn a_constraint_that_does_not_hold_is_refused_and_changes_nothing() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table
        .append_all(&[note("a", 1), note("b", 1), note("c", 2)])
        .expect("new");
    let before = (
        state.last().expect("a read"),
        table.schema().expect("a schema"),
    );
    let unique = notes()
        .column(ColumnDef::new("x", ColumnType::Int))
        .index(IndexDef::new(["n"]).unique(Nulls::Distinct));
    for _ in 0..2 {
        let error = state.define(&unique).map(|_| ()).expect_err("two have 1");
        assert!(
            matches!(&error, Error::NotUnique { columns, .. } if columns == &["n"]),
            "{error}"
        );
        let after = (
            state.last().expect("a read"),
            table.schema().expect("a schema"),
        );
        assert_eq!(after, before);
    }
    assert_sound(&state);
    table.delete("b").expect("there");
    let table = state.define(&unique).expect("unique now");
    assert_eq!(refusal(table.append(&note("d", 2))), "NotUnique");
    assert_eq!(refusal(table.restore("b", before.0)), "NoSuchVersion");
    let by_n = table.list(&Select::new().eq("n", 2)).expect("a list");
    assert_eq!(by_n.len(), 1);
    assert_sound(&state);
}

#[test]
fn an_index_that_comes_late_has_every_record() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..500).map(|n| note(&format!("{n:03}"), n % 7)).collect();
    table.append_all(&rows).expect("new");
    table.delete("003").expect("there");
    let ordered = Select::new().eq("n", 3).order("body").order_desc("id");
    let without = table.list(&ordered).expect("a list");
    let table = state
        .define(&notes().index(IndexDef::new(["n", "body", "-id"])))
        .expect("an index");
    assert_eq!(table.list(&ordered).expect("a list"), without);
    assert_eq!(without.len(), 70);
    table.append(&note("new", 3)).expect("new");
    assert_eq!(table.list(&ordered).expect("a list").len(), 71);
    assert_sound(&state);
}
