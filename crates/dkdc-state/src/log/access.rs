//! What the file and its folder permit, and the first connection of that kind.
//!
//! A database in WAL mode whose folder cannot be written, and that nobody has
//! open, can be read only as *immutable*: SQLite then takes no lock and looks at
//! no `-wal`. Nothing would tell such a connection that somebody who may write
//! does. So it is used only while the file has the size and times that it had,
//! and no `-wal` has content ([`Frozen`]): that is looked at before and after
//! each read, by `stat` alone. When it is not so any more, the next read opens
//! the file anew; the read that was under way is refused.
//!
//! A process that dies while it makes a store, before that is in WAL mode, leaves
//! a journal by which the file must be taken back before it is read. Whoever may
//! write does that, also on behalf of a handle that only reads: SQLite itself
//! would refuse such a handle, as if the file could not be written.
//!
//! What is made of a store beside it is for those who may use the store: SQLite sees
//! to the `-wal`, [`share`] and its kin to the rest.
//!
//! Running out of descriptors looks to SQLite like a file that may not be
//! opened. A store is read-only because of its permissions or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::identity::beside;
use super::open::connection;
use super::{Config, DbResult, registry};
use crate::error::{Error, Result};

/// A connection that reads.
pub(crate) struct Pooled {
    pub(crate) conn: Connection,
    /// For one that is immutable: the file that it reads.
    pub(crate) frozen: Option<Frozen>,
}

impl Pooled {
    /// Refuses what was read, or is to be, when somebody wrote the file under an
    /// immutable connection.
    pub(crate) fn verify(&self, path: &Path) -> Result<()> {
        match &self.frozen {
            Some(frozen) if Frozen::of(path).as_ref() != Some(frozen) => Err(Error::Changed {
                path: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// A file while nobody writes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frozen {
    file: Stamp,
}

/// Device, inode, size, and when content and status last changed.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

#[cfg(unix)]
fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(path).ok()?;
    let modified = (meta.mtime(), meta.mtime_nsec());
    let changed = (meta.ctime(), meta.ctime_nsec());
    Some((meta.dev(), meta.ino(), meta.size(), modified, changed))
}

#[cfg(not(unix))]
fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    let since = meta.modified().ok()?;
    let since = since.duration_since(std::time::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    let modified = (seconds, i64::from(since.subsec_nanos()));
    Some((0, 0, meta.len(), modified, modified))
}

impl Frozen {
    /// The file as it is; `None` when a `-wal` has what it lacks.
    fn of(path: &Path) -> Option<Frozen> {
        let wal = fs::metadata(beside(path, "-wal"));
        let alone = wal.map_or(true, |wal| wal.len() == 0);
        let file = stamp(path).filter(|_| alone)?;
        Some(Frozen { file })
    }
}

const READ: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The first connection, as capable as the file permits, and why it can only
/// read if that is so.
pub(super) fn connect(path: &Path, config: &Config) -> Result<(Option<String>, Pooled)> {
    if config.read_only {
        let why = "it was opened read-only".to_owned();
        return Ok((Some(why), frozen_reader(path, config)?));
    }
    let not_writable = "the file or its folder is not writable".to_owned();
    if path.exists() && unwritable(path) {
        return Ok((Some(not_writable), frozen_reader(path, config)?));
    }
    for ending in ["-wal", "-shm"] {
        let own = beside(path, ending);
        if own.exists() && unwritable(&own) {
            let why = format!("{} is another user's", own.display());
            return Ok((Some(why), frozen_reader(path, config)?));
        }
    }
    if config.create {
        // SQLite would make it without a look at the umask; why it cannot, it says.
        let _ = File::options().write(true).create_new(true).open(path);
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, config.create);
    let refused = match started(path, flags, config) {
        Ok(conn) if !conn.is_readonly("main").db()? => {
            return Ok((None, Pooled { conn, frozen: None }));
        }
        Ok(_) => None,
        Err(error) if !is_permission(&error) => return Err(foreign(path, error)),
        Err(error) => Some(error),
    };
    if !(unwritable(path) || unwritable(folder(path))) {
        return Err(refused.unwrap_or_else(|| Error::Sqlite {
            path: PathBuf::new(),
            code: rusqlite::ffi::SQLITE_CANTOPEN,
            message: "it may be written, but could not be opened so".to_owned(),
        }));
    }
    if let Some(error) = refused.filter(|_| !path.exists()) {
        return Err(Error::ReadOnly {
            path: path.to_owned(),
            why: error.to_string().trim_start_matches(": ").to_owned(),
        });
    }
    Ok((Some(not_writable), frozen_reader(path, config)?))
}

/// Refuses a store beside which there is a rollback journal: it is in WAL mode, so
/// that is none of its own, and SQLite would take the store back by it. The one that
/// it can have is of whoever put it into WAL mode, and died, or is at it.
pub(super) fn refuse_journal(path: &Path) -> Result<()> {
    let journal = beside(path, "-journal");
    let is_there = fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0);
    // Its header is not read under others of this process, who may have locks on it.
    if !is_there || registry::is_open(path) {
        return Ok(());
    }
    let mut header = [0; 72];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let in_wal_mode = header[18..20] == [2, 2];
    let is_store = read.is_ok() && header.ends_with(b"dkdc") && in_wal_mode;
    if !is_store || begins_before_wal_mode(&journal).unwrap_or(false) {
        return Ok(());
    }
    Err(Error::NotAStore {
        path: path.to_owned(),
        why: format!(
            "there is {}, which is none of its own and would change it: move that away",
            journal.display()
        ),
    })
}

/// True for a journal whose first page is the database's first one in another mode than
/// WAL. Format: <https://www.sqlite.org/fileformat2.html>, "The Rollback Journal".
fn begins_before_wal_mode(journal: &Path) -> io::Result<bool> {
    let mut journal = File::open(journal)?;
    let mut header = [0; 28];
    journal.read_exact(&mut header)?;
    let sector = [header[20], header[21], header[22], header[23]];
    journal.seek(SeekFrom::Start(u32::from_be_bytes(sector).into()))?;
    let mut page = [0; 4 + 20];
    journal.read_exact(&mut page)?;
    Ok(page[..4] == [0, 0, 0, 1] && page[4 + 18..] != [2, 2])
}

/// One more reader of a file that can be locked.
pub(super) fn reader(path: &Path, config: &Config) -> Result<Pooled> {
    let conn = connection(path, READ, config)?;
    Ok(Pooled { conn, frozen: None })
}

/// A reader of a file that perhaps cannot be locked.
pub(super) fn frozen_reader(path: &Path, config: &Config) -> Result<Pooled> {
    // To lock it, SQLite would make a `-wal` and a `-shm` of this process's own, which
    // those who may write the store could not write.
    if unwritable(path)
        && !unwritable(folder(path))
        && !beside(path, "-wal").exists()
        && let Some(frozen) = Frozen::of(path)
    {
        return immutable(path, config, frozen);
    }
    let mut opened = started(path, READ, config);
    if opened.as_ref().is_err_and(is_half_made) && !(unwritable(path) || unwritable(folder(path))) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        started(path, flags, config).map_err(|error| foreign(path, error))?;
        opened = started(path, READ, config);
    }
    let error = match opened {
        Ok(conn) => return Ok(Pooled { conn, frozen: None }),
        Err(error) if is_permission(&error) && unwritable(folder(path)) => error,
        Err(error) => return Err(foreign(path, error)),
    };
    // Before the file is opened: what changes from then on, shows.
    let Some(frozen) = Frozen::of(path) else {
        return Err(error);
    };
    immutable(path, config, frozen)
}

fn immutable(path: &Path, config: &Config, frozen: Frozen) -> Result<Pooled> {
    let conn = connection(&immutable_uri(path), READ, config)?;
    let conn = Pooled {
        conn,
        frozen: Some(frozen),
    };
    // What it was when it was opened.
    conn.verify(path)?;
    Ok(conn)
}

/// A connection whose first lock and first page have told what the file permits.
fn started(path: &Path, flags: OpenFlags, config: &Config) -> Result<Connection> {
    let conn = connection(path, flags, config)?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .db()?;
    Ok(conn)
}

fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            _ => uri += &format!("%{byte:02x}"),
        }
    }
    PathBuf::from(uri + "?immutable=1")
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Why a file that is there may not be read, if it is for that.
#[cfg(unix)]
pub(super) fn unreadable(path: &Path) -> Option<io::Error> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    match accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS) {
        Err(error @ (Errno::ACCESS | Errno::PERM)) => Some(error.into()),
        _ => None,
    }
}

#[cfg(not(unix))]
pub(super) fn unreadable(_path: &Path) -> Option<io::Error> {
    None
}

/// True when the system says that this process may not write here. Asks nothing
/// that opens a file.
#[cfg(unix)]
fn unwritable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    let may = accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS);
    matches!(may, Err(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

#[cfg(not(unix))]
fn unwritable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().readonly())
}

/// How a file is made that holds what a store does: until it is shared, it is its
/// maker's alone.
pub(crate) fn new_file() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder for such files. False: it is there.
pub(crate) fn new_folder(folder: &Path) -> io::Result<bool> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets those use a new file who may use the store. What fails leaves it to fewer.
#[cfg(unix)]
pub(crate) fn share(store: &Path, file: &File) {
    if let (Ok(store), Ok(own)) = (fs::metadata(store), file.metadata()) {
        permit(file, &own, like(&store, file, &own));
    }
}

/// The same for what may be thrown away: root leaves it to the store's owner.
#[cfg(unix)]
pub(crate) fn share_derived(store: &Path, file: &File) {
    give(store, file);
    share(store, file);
}

/// The same for the folder of that. One that is there, and is another owner's than the
/// store, is only closed; a link leads to where somebody keeps it on purpose.
#[cfg(unix)]
pub(crate) fn share_folder(store: &Path, folder: &Path, is_new: bool) {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(opened) = open(folder, flags, Mode::empty()) else {
        return;
    };
    let opened = File::from(opened);
    if is_new {
        give(store, &opened);
    }
    let (Ok(store), Ok(own)) = (fs::metadata(store), opened.metadata()) else {
        return;
    };
    let searched = |mode: u32| mode | ((mode & 0o444) >> 2);
    let mode = if is_new || own.uid() == store.uid() {
        searched(like(&store, &opened, &own))
    } else {
        searched(usable(&store)) & own.mode()
    };
    permit(&opened, &own, mode);
}

/// Who may read and write a store; whoever makes something of it can do so.
#[cfg(unix)]
fn usable(store: &fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    (store.mode() & 0o666) | 0o600
}

/// The mode that lets the same read and write a file as a store. Another group than
/// the store's, if it cannot be that, may do what everybody may.
#[cfg(unix)]
fn like(store: &fs::Metadata, file: &File, own: &fs::Metadata) -> u32 {
    use std::os::unix::fs::{MetadataExt, fchown};
    let mode = usable(store);
    if own.gid() == store.gid() || fchown(file, None, Some(store.gid())).is_ok() {
        mode
    } else {
        mode & (0o707 | ((mode & 0o007) << 3))
    }
}

/// Gives a file to the store's owner, which only root can.
#[cfg(unix)]
fn give(store: &Path, file: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let (Ok(store), Ok(own)) = (fs::metadata(store), file.metadata())
        && own.uid() != store.uid()
    {
        // Where that is refused, it is its maker's.
        let _ = fchown(file, Some(store.uid()), None);
    }
}

#[cfg(unix)]
fn permit(file: &File, own: &fs::Metadata, mode: u32) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if own.mode() & 0o777 == mode {
        return;
    }
    let mode = fs::Permissions::from_mode((own.mode() & 0o7000) | mode);
    if let Err(error) = file.set_permissions(mode) {
        tracing::debug!(%error, "a file of the store's is for fewer than the store");
    }
}

#[cfg(not(unix))]
pub(crate) fn share(_store: &Path, _file: &File) {}

#[cfg(not(unix))]
pub(crate) fn share_derived(_store: &Path, _file: &File) {}

#[cfg(not(unix))]
pub(crate) fn share_folder(_store: &Path, _folder: &Path, _is_new: bool) {}

fn is_permission(error: &Error) -> bool {
    // READONLY, CANTOPEN, PERM and their extended codes.
    matches!(error, Error::Sqlite { code, .. } if matches!(code & 0xff, 3 | 8 | 14))
}

/// A journal must be played back before the file can be read.
fn is_half_made(error: &Error) -> bool {
    matches!(error, Error::Sqlite { code, .. } if *code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// What SQLite says of a file that is none of its own.
pub(super) fn foreign(path: &Path, error: Error) -> Error {
    match error {
        Error::Sqlite { code: 26, .. } => Error::NotAStore {
            path: path.to_owned(),
            why: "it is no SQLite database".to_owned(),
        },
        other => other,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::state::State;

    #[test]
    fn a_file_of_any_name_is_read_as_immutable() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            &b"a?b#c%41 d&e=f.db"[..],
            b"\xff\xfe'\".db",
            "ä.db".as_bytes(),
        ] {
            let path = folder.path().join(OsStr::from_bytes(name));
            let options = State::options();
            drop(options.clone().open(&path).expect("a store"));
            let conn = connection(&immutable_uri(&path), READ, options.config());
            let conn = conn.expect("a connection");
            let stores = conn.query_row("SELECT count(*) FROM _dkdc_store", [], |row| row.get(0));
            assert_eq!(stores, Ok(1), "{}", path.display());
        }
    }

    #[test]
    fn a_write_by_whomever_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        drop(State::open(&path).expect("a store"));
        let frozen = || Frozen::of(&path);
        let before = frozen();
        assert!(before.is_some() && frozen() == before);
        let state = State::open(&path).expect("a store");
        let def = crate::schema::TableDef::new("t");
        state.define(&def).expect("a table");
        assert!(frozen() != before, "in the -wal or in the file");
        drop(state);
        assert!(frozen().is_some() && frozen() != before, "in the file");
    }
}
