//! Somebody asks in SQL and trusts the answer.
//!
//! The answer was for another moment than the rest of the page; a list came
//! back as a string; a question about a million rows took a gigabyte; and one
//! question dropped the view that the next one needed.

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::arrow_array::{Array, RecordBatch};
use dkdc_state::arrow_schema::{DataType, TimeUnit};
use dkdc_state::{ColumnDef, ColumnType, Error, ListItem, Result, Row, State, Table, TableDef};

fn store() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path().join("data.db")).expect("a store");
    (folder, state)
}

fn numbers(state: &State) -> Table<Row> {
    let table = TableDef::new("numbers")
        .column(ColumnDef::new("n", ColumnType::Int))
        .column(ColumnDef::new("tags", ColumnType::List(ListItem::Text)));
    state.define(&table).expect("a table")
}

fn answer(state: &State, query: &str) -> Result<Vec<RecordBatch>> {
    state.sql(query)?.collect()
}

fn int(state: &State, query: &str) -> i64 {
    let batches = answer(state, query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let column = batches[0].column(0);
    let column = dkdc_state::arrow_array::cast::AsArray::as_primitive_opt::<Int64Type>(column);
    column
        .unwrap_or_else(|| panic!("{query}: no integer"))
        .value(0)
}

fn refusal(state: &State, query: &str) -> Error {
    match answer(state, query) {
        Err(error) => error,
        Ok(_) => panic!("{query} was answered"),
    }
}

#[test]
fn a_question_sees_the_write_before_it() {
    let (_folder, state) = store();
    let numbers = numbers(&state);
    for n in 1..=20 {
        numbers
            .append(&Row::new(format!("r{n}")).with("n", n))
            .expect("appended");
        assert_eq!(int(&state, "select count(*) from numbers"), n);
    }
    numbers
        .update(&Row::new("r1").with("n", 100))
        .expect("updated");
    numbers.delete("r2").expect("deleted");
    assert_eq!(int(&state, "select max(n) from numbers"), 100);
    assert_eq!(int(&state, "select count(*) from numbers"), 19);
    assert_eq!(int(&state, "select count(*) from history.numbers"), 22);
}

#[test]
fn a_snapshot_answers_for_its_moment() {
    let (_folder, state) = store();
    let numbers = numbers(&state);
    let first = numbers
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    let then = state.snapshot().expect("a snapshot");
    let second = numbers
        .update(&Row::new("a").with("n", 2))
        .expect("updated");
    numbers.delete("a").expect("deleted");
    let old: Vec<_> = then
        .sql("select n from numbers")
        .and_then(Iterator::collect::<Result<_>>)
        .expect("an answer");
    assert_eq!(old[0].column(0).as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(int(&state, "select count(*) from numbers"), 0);
    for (idx, n) in [(first.idx, 1), (second.idx, 2)] {
        assert_eq!(int(&state, &format!("select n from numbers_at({idx})")), n);
        let time = idx.timestamp().to_string();
        assert_eq!(
            int(&state, &format!("select n from numbers_at('{time}')")),
            n
        );
        let time = time.trim_end_matches('Z').replace('T', " ");
        let query = format!("select n from numbers_at(timestamp '{time}')");
        assert_eq!(int(&state, &query), n);
    }
    assert!(matches!(
        then.sql(&format!("from numbers_at({})", second.idx)).err(),
        Some(Error::OutsideHistory { .. })
    ));
}

#[test]
fn a_column_of_any_name_is_seen_as_of_a_moment() {
    let (_folder, state) = store();
    let table = ["x", "at", "moment", "l", "s", "m"]
        .iter()
        .fold(TableDef::new("points"), |table, name| {
            table.column(ColumnDef::new(*name, ColumnType::Int))
        });
    let points = state.define(&table).expect("a table");
    points
        .append(&Row::new("a").with("x", 1).with("l", 2).with("s", 3))
        .expect("appended");
    let sum = "select x + l + s from points_at('now') where \"at\" is null and moment is null";
    assert_eq!(int(&state, sum), 6);
}

#[test]
fn documented_time_expressions_are_understood() {
    let (_folder, state) = store();
    numbers(&state)
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    for now in ["'now'", "'0 seconds ago'", "now()::timestamp"] {
        assert_eq!(
            int(&state, &format!("select count(*) from numbers_at({now})")),
            1,
            "{now}"
        );
    }
    for before in [
        "'5 minutes ago'",
        "'1970-01-02'",
        "now()::timestamp - interval 5 minutes",
    ] {
        let error = refusal(&state, &format!("from numbers_at({before})"));
        assert!(
            matches!(error, Error::OutsideHistory { .. }),
            "{before}: {error}"
        );
    }
    let error = refusal(&state, "from numbers_at('soon')");
    assert!(matches!(error, Error::InvalidTime { .. }), "{error}");
}

#[test]
fn a_cleared_table_has_no_history_before() {
    let (_folder, state) = store();
    let numbers = numbers(&state);
    let before = numbers
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    let then = state.snapshot().expect("a snapshot");
    state.clear(&["numbers"]).expect("cleared");
    assert_eq!(int(&state, "select count(*) from history.numbers"), 0);
    let error = then.sql("from numbers").err();
    assert!(
        matches!(error, Some(Error::OutsideHistory { .. })),
        "{error:?}"
    );
    let error = refusal(&state, &format!("from numbers_at({})", before.idx));
    assert!(matches!(error, Error::OutsideHistory { .. }), "{error}");
}

#[test]
fn a_snapshot_from_before_a_clear_knows_the_other_tables() {
    let (_folder, state) = store();
    numbers(&state)
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    let other = TableDef::new("other").column(ColumnDef::new("n", ColumnType::Int));
    let other = state.define(&other).expect("a table");
    other.append(&Row::new("b").with("n", 2)).expect("appended");
    let then = state.snapshot().expect("a snapshot");
    state.clear(&["numbers"]).expect("cleared");
    let rows: Vec<_> = then
        .sql("select n from other")
        .and_then(Iterator::collect::<Result<_>>)
        .expect("an answer");
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 2);
}

#[test]
fn a_snapshot_is_not_answered_with_newer_rows() {
    let (_folder, state) = store();
    let numbers = numbers(&state);
    let mut moments = Vec::new();
    for n in 1..=6 {
        let row = Row::new("a").with("n", n);
        numbers.upsert(&row).expect("written");
        numbers
            .append(&Row::new(format!("b{n}")).with("n", 0))
            .expect("appended");
        moments.push((n, state.snapshot().expect("a snapshot")));
        // Rows stand ready in memory from the second question on.
        for name in [
            "numbers",
            "main.numbers",
            "memory.main.numbers",
            "\"NUMBERS\"",
        ] {
            assert_eq!(int(&state, &format!("select max(n) from {name}")), n);
            assert_eq!(int(&state, &format!("select count(*) from {name}")), n + 1);
            for (n, then) in &moments {
                let rows: Vec<_> = then
                    .sql(&format!("select max(n), count(*) from {name}"))
                    .and_then(Iterator::collect::<Result<_>>)
                    .expect("an answer");
                let value = |at: usize| rows[0].column(at).as_primitive::<Int64Type>().value(0);
                assert_eq!((value(0), value(1)), (*n, n + 1), "{name} as of {n}");
            }
        }
    }
    numbers.delete("a").expect("deleted");
    assert_eq!(int(&state, "select max(n) from numbers"), 0);
    state.clear(&["numbers"]).expect("cleared");
    assert_eq!(int(&state, "select count(*) from numbers"), 0);
}

#[test]
fn rows_that_do_not_fit_into_memory_are_answered_all_the_same() {
    for bytes in [0, 1, 300_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = State::options().hot_rows_bytes(bytes);
        let state = options
            .open(folder.path().join("data.db"))
            .expect("a store");
        let numbers = numbers(&state);
        let rows: Vec<Row> = (0..5000)
            .map(|n| Row::new(format!("r{n}")).with("n", n))
            .collect();
        for _ in 0..4 {
            numbers.upsert_all(&rows).expect("written");
            numbers.delete("r0").expect("deleted");
            assert_eq!(int(&state, "select count(*) from numbers"), 4999);
            assert_eq!(int(&state, "select min(n) from numbers"), 1, "{bytes}");
        }
    }
}

#[test]
fn an_answer_under_way_does_not_see_what_comes() {
    let (_folder, state) = store();
    let numbers = numbers(&state);
    let rows: Vec<Row> = (0..30_000)
        .map(|n| Row::new(format!("r{n}")).with("n", n))
        .collect();
    numbers.append_all(&rows).expect("appended");
    assert_eq!(int(&state, "select count(*) from numbers"), 30_000);
    assert_eq!(int(&state, "select count(*) from numbers"), 30_000);
    let mut answer = state.sql("select n from numbers").expect("an answer");
    let first = answer.next().expect("rows").expect("rows");
    let changed: Vec<Row> = (0..30_000)
        .map(|n| Row::new(format!("r{n}")).with("n", -1))
        .collect();
    numbers.update_all(&changed).expect("updated");
    assert_eq!(int(&state, "select max(n) from numbers"), -1);
    state.clear(&["numbers"]).expect("cleared");
    assert_eq!(int(&state, "select count(*) from numbers"), 0);
    let mut sum = 0;
    let mut count = 0;
    for batch in std::iter::once(Ok(first)).chain(answer) {
        let batch = batch.expect("rows");
        let n = batch.column(0).as_primitive::<Int64Type>();
        sum += n.values().iter().sum::<i64>();
        count += n.len();
    }
    assert_eq!((count, sum), (30_000, 30_000 * 29_999 / 2));
}

#[test]
fn every_type_arrives_as_itself() {
    let (_folder, state) = store();
    let types = [
        ("t", "text", DataType::Utf8),
        ("i", "int", DataType::Int64),
        ("f", "float", DataType::Float64),
        ("b", "bool", DataType::Boolean),
        ("y", "bytes", DataType::Binary),
        (
            "moment",
            "timestamp",
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ),
        ("on_day", "date", DataType::Date32),
        ("u", "uuid", DataType::Utf8),
        ("j", "json", DataType::Utf8),
    ];
    let mut table = TableDef::new("all_types");
    for (name, ty, _) in &types {
        table = table.column(ColumnDef::new(*name, ty.parse().expect("a type")));
    }
    for item in [
        "text",
        "int",
        "float",
        "bool",
        "timestamp",
        "date",
        "uuid",
        "json",
    ] {
        let ty = format!("list<{item}>").parse().expect("a type");
        table = table.column(ColumnDef::new(format!("l_{item}"), ty));
    }
    table = table.column(ColumnDef::new("content", ColumnType::Blob));
    let rows = state.define(&table).expect("a table");
    let blob = state.put_blob(&b"hello"[..]).expect("content");
    let row = rows
        .row_from_json(
            r#"{"id": "a", "t": "é\u0000", "i": -9223372036854775808, "f": -1.5, "b": true,
                "y": "00ff", "moment": "1969-12-31T23:59:59.999999Z", "on_day": "0001-01-01",
                "u": "67e55044-10b1-426f-9247-bb680e5fe0c8", "j": {"k": [1, null]},
                "l_text": ["a,b", null], "l_int": [1, 2], "l_float": [0.5], "l_bool": [true],
                "l_timestamp": ["1970-01-01T00:00:00.000001Z"], "l_date": ["1970-01-02"],
                "l_uuid": ["67e55044-10b1-426f-9247-bb680e5fe0c8"], "l_json": [{"a": 1}]}"#,
        )
        .expect("a row")
        .with("content", blob);
    rows.append(&row).expect("appended");
    rows.append(&Row::new("b")).expect("appended");
    let batches = answer(&state, "select * from all_types order by id").expect("an answer");
    let schema = batches[0].schema();
    for (name, _, ty) in &types {
        assert_eq!(
            schema.field_with_name(name).expect("a column").data_type(),
            ty
        );
    }
    for column in 2..schema.fields().len() {
        assert!(
            batches[0].column(column).is_null(1),
            "{}",
            schema.field(column).name()
        );
    }
    let checks = "select count(*) from all_types where i = -9223372036854775808 and f = -1.5 and b \
        and y = '\\x00\\xFF'::blob and moment = timestamp '1969-12-31 23:59:59.999999' \
        and on_day = date '0001-01-01' and u = '67e55044-10b1-426f-9247-bb680e5fe0c8' \
        and j->>'$.k[0]' = '1' and l_text[1] = 'a,b' and l_text[2] is null and len(l_int) = 2 \
        and l_float[1] = 0.5 and l_bool[1] and l_timestamp[1] = timestamp '1970-01-01 00:00:00.000001' \
        and l_date[1] = date '1970-01-02' and l_json[1]->>'$.a' = '1' \
        and content.size = 5 and len(content.hash) = 64 and len(t) = 2";
    assert_eq!(int(&state, checks), 1);
}

#[test]
fn a_question_can_only_read() {
    let (folder, state) = store();
    numbers(&state)
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").expect("a file");
    let out = folder.path().join("out.csv");
    let (secret, out_text) = (secret.display(), out.display());
    for query in [
        "drop view numbers".to_owned(),
        "create table t(a int)".to_owned(),
        "insert into numbers values (1)".to_owned(),
        "set threads = 1".to_owned(),
        "select 1; drop view numbers".to_owned(),
        "attach 'x.db'".to_owned(),
        "install httpfs".to_owned(),
        "load icu".to_owned(),
        "copy numbers to 'x.csv'".to_owned(),
        "begin".to_owned(),
        "explain drop view numbers".to_owned(),
        format!("copy (select 1) to '{out_text}'"),
        format!("with x as (copy (select 1) to '{out_text}') select 1"),
        format!("select * from read_csv('{secret}')"),
        format!("select * from read_text('{secret}')"),
        format!("select * from '{secret}'"),
        "select * from glob('/*')".to_owned(),
        "from dkdc_scan(1, 1)".to_owned(),
        "from dkdc_scan(1, null)".to_owned(),
        String::new(),
        "selekt".to_owned(),
    ] {
        let error = refusal(&state, &query);
        assert!(matches!(error, Error::Query(_)), "{query}: {error:?}");
    }
    assert!(!out.exists());
    assert_eq!(int(&state, "select count(*) from numbers"), 1);
}

#[test]
fn what_a_question_does_inside_duckdb_is_gone_with_it() {
    let (_folder, state) = store();
    numbers(&state);
    // Whether DuckDB takes these or not, the next question must not notice.
    for query in [
        "with x as (create table left_over as select 1) select 1",
        "with x as (drop view numbers) select 1",
        "with x as (insert into numbers values (1)) select 1",
    ] {
        let _ = answer(&state, query);
        let error = refusal(&state, "from left_over");
        assert!(matches!(error, Error::Query(_)), "{query}");
        assert_eq!(int(&state, "select count(*) from numbers"), 0, "{query}");
    }
}

#[test]
fn questions_that_read_are_answered_in_every_form() {
    let (_folder, state) = store();
    numbers(&state)
        .append(&Row::new("a").with("n", 1))
        .expect("appended");
    for query in [
        "from numbers",
        "with x as (select 1 as a) select a from x",
        "describe numbers",
        "show tables",
        "summarize select n from numbers",
        "values (1)",
        "explain select * from numbers",
        "Explain  Analyze select * from numbers",
        "select 'a;b' -- ; a comment",
        "(select 1) union all select 2",
    ] {
        let rows: usize = answer(&state, query)
            .unwrap_or_else(|error| panic!("{query}: {error}"))
            .iter()
            .map(RecordBatch::num_rows)
            .sum();
        assert!(rows > 0, "{query}");
    }
}

#[test]
fn a_schema_that_changes_changes_the_names() {
    let (_folder, state) = store();
    let rows = numbers(&state);
    rows.append(&Row::new("a").with("n", 1)).expect("appended");
    assert_eq!(int(&state, "select n from numbers"), 1);
    state
        .rename_column("numbers", "n", "amount")
        .expect("renamed");
    let wider = TableDef::new("numbers").column(ColumnDef::new("unit", ColumnType::Int).default(7));
    state.define(&wider).expect("a column");
    assert_eq!(int(&state, "select amount + unit from numbers"), 8);
    assert!(matches!(
        refusal(&state, "select n from numbers"),
        Error::Query(_)
    ));
    let names = TableDef::new("order \"by\"").column(ColumnDef::new("select", ColumnType::Int));
    let odd = state.define(&names).expect("a table");
    odd.append(&Row::new("x").with("select", 3))
        .expect("appended");
    assert_eq!(
        int(&state, "select \"select\" from \"order \"\"by\"\"\""),
        3
    );
}

#[test]
fn rows_stream_and_an_answer_may_be_left_unread() {
    let (_folder, state) = store();
    let rows = numbers(&state);
    let many: Vec<Row> = (0..50_000)
        .map(|n| Row::new(format!("{n:05}")).with("n", n))
        .collect();
    rows.append_all(&many).expect("appended");
    let mut batches = state.sql("select * from numbers").expect("an answer");
    assert_eq!(batches.schema().fields().len(), 4);
    let first = batches.next().expect("a batch").expect("rows");
    assert!(first.num_rows() < 50_000);
    drop(batches);
    let total: usize = answer(&state, "from history.numbers")
        .expect("an answer")
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(total, 50_000);
    let endless = state.sql("select sum(a.n * b.n) from numbers a, numbers b, numbers c");
    drop(endless);
    assert_eq!(int(&state, "select count(*) from numbers"), 50_000);
}

#[test]
fn threads_ask_and_write_at_once() {
    let (_folder, state) = store();
    let rows = numbers(&state);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (state, rows) = (&state, &rows);
            scope.spawn(move || {
                for n in 0..25 {
                    let row = Row::new(format!("{thread}-{n}")).with("n", n);
                    rows.append(&row).expect("appended");
                    let own = format!("select count(*) from numbers where id like '{thread}-%'");
                    assert_eq!(int(state, &own), n + 1);
                }
            });
        }
    });
    assert_eq!(int(&state, "select count(*) from numbers"), 100);
}

#[test]
fn inside_a_transaction_the_state_does_not_answer() {
    let (_folder, state) = store();
    let answer = state.transaction(|_| {
        Ok::<_, Error>(matches!(
            state.sql("select 1"),
            Err(Error::InsideTransaction)
        ))
    });
    assert!(answer.expect("committed"));
}

#[test]
fn large_values_are_all_answered() {
    let (_folder, state) = store();
    let def = TableDef::new("t").column(ColumnDef::new("body", ColumnType::Text));
    let table = state.define(&def).expect("a table");
    for n in 10..74 {
        let row = Row::new(format!("{n}")).with("body", format!("{n}").repeat(1 << 19));
        table.append(&row).expect("new");
    }
    assert_eq!(int(&state, "select count(distinct body) from t"), 64);
    let bytes = int(&state, "select sum(length(body))::bigint from t");
    assert_eq!(bytes, 64 << 20);
}
