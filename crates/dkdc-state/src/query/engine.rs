//! DuckDB in memory: opened, locked down, and asked.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use duckdb::{Config, Connection};

use super::judge::Judge;
use super::pin::Pinned;
use super::scan;
use super::stage::Stage;
use super::{Answer, Setup, files, views};
use crate::error::{Error, Result};
use crate::log::{Store, hash, spill};
use crate::mirror;
use crate::record::Idx;

/// One DuckDB.
pub(crate) struct Engine {
    connection: Mutex<Connection>,
    /// Connections that are between two questions.
    idle: Mutex<Vec<Session>>,
    stage: Stage,
    judge: Judge,
    /// Answers for snapshots that are older than what this one has in memory.
    past: Mutex<Option<Arc<Engine>>>,
}

/// Connections that are kept.
const IDLE: usize = 16;

/// A connection, for one question at a time. Nothing that one question does
/// there is seen by the next: its transaction is rolled back.
pub(super) struct Session {
    connection: Connection,
    token: i64,
    /// The snapshot that the views were last told.
    idx: Option<Idx>,
}

impl Session {
    fn new(connection: Connection) -> Result<Session> {
        let mut token = [0; 8];
        hash::random(&mut token)?;
        let token = i64::from_le_bytes(token);
        connection
            .execute_batch(&format!("SET VARIABLE dkdc = {token}::BIGINT"))
            .map_err(refused)?;
        Ok(Session {
            connection,
            token,
            idx: None,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What stands for the snapshot of this connection's question.
    pub(super) fn token(&self) -> i64 {
        self.token
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.connection.execute_batch("BEGIN").map_err(refused)
    }

    /// Tells the views where to cut.
    pub(super) fn set_idx(&mut self, idx: Idx) -> Result<()> {
        if self.idx != Some(idx) {
            self.idx = None;
            self.connection
                .execute_batch(&format!("SET VARIABLE dkdc_idx = make_timestamp({idx})"))
                .map_err(refused)?;
            self.idx = Some(idx);
        }
        Ok(())
    }
}

/// A question that is under way.
pub(super) struct Begun {
    pub(super) session: Session,
    pinned: Pinned,
    engine: Arc<Engine>,
}

/// A connection that can be used again, and whose it is.
pub(super) type Ended = Option<(Arc<Engine>, Session)>;

impl Store {
    /// The store's DuckDB, opened by the first who asks.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>> {
        let hot = self.config.hot_rows_bytes;
        once(&self.engine, || {
            Engine::open(self, &Setup::default(), Stage::of_new(hot))
        })
    }
}

/// What is there, or is made now.
fn once(
    place: &Mutex<Option<Arc<Engine>>>,
    open: impl FnOnce() -> Result<Engine>,
) -> Result<Arc<Engine>> {
    let mut engine = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = &*engine {
        return Ok(Arc::clone(engine));
    }
    let opened = Arc::new(open()?);
    *engine = Some(Arc::clone(&opened));
    Ok(opened)
}

/// DuckDB's words, without its prefix for this kind of error being lost.
pub(super) fn refused(error: duckdb::Error) -> Error {
    Error::Query(match error {
        duckdb::Error::DuckDBFailure(_, Some(message)) => message,
        other => other.to_string(),
    })
}

impl Engine {
    /// Opens DuckDB, loads files as tables, and locks it down.
    pub(super) fn open(store: &Store, setup: &Setup, stage: Stage) -> Result<Engine> {
        let connection = open().map_err(refused)?;
        // DuckDB makes the folder when it spills, removes it at its end, and
        // shares it with other processes.
        let spill = match store.read_only {
            None => spill::folder(&store.path),
            Some(_) => PathBuf::new(),
        };
        let spill = views::literal(&spill.to_string_lossy());
        let limit = setup.memory_limit.map_or(String::new(), |bytes| {
            format!("SET memory_limit = '{bytes}B';")
        });
        connection
            .execute_batch(&format!("SET temp_directory = {spill}; {limit}"))
            .map_err(refused)?;
        for (name, path) in &setup.files {
            files::load(&connection, name, path)?;
        }
        let mirror = mirror::folder(&store.path);
        let mirror = views::literal(&format!("{}/", mirror.to_string_lossy()));
        connection
            .execute_batch(&format!(
                "SET immediate_transaction_mode = true; SET parquet_metadata_cache = true; \
                 SET allowed_directories = [{mirror}]; SET enable_external_access = false; \
                 SET lock_configuration = true"
            ))
            .map_err(refused)?;
        scan::register(&connection).map_err(refused)?;
        Ok(Engine {
            connection: Mutex::new(connection),
            idle: Mutex::default(),
            stage,
            judge: Judge::default(),
            past: Mutex::default(),
        })
    }

    /// A connection for one question.
    fn session(&self) -> Result<Session> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(session) = idle {
            return Ok(session);
        }
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let connection = connection.try_clone().map_err(refused)?;
        Session::new(connection)
    }

    /// Takes back a connection whose question has ended by itself.
    pub(super) fn take_back(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(session);
        }
    }

    /// Begins a question: of a snapshot, or of the state as it is now.
    pub(super) fn begin(
        self: &Arc<Engine>,
        store: &Arc<Store>,
        at: Option<Idx>,
        query: &str,
    ) -> Result<Begun> {
        let mut session = self.session()?;
        let judged = self.judge.only_reads(session.connection(), query)?;
        if let Some(pinned) = self.stage.enter(&mut session, store, at, &judged)? {
            return Ok(Begun {
                session,
                pinned,
                engine: Arc::clone(self),
            });
        }
        self.take_back(session);
        let past = once(&self.past, || {
            Engine::open(store, &Setup::default(), Stage::of_any())
        })?;
        past.begin(store, at, query)
    }
}

impl Begun {
    /// Asks, and hands over the columns and the rows as they come. Gives the
    /// connection back when nothing of the question is left on it.
    pub(super) fn answer(self, query: &str, answer: &Answer) -> Ended {
        let Begun {
            session,
            pinned,
            engine,
        } = self;
        let mut told = false;
        let asked = ask(session.connection(), query, answer, &mut told);
        let asked = asked.map_err(|error| pinned.cause(error));
        if let Err(error) = asked.and_then(|()| pinned.verify()) {
            // Whoever asked waits for the columns or for rows, or is gone.
            let _ = if told {
                answer.send.send(Err(error)).is_ok()
            } else {
                answer.tell.send(Err(error)).is_ok()
            };
        }
        drop(pinned);
        let ended = session.connection().execute_batch("ROLLBACK");
        ended.is_ok().then_some((engine, session))
    }
}

fn ask(connection: &Connection, query: &str, answer: &Answer, told: &mut bool) -> Result<()> {
    let mut statement = connection.prepare(query).map_err(refused)?;
    let rows = statement.stream_arrow([]).map_err(refused)?;
    let schema = distinct(rows.get_schema());
    if answer.tell.send(Ok(Arc::clone(&schema))).is_err() {
        return Ok(());
    }
    *told = true;
    for batch in rows {
        let batch = batch.map_err(refused)?;
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())
            .map_err(|error| Error::Query(error.to_string()))?;
        if answer.send.send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The same columns, none of whose names is another's: the second `id` is
/// `id_1`, as DuckDB names them when it makes a table of an answer.
fn distinct(schema: SchemaRef) -> SchemaRef {
    let names = schema.fields().iter().map(|field| field.name().clone());
    let mut taken: HashSet<String> = names.collect();
    if taken.len() == schema.fields().len() {
        return schema;
    }
    let mut met = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if met.insert(field.name()) {
            return Arc::clone(field);
        }
        let mut names = (1..).map(|n: u64| format!("{}_{n}", field.name()));
        let name = names.find(|name| taken.insert(name.clone()));
        Arc::new(Field::clone(field).with_name(name.unwrap_or_default()))
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the query layer opens DuckDB here"
)]
fn open() -> duckdb::Result<Connection> {
    let config = Config::default()
        .enable_autoload_extension(false)?
        .with("autoinstall_known_extensions", "false")?
        .with("allow_community_extensions", "false")?
        .with("allow_unredacted_secrets", "false")?;
    Connection::open_in_memory_with_flags(config)
}
