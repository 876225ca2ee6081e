//! The format on disk: the SQL text of every table, trigger and statement.
//!
//! docs/format.md describes what this file makes. Other tools may read all of
//! it; the guards below keep them from changing rows by accident.

use crate::record::Idx;
use crate::schema::sql::{declared, quote};
use crate::schema::{Column, Index, TableSchema};

/// "dkdc" in ASCII, in the SQLite header.
pub(crate) const APPLICATION_ID: i64 = 0x646b_6463;
/// The newest format this code knows; `user_version` in the SQLite header.
pub(crate) const FORMAT: i64 = 3;

/// Whether the version with this number, which replaces another, leaves a
/// waypoint, from which a read as of a moment walks back. One in 32 does, by a
/// hash of the number (the end of splitmix64): so a walk takes 32 steps on
/// average, however long the history, and nothing need be counted.
pub(crate) fn is_waypoint(idx: Idx) -> bool {
    let mut mixed = idx.as_micros().cast_unsigned();
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(32)
}

/// The codes of the operations after which there is no record.
pub(crate) const DEAD: &str = "3, 5";

/// (table, id, idx)
pub(crate) const INSERT_WAYPOINT: &str =
    "INSERT INTO _dkdc_waypoints(\"table\", id, idx) VALUES (?1, ?2, ?3)";

/// The store's own tables; those that came with a later format stand below.
pub(crate) const STORE_TABLES: &str = "
CREATE TABLE _dkdc_store(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  created INTEGER NOT NULL,
  begins INTEGER NOT NULL
) STRICT;
CREATE TABLE _dkdc_tables(
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  columns TEXT NOT NULL,
  indexes TEXT NOT NULL,
  floor INTEGER NOT NULL,
  anchor BLOB NOT NULL
) STRICT;
CREATE TABLE _dkdc_events(
  idx INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  \"table\" INTEGER,
  detail TEXT NOT NULL,
  _hash BLOB NOT NULL
) STRICT;
CREATE TABLE _dkdc_commits(
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  wall INTEGER
) STRICT;
CREATE INDEX _dkdc_commits_wall ON _dkdc_commits(last, wall) WHERE wall IS NOT NULL;
CREATE TABLE _dkdc_heads(
  \"table\" INTEGER PRIMARY KEY,
  upto INTEGER NOT NULL
) STRICT;
CREATE TABLE _dkdc_waypoints(
  \"table\" INTEGER NOT NULL,
  id TEXT NOT NULL,
  idx INTEGER NOT NULL,
  PRIMARY KEY (\"table\", id, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE _dkdc_chunks(
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  codec INTEGER NOT NULL,
  put INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE _dkdc_reused(
  number INTEGER PRIMARY KEY,
  put INTEGER NOT NULL
) STRICT;
CREATE TABLE _dkdc_mirror(
  file TEXT PRIMARY KEY,
  \"table\" INTEGER NOT NULL,
  kind TEXT NOT NULL,
  after INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  hash BLOB NOT NULL,
  event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What came with format 3: where a chain goes on behind rows that were pruned,
/// and the requests that were answered.
pub(crate) const TABLES_3: &str = "
CREATE TABLE _dkdc_pruned(
  \"table\" INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (\"table\", upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE _dkdc_requests(
  key BLOB PRIMARY KEY,
  \"table\" INTEGER,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  print BLOB,
  answer BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The tables that came with format 3, by name.
pub(crate) const TABLE_NAMES_3: [&str; 2] = ["_dkdc_pruned", "_dkdc_requests"];

/// The store's own tables, by name.
pub(crate) const STORE_TABLE_NAMES: [&str; 11] = [
    "_dkdc_store",
    "_dkdc_tables",
    "_dkdc_events",
    "_dkdc_commits",
    "_dkdc_heads",
    "_dkdc_waypoints",
    "_dkdc_chunks",
    "_dkdc_reused",
    "_dkdc_mirror",
    TABLE_NAMES_3[0],
    TABLE_NAMES_3[1],
];

/// Triggers that keep other programs from writing a table. The function they
/// call exists nowhere: its name is the message. Our own connections have
/// triggers switched off.
pub(crate) fn guards(table: &str) -> String {
    GUARDED.map(|action| guard(action, table) + ";\n").concat()
}

/// What a guard refuses.
pub(crate) const GUARDED: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

pub(crate) fn guard_name(action: &str, table: &str) -> String {
    format!("_dkdc_guard_{}_{table}", action.to_lowercase())
}

/// One guard, as SQLite keeps its text.
pub(crate) fn guard(action: &str, table: &str) -> String {
    format!(
        "CREATE TRIGGER {} BEFORE {action} ON {} BEGIN SELECT only_dkdc_may_write(); END",
        quote(&guard_name(action, table)),
        quote(table),
    )
}

pub(crate) fn head_name(table: &str) -> String {
    format!("_dkdc_head_{table}")
}

pub(crate) fn index_name(table: &str, number: u32) -> String {
    format!("_dkdc_index_{table}_{number}")
}

/// One user column in `CREATE TABLE` or `ADD COLUMN`.
pub(crate) fn column(column: &Column) -> String {
    format!("{} {}", quote(&column.name), declared(column.ty))
}

/// The statement that makes one of the store's own tables.
pub(crate) fn store_table(name: &str) -> Option<&'static str> {
    let start = format!("CREATE TABLE {name}(");
    let mut all = STORE_TABLES.split_inclusive(";\n");
    all.find(|text| text.trim_start().starts_with(&start))
}

/// The head table of a log table.
pub(crate) fn create_head(table: &str) -> String {
    let head = head_name(table);
    format!(
        "CREATE TABLE {}(id TEXT PRIMARY KEY, idx INTEGER NOT NULL, \
         deleted INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n{}",
        quote(&head),
        guards(&head),
    )
}

/// The log table and its head.
pub(crate) fn create_table(schema: &TableSchema) -> String {
    let columns: String = schema
        .columns
        .iter()
        .map(|c| format!("{}, ", column(c)))
        .collect();
    format!(
        "CREATE TABLE {table}(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, {columns}\
         _prev INTEGER, _op INTEGER NOT NULL, _seal BLOB NOT NULL, _hash BLOB NOT NULL) STRICT;\n\
         {}{}",
        guards(&schema.name),
        create_head(&schema.name),
        table = quote(&schema.name),
    )
}

/// The table behind one index.
pub(crate) fn create_index(table: &str, index: &Index) -> String {
    let name = index_name(table, index.number);
    format!(
        "CREATE TABLE {}(key BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (key, id)) \
         STRICT, WITHOUT ROWID;\n{}",
        quote(&name),
        guards(&name),
    )
}

/// The number of the newest version of the record with this id, an expression
/// of the statement it is put in.
pub(crate) fn head_idx(schema: &TableSchema, id: &str) -> String {
    let number = schema.number;
    let head_table = format!("main.{}", quote(&head_name(&schema.name)));
    format!(
        "coalesce({}, {})",
        head_column(
            "idx",
            "temp._dkdc_recent",
            &format!("\"table\" = {number} AND id = {id}")
        ),
        head_column("idx", &head_table, &format!("id = {id}")),
    )
}

/// What a row is selected as, of the alias `l`, with NULL for the columns that are
/// not wanted.
pub(crate) fn row_columns(schema: &TableSchema, wanted: impl Fn(usize) -> bool) -> String {
    let mut list = "l.idx, l.id, l._prev, l._op".to_owned();
    for (at, column) in schema.columns.iter().enumerate() {
        list += ", ";
        if wanted(at) {
            list += "l.";
            list += &quote(&column.name);
        } else {
            list += "NULL";
        }
    }
    list
}

fn head_column(column: &str, table: &str, key: &str) -> String {
    format!("(SELECT {column} FROM {table} WHERE {key})")
}

/// The statements that are prepared again and again for one table.
#[derive(Debug)]
pub(crate) struct TableSql {
    /// (idx, id, columns..., _prev, _op, _seal, _hash)
    pub(crate) insert: String,
    /// id -> (idx, deleted), of the newest version, for a reader
    pub(crate) head: String,
    /// id -> (idx, deleted), as the head table has it
    pub(crate) folded_head: String,
    /// idx -> (idx, id, deleted) of newer rows, in order
    pub(crate) tail_heads: String,
    /// The `idx` of the newest row.
    pub(crate) newest: String,
    /// Whether the recent heads are complete.
    pub(crate) fresh: String,
    /// idx -> takes the heads of newer rows into a reader's recent ones
    pub(crate) recent: String,
    /// folded -> remembers that they are complete
    pub(crate) seen: String,
    /// (id, idx, deleted) in the head table
    pub(crate) fold: String,
    /// id -> (current, `fresh`)
    pub(crate) contains: String,
    /// id -> the row of the newest version, or NULLs; `fresh`; and the version that
    /// the head names, if there is no such row
    pub(crate) current: String,
    /// idx -> a row
    pub(crate) row: String,
    /// What a row is selected as, of the alias `l`: idx, id, _prev, _op, columns...
    pub(crate) row_columns: String,
    /// idx -> (id, _prev)
    pub(crate) step: String,
    /// The log table, the head table, quoted.
    pub(crate) table: String,
    pub(crate) head_table: String,
    /// All heads, recent and not, as a subquery: id, idx, deleted.
    pub(crate) heads: String,
    /// By place in `schema.indexes`: (key, id).
    pub(crate) index_insert: Vec<String>,
    pub(crate) index_delete: Vec<String>,
    /// (key, id) -> another id with the same key
    pub(crate) index_other: Vec<String>,
    /// The index as `i`, and the row that each entry's head names as `l`: NULLs for one
    /// that is not there, or another record's.
    pub(crate) index_rows: Vec<String>,
}

impl TableSql {
    pub(crate) fn new(schema: &TableSchema) -> TableSql {
        // With their schema: a name of a statement's own, or a temporary table,
        // must not stand for a user's table.
        let table = format!("main.{}", quote(&schema.name));
        let head_table = format!("main.{}", quote(&head_name(&schema.name)));
        let number = schema.number;
        let newest = format!("SELECT max(idx) FROM {table}");
        // A fold, and whoever takes rows out, moves `upto`.
        let fresh = format!(
            "(({newest}), coalesce((SELECT upto FROM main._dkdc_heads WHERE \"table\" = {number}), 0)) IS \
             (SELECT last, folded FROM temp._dkdc_seen WHERE \"table\" = {number})"
        );
        let recent_key = |id: &str| format!("\"table\" = {number} AND id = {id}");
        let names: String = schema
            .columns
            .iter()
            .map(|c| format!("{}, ", quote(&c.name)))
            .collect();
        let marks = "?, ".repeat(schema.columns.len() + 5);
        let row_columns = row_columns(schema, |_| true);
        let each = |sql: &dyn Fn(String) -> String| {
            let name = |index: &Index| quote(&index_name(&schema.name, index.number));
            schema
                .indexes
                .iter()
                .map(|index| sql(name(index)))
                .collect()
        };
        TableSql {
            insert: format!(
                "INSERT INTO {table}(idx, id, {names}_prev, _op, _seal, _hash) VALUES ({marks}?)"
            ),
            head: format!(
                "SELECT idx, deleted FROM temp._dkdc_recent WHERE \"table\" = {number} AND id = ?1 \
                 UNION ALL SELECT idx, deleted FROM {head_table} WHERE id = ?1 LIMIT 1"
            ),
            folded_head: format!("SELECT idx, deleted FROM {head_table} WHERE id = ?1"),
            tail_heads: format!(
                "SELECT idx, id, _op IN ({DEAD}) FROM {table} WHERE idx > ?1 ORDER BY idx"
            ),
            recent: format!(
                "INSERT OR REPLACE INTO temp._dkdc_recent(\"table\", id, idx, deleted) \
                 SELECT {number}, id, idx, _op IN ({DEAD}) FROM {table} WHERE idx > ?1 ORDER BY idx"
            ),
            seen: format!(
                "INSERT OR REPLACE INTO temp._dkdc_seen(\"table\", folded, last) \
                 VALUES ({number}, ?1, ({newest}))"
            ),
            fold: format!(
                "INSERT INTO {head_table}(id, idx, deleted) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (id) DO UPDATE SET idx = excluded.idx, deleted = excluded.deleted"
            ),
            contains: format!(
                "SELECT coalesce({}, {}, 0), {fresh}",
                head_column("1 - deleted", "temp._dkdc_recent", &recent_key("?1")),
                head_column("1 - deleted", &head_table, "id = ?1"),
            ),
            current: format!(
                "SELECT {row_columns}, {fresh}, CASE WHEN l.idx IS NULL THEN {head} END \
                 FROM (SELECT 1) LEFT JOIN {table} l ON l.idx = {head}",
                head = head_idx(schema, "?1")
            ),
            heads: format!(
                "(SELECT id, idx, deleted FROM temp._dkdc_recent WHERE \"table\" = {number} \
                 UNION ALL SELECT o.id, o.idx, o.deleted FROM {head_table} o WHERE NOT EXISTS \
                 (SELECT 1 FROM temp._dkdc_recent r WHERE r.\"table\" = {number} AND r.id = o.id))"
            ),
            fresh: format!("SELECT {fresh}"),
            newest,
            row: format!("SELECT {row_columns} FROM {table} l WHERE l.idx = ?"),
            step: format!("SELECT id, _prev FROM {table} WHERE idx = ?"),
            index_insert: each(&|name| format!("INSERT INTO {name}(key, id) VALUES (?1, ?2)")),
            index_delete: each(&|name| format!("DELETE FROM {name} WHERE key = ?1 AND id = ?2")),
            index_other: each(&|name| {
                format!("SELECT id FROM {name} WHERE key = ?1 AND id <> ?2 LIMIT 1")
            }),
            index_rows: each(&|name| {
                let head = head_idx(schema, "i.id");
                format!("{name} i LEFT JOIN {table} l ON l.idx = {head} AND l.id = i.id")
            }),
            row_columns,
            table,
            head_table,
        }
    }
}
