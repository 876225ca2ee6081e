//! What is done to the store, at random: few ids and few values, so that the
//! operations meet.

use dkdc_state::{Row, Select, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select as one_of;

use crate::support::{DAY, MINUTE, SECOND};

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Op {
    One(RowOp),
    Batch(usize, Put, Vec<Row>),
    Transaction {
        ops: Vec<TxOp>,
        gives_up: bool,
        once: Option<Once>,
    },
    /// With a request key.
    Request(&'static str, RowOp),
    /// A request that was made before, again.
    Again(usize),
    /// Another value in the first column of numbers.
    Modify(usize, String, Value),
    Keep(Keeping),
    AddColumn(usize, &'static str, Option<i64>),
    Rename(usize, &'static str, &'static str),
    Clock(i64),
    Reopen,
}

/// What is done to a store or a table rather than to its records.
#[derive(Clone, Debug)]
pub(super) enum Keeping {
    Clear(Vec<usize>),
    Erase(usize, String),
    /// So many versions of each record stay.
    Prune(usize, u64),
    /// What was replaced at one of the versions and events there are, or before.
    PruneSince(usize, usize),
    Collect,
    Repair,
    Vacuum,
    Backup,
}

/// The request key of a transaction, and whether it says what it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Once {
    pub(super) key: &'static str,
    pub(super) about: bool,
}

/// One operation of a transaction.
#[derive(Clone, Debug)]
pub(super) struct TxOp {
    pub(super) op: RowOp,
    /// Whether the closure returns the operation's error.
    pub(super) or_give_up: bool,
}

/// One operation on one record. Tables are 0, `things`, and 1, `others`.
#[derive(Clone, Debug)]
pub(super) enum RowOp {
    Put(Target, Put, Row),
    UpdateIf(usize, Row, Pick),
    Delete(usize, String),
    DeleteIf(usize, String, Pick),
    Restore(usize, String, Pick),
    /// Content is put, and named by a record of `others`.
    File(String, usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Rows(usize),
    /// The typed handle of `things`.
    Typed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Append,
    Update,
    Upsert,
}

/// Which version is meant: the newest, one of the record's, or none it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pick {
    Newest,
    Earlier(usize),
    Never,
}

pub(super) const IDS: [&str; 6] = ["a", "A", "a\u{0}", "e\u{301}", "\u{e9}", "it's \"b\""];
pub(super) const ADDED: [&str; 2] = ["x", "select"];
const KEYS: [&str; 3] = ["k", "K", ""];

/// How many contents there are: [`content`].
pub(super) const CONTENTS: usize = 4;

/// Nothing, a little, and two of several pieces that have most of them in common.
pub(super) fn content(which: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    match which {
        0 => {}
        1 => bytes.extend_from_slice(b"a little"),
        which => {
            bytes.resize(1_500_000, 0);
            blake3::Hasher::new().finalize_xof().fill(&mut bytes);
            bytes.resize(1_500_000 + 70_000 * (which - 2), 7);
        }
    }
    bytes
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => row_op().prop_map(Op::One),
        3 => (0usize..2, put()).prop_flat_map(|(at, put)| {
            vec(row(at), 0..4).prop_map(move |rows| Op::Batch(at, put, rows))
        }),
        3 => (vec(tx_op(), 0..6), prop::bool::weighted(0.2), option::weighted(0.3, once()))
            .prop_map(|(ops, gives_up, once)| Op::Transaction { ops, gives_up, once }),
        4 => (one_of(&KEYS), row_op()).prop_map(|(key, op)| Op::Request(key, op)),
        2 => (0usize..9).prop_map(Op::Again),
        1 => (0usize..2, id(), number()).prop_map(|(at, id, n)| Op::Modify(at, id, n)),
        4 => keeping().prop_map(Op::Keep),
        1 => (0usize..2, one_of(&ADDED), option::of(-1i64..3))
            .prop_map(|(at, name, default)| Op::AddColumn(at, name, default)),
        1 => (one_of(vec!["title", "heading", "n"]), one_of(vec!["title", "heading", "n", "N"]))
            .prop_map(|(from, to)| Op::Rename(0, from, to)),
        2 => one_of(vec![1, SECOND, 3 * SECOND, -10 * SECOND, MINUTE, -60 * MINUTE, DAY])
            .prop_map(Op::Clock),
        1 => Just(Op::Reopen),
    ]
}

fn once() -> impl Strategy<Value = Once> {
    (one_of(&KEYS), any::<bool>()).prop_map(|(key, about)| Once { key, about })
}

fn keeping() -> impl Strategy<Value = Keeping> {
    prop_oneof![
        2 => one_of(vec![vec![], vec![0], vec![1], vec![1, 0]]).prop_map(Keeping::Clear),
        2 => (0usize..2, id()).prop_map(|(at, id)| Keeping::Erase(at, id)),
        2 => (0usize..2, 1u64..4).prop_map(|(at, count)| Keeping::Prune(at, count)),
        1 => (0usize..2, 0usize..40).prop_map(|(at, nth)| Keeping::PruneSince(at, nth)),
        1 => Just(Keeping::Collect),
        1 => Just(Keeping::Repair),
        1 => Just(Keeping::Vacuum),
        1 => Just(Keeping::Backup),
    ]
}

fn tx_op() -> impl Strategy<Value = TxOp> {
    (row_op(), prop::bool::weighted(0.2)).prop_map(|(op, or_give_up)| TxOp { op, or_give_up })
}

fn row_op() -> impl Strategy<Value = RowOp> {
    let at = 0usize..2;
    prop_oneof![
        6 => (at.clone(), put()).prop_flat_map(|(at, put)| {
            row(at).prop_map(move |row| RowOp::Put(Target::Rows(at), put, row))
        }),
        2 => (put(), thing()).prop_map(|(put, row)| RowOp::Put(Target::Typed, put, row)),
        2 => (at.clone(), pick()).prop_flat_map(|(at, pick)| {
            row(at).prop_map(move |row| RowOp::UpdateIf(at, row, pick))
        }),
        2 => (at.clone(), id()).prop_map(|(at, id)| RowOp::Delete(at, id)),
        1 => (at.clone(), id(), pick()).prop_map(|(at, id, pick)| RowOp::DeleteIf(at, id, pick)),
        2 => (at, id(), pick()).prop_map(|(at, id, pick)| RowOp::Restore(at, id, pick)),
        1 => (id(), 0..CONTENTS).prop_map(|(id, which)| RowOp::File(id, which)),
    ]
}

fn put() -> impl Strategy<Value = Put> {
    one_of(vec![Put::Append, Put::Update, Put::Upsert])
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        3 => Just(Pick::Newest),
        2 => (0usize..4).prop_map(Pick::Earlier),
        1 => Just(Pick::Never),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => one_of(&IDS).prop_map(str::to_owned),
        1 => Just(String::new()),
    ]
}

fn row(at: usize) -> BoxedStrategy<Row> {
    let fields = if at == 0 { things() } else { others() };
    (id(), fields)
        .prop_map(|(id, fields)| Row { id, fields })
        .boxed()
}

type Fields = Vec<(String, Value)>;

fn things() -> BoxedStrategy<Fields> {
    (
        given(text()),
        given(number()),
        given(text()),
        given(float()),
        given(tags()),
    )
        .prop_map(|(title, n, code, f, tags)| {
            let given = [
                ("title", title),
                ("n", n),
                ("code", code),
                ("f", f),
                ("tags", tags),
            ];
            fields(given)
        })
        .boxed()
}

fn others() -> BoxedStrategy<Fields> {
    (given(number()), given(text()))
        .prop_map(|(slot, kind)| fields([("slot", slot), ("kind", kind)]))
        .boxed()
}

/// What the typed handle writes: all of its three columns.
fn thing() -> impl Strategy<Value = Row> {
    (id(), text(), 0i64..3, text()).prop_map(|(id, title, n, code)| Row {
        id,
        fields: vec![
            ("title".to_owned(), title),
            ("n".to_owned(), Value::Int(n)),
            ("code".to_owned(), code),
        ],
    })
}

fn fields<const N: usize>(given: [(&str, Option<Value>); N]) -> Fields {
    let named = given
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    named
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// A column that the row names or not.
fn given(value: BoxedStrategy<Value>) -> impl Strategy<Value = Option<Value>> {
    option::weighted(0.7, value)
}

fn text() -> BoxedStrategy<Value> {
    one_of(vec![
        None,
        Some(""),
        Some("a"),
        Some("a\u{0}b"),
        Some("B"),
        Some("\u{e9}"),
    ])
    .prop_map(Value::from)
    .boxed()
}

fn number() -> BoxedStrategy<Value> {
    prop_oneof![
        1 => Just(Value::Null),
        4 => (0i64..3).prop_map(Value::Int),
        1 => one_of(vec![i64::MIN, -1, i64::MAX]).prop_map(Value::Int),
    ]
    .boxed()
}

fn float() -> BoxedStrategy<Value> {
    let floats = vec![
        -0.0,
        0.0,
        0.5,
        -1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
    ];
    prop_oneof![1 => Just(Value::Null), 5 => one_of(floats).prop_map(Value::Float)].boxed()
}

fn tags() -> BoxedStrategy<Value> {
    let tag = one_of(vec![
        Value::Null,
        "".into(),
        "a".into(),
        "a,b".into(),
        "a\u{0}b".into(),
    ]);
    prop_oneof![1 => Just(Value::Null), 5 => vec(tag, 0..3).prop_map(Value::List)].boxed()
}

/// A question about one of the tables.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) table: usize,
    pub(super) tests: Vec<(String, &'static str, Value)>,
    pub(super) order: Vec<(String, bool)>,
    pub(super) limit: Option<usize>,
}

impl Question {
    pub(super) fn select(&self) -> Select {
        let mut select = Select::new();
        for (column, test, value) in self.tests.iter().cloned() {
            select = match test {
                "eq" => select.eq(&column, value),
                "ne" => select.ne(&column, value),
                "lt" => select.lt(&column, value),
                "le" => select.le(&column, value),
                "gt" => select.gt(&column, value),
                "ge" => select.ge(&column, value),
                _ => select.has(&column, value),
            };
        }
        for (column, descending) in &self.order {
            select = match descending {
                false => select.order(column),
                true => select.order_desc(column),
            };
        }
        match self.limit {
            None => select,
            Some(limit) => select.limit(limit),
        }
    }
}

pub(super) fn select() -> impl Strategy<Value = Question> {
    (0usize..2).prop_flat_map(|table| {
        let columns: Vec<&str> = match table {
            0 => vec!["id", "idx", "title", "n", "code", "f"],
            _ => vec!["id", "idx", "slot", "kind"],
        };
        let order = vec((one_of(columns.clone()), any::<bool>()), 0..3)
            .prop_map(|order| order.into_iter().map(|(c, d)| (c.to_owned(), d)).collect());
        (vec(test(columns), 0..3), order, option::of(0usize..5)).prop_map(
            move |(tests, order, limit)| Question {
                table,
                tests,
                order,
                limit,
            },
        )
    })
}

fn test(columns: Vec<&'static str>) -> impl Strategy<Value = (String, &'static str, Value)> {
    let has_tags = columns.contains(&"f");
    let compared = (
        one_of(columns),
        one_of(vec!["eq", "eq", "eq", "ne", "lt", "le", "gt", "ge"]),
    )
        .prop_flat_map(|(column, test)| {
            let value = match column {
                "id" => one_of(&IDS).prop_map(Value::from).boxed(),
                "idx" => (0i64..40)
                    .prop_map(|n| Value::Int(crate::support::NOON + n))
                    .boxed(),
                "n" | "slot" => number(),
                "f" => float(),
                _ => text(),
            };
            value.prop_map(move |value| (column.to_owned(), test, value))
        })
        .boxed();
    if !has_tags {
        return compared;
    }
    let tag = one_of(vec![
        Value::Null,
        "".into(),
        "a".into(),
        "a,b".into(),
        "a\u{0}b".into(),
    ]);
    let has = tag.prop_map(|tag| ("tags".to_owned(), "has", tag));
    prop_oneof![6 => compared, 1 => has].boxed()
}
