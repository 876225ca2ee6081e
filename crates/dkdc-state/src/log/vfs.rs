//! A read that gives less than the file has: an error, and no zeros.
//!
//! SQLite takes what a read lacks at its end for zeros, since that is so where a file
//! ends, and it does read there: a page that is new. But where the file goes on, zeros
//! are a page without its rows: a record would be missing, a write would go by that, and
//! what is written then is what a sound store never holds. So it is with journals, which
//! would seem to be at their end, and with temporary files.
//!
//! And the `-wal` grows by more than a commit at a time: a file that is longer than
//! before costs a sync twice as much as one that is not, and until the first checkpoint
//! starts the `-wal` anew each commit would make it longer.
//!
//! A VFS of SQLite's that is another one, but for these calls: the files that it opens
//! are the other's own, with its locks and its shared memory.
#![expect(
    unsafe_code,
    reason = "SQLite opens and reads files through tables of C functions"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::error::{Error, Result};

type Read = unsafe extern "C" fn(*mut sqlite3_file, *mut c_void, c_int, sqlite3_int64) -> c_int;
type Write = unsafe extern "C" fn(*mut sqlite3_file, *const c_void, c_int, sqlite3_int64) -> c_int;
type Close = unsafe extern "C" fn(*mut sqlite3_file) -> c_int;
type Sync = unsafe extern "C" fn(*mut sqlite3_file, c_int) -> c_int;

/// Commits of fewer bytes are small: what a sync costs is most of what they cost.
const SMALL: i64 = 64 << 10;
/// Bytes of the header of a `-wal`.
const HEADER: i64 = 32;
/// A `-wal` is lengthened by as much as it has, and this at most.
const AHEAD: i64 = 512 << 10;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A VFS with another way to open. SQLite is given the first field.
#[repr(C)]
struct Vfs {
    vfs: sqlite3_vfs,
    of: *mut sqlite3_vfs,
    /// See [`WalMethods`].
    growth: usize,
}

/// Methods of a file, with another way to read, and of a `-wal` to write and to sync.
/// SQLite is given the first field.
#[repr(C)]
struct Methods {
    methods: sqlite3_io_methods,
    of: *const sqlite3_io_methods,
    read: Read,
    close: Close,
    /// For a `-wal`.
    wal: Option<WalMethods>,
}

#[derive(Clone, Copy)]
struct WalMethods {
    write: Write,
    sync: Sync,
    /// Where a file of this VFS has its [`Growth`], in bytes from its beginning.
    growth: usize,
}

/// How a `-wal` grows, as far as one handle knows.
#[derive(Default)]
struct Growth {
    /// The file is as long, or longer.
    known: i64,
    /// Bytes written since the last sync, and between that and the one before.
    written: i64,
    before: i64,
}

/// What was made: one for each VFS that was the default one, and for each table of
/// methods of its files. Two or three.
struct Made {
    vfs: Vec<(*mut sqlite3_vfs, &'static CStr)>,
    methods: Vec<&'static Methods>,
}

// SAFETY: the pointers are to what SQLite uses from all threads.
unsafe impl Send for Made {}

static MADE: Mutex<Made> = Mutex::new(Made {
    vfs: Vec::new(),
    methods: Vec::new(),
});

fn made() -> MutexGuard<'static, Made> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a VFS that is SQLite's default one, with files that are read whole.
///
/// # Errors
/// When SQLite has no VFS, or refuses this one.
pub(super) fn whole_reads() -> Result<&'static CStr> {
    // SAFETY: it initializes SQLite if need be, and gives the default VFS.
    let of = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if of.is_null() {
        return Err(refused(ffi::SQLITE_ERROR));
    }
    let mut made = made();
    if let Some((_, name)) = made.vfs.iter().find(|(known, _)| *known == of) {
        return Ok(name);
    }
    let name = format!("dkdc-whole-reads-{}", made.vfs.len());
    let name = CString::new(name).map_err(|_| refused(ffi::SQLITE_MISUSE))?;
    let name: &'static CStr = Box::leak(name.into_boxed_c_str());
    // SAFETY: what is registered is complete, and stays.
    let own = unsafe { *of };
    // Of a program that made one of these its default: it is whole already.
    if made
        .vfs
        .iter()
        .any(|(_, name)| ptr::eq(name.as_ptr(), own.zName))
    {
        // SAFETY: it is the name of one that was made here.
        return Ok(unsafe { CStr::from_ptr(own.zName) });
    }
    let growth = room(&own).next_multiple_of(align_of::<Growth>());
    let whole = growth + size_of::<Growth>();
    let vfs = sqlite3_vfs {
        zName: name.as_ptr(),
        pNext: ptr::null_mut(),
        szOsFile: c_int::try_from(whole).map_err(|_| refused(ffi::SQLITE_MISUSE))?,
        xOpen: Some(open),
        ..own
    };
    // From now on SQLite's, which writes its list of them into it.
    let vfs = Box::into_raw(Box::new(Vfs { vfs, of, growth }));
    // SAFETY: it is complete, and stays, with its name.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs.cast(), 0) };
    if code != ffi::SQLITE_OK {
        return Err(refused(code));
    }
    made.vfs.push((of, name));
    Ok(name)
}

/// Bytes of an open file.
fn room(vfs: &sqlite3_vfs) -> usize {
    usize::try_from(vfs.szOsFile).unwrap_or(0)
}

fn refused(code: c_int) -> Error {
    Error::Sqlite {
        path: PathBuf::new(),
        code,
        message: "no way to files (VFS)".to_owned(),
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this for a VFS that [`whole_reads`] made, with as much room
    // for a file as that asks for; the arguments are its own.
    unsafe {
        let Vfs { of, growth, .. } = *vfs.cast::<Vfs>();
        let Some(open) = (*of).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = open(of, name, file, flags, out);
        let wal = (flags & ffi::SQLITE_OPEN_WAL != 0).then_some(growth);
        // Also one that could not be opened may have methods, by which it is closed.
        if !(*file).pMethods.is_null()
            && let Some(methods) = methods((*file).pMethods, wal)
        {
            if let Some(growth) = wal {
                file.byte_add(growth)
                    .cast::<Growth>()
                    .write(Growth::default());
            }
            (*file).pMethods = ptr::from_ref(methods).cast();
        }
        code
    }
}

/// The same methods with [`read`], and with [`write`] and [`sync`] for a `-wal` whose
/// [`Growth`] is there; none if a file cannot be read, written and synced at all.
///
/// # Safety
/// `of` are the methods of a file that was just opened, and static, as all are that
/// SQLite has.
unsafe fn methods(
    of: *const sqlite3_io_methods,
    growth: Option<usize>,
) -> Option<&'static Methods> {
    let mut made = made();
    let known = made.methods.iter().find(|known| {
        let wal = known.wal.map(|wal| wal.growth);
        known.of == of && wal == growth
    });
    if let Some(known) = known {
        return Some(known);
    }
    // SAFETY: static, and plain values.
    let mut methods = unsafe { *of };
    let read = methods.xRead.replace(read)?;
    let close = methods.xClose.replace(close)?;
    let wal = match growth {
        None => None,
        Some(growth) => Some(WalMethods {
            write: methods.xWrite.replace(write)?,
            sync: methods.xSync.replace(sync)?,
            growth,
        }),
    };
    let methods: &'static Methods = Box::leak(Box::new(Methods {
        methods,
        of,
        read,
        close,
        wal,
    }));
    made.methods.push(methods);
    Some(methods)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls this through a table that [`methods`] made; the arguments are
    // its own.
    unsafe {
        let read = (*(*file).pMethods.cast::<Methods>()).read;
        let code = read(file, to, len, at);
        if code != ffi::SQLITE_IOERR_SHORT_READ || !has(file, len, at) {
            return code;
        }
        // It may have grown since it was read.
        match read(file, to, len, at) {
            // With any other code SQLite would go on with what it has in memory.
            ffi::SQLITE_IOERR_SHORT_READ => ffi::SQLITE_IOERR_READ,
            code => code,
        }
    }
}

/// A file is closed as it was opened: what it is closed by may look at its methods.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite calls this through a table that [`methods`] made.
    unsafe {
        let methods = (*file).pMethods.cast::<Methods>();
        let (of, close) = ((*methods).of, (*methods).close);
        (*file).pMethods = of;
        close(file)
    }
}

/// Whether a file is so long that all of it could be read.
///
/// # Safety
/// `file` is open.
unsafe fn has(file: *mut sqlite3_file, len: c_int, at: sqlite3_int64) -> bool {
    // SAFETY: as above.
    let length = unsafe { length(file) };
    length.is_some_and(|length| length >= at + sqlite3_int64::from(len))
}

/// How long a file is, if that can be said.
///
/// # Safety
/// `file` is open.
unsafe fn length(file: *mut sqlite3_file) -> Option<i64> {
    let mut length = 0;
    // SAFETY: an open file has its methods; SQLite sets the number.
    let code = unsafe { (*(*file).pMethods).xFileSize?(file, &raw mut length) };
    (code == ffi::SQLITE_OK).then_some(length)
}

/// Writes to a `-wal`, and makes it longer where it ends: by zeros, which SQLite takes
/// for no frame, as it does what is left of older ones. It writes there under the lock of
/// the one writer, so nobody else writes behind the end.
unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls this through a table that [`methods`] made for a `-wal`, for a
    // file of the VFS for which it was made; the arguments are its own.
    unsafe {
        let Some(wal) = (*(*file).pMethods.cast::<Methods>()).wal else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let code = (wal.write)(file, from, len, at);
        let growth = &mut *file.byte_add(wal.growth).cast::<Growth>();
        let end = at + i64::from(len);
        growth.written += i64::from(len);
        if at == 0 {
            // Begun anew, after it was cut off perhaps. It is asked for no more often:
            // where times are exact to whoever asks, the next sync would write them.
            growth.known = 0;
        }
        let is_small = growth.written < SMALL && (1..SMALL).contains(&growth.before);
        if code != ffi::SQLITE_OK || end <= growth.known || !is_small {
            return code;
        }
        growth.known = length(file).unwrap_or(0);
        if end == growth.known {
            let more = end.min(AHEAD);
            while growth.known < end + more {
                let left = end + more - growth.known;
                let zeros = ZEROS
                    .get(..usize::try_from(left).unwrap_or(0))
                    .unwrap_or(&ZEROS);
                let count = c_int::try_from(zeros.len()).unwrap_or(0);
                // Without room for it, SQLite is told when it needs it.
                if (wal.write)(file, zeros.as_ptr().cast(), count, growth.known) != ffi::SQLITE_OK {
                    break;
                }
                growth.known += i64::from(count);
            }
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as of [`write`].
    unsafe {
        let Some(wal) = (*(*file).pMethods.cast::<Methods>()).wal else {
            return ffi::SQLITE_IOERR_FSYNC;
        };
        let growth = &mut *file.byte_add(wal.growth).cast::<Growth>();
        // That of the header alone, which is written before a first commit, is none.
        if growth.written > HEADER {
            growth.before = growth.written;
        }
        growth.written = 0;
        (wal.sync)(file, flags)
    }
}
