//! A read of the database file that gives less than the file has: an error, and no zeros.
//!
//! SQLite takes what a read lacks at its end for zeros, since that is so where a file
//! ends, and it does read there: a page that is new. But where the file goes on, zeros
//! are a page without its rows: a record would be missing, a write would go by that, and
//! what is written then is what a sound store never holds.
#![expect(
    unsafe_code,
    reason = "SQLite reads files through a table of C functions"
)]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

type Read = unsafe extern "C" fn(*mut sqlite3_file, *mut c_void, c_int, sqlite3_int64) -> c_int;

/// Methods of a file, with another way to read. SQLite is given the first field.
#[repr(C)]
struct Whole {
    methods: sqlite3_io_methods,
    of: *const sqlite3_io_methods,
    read: Read,
}

// SAFETY: made once, then only read; what it points to is static, as all methods are.
unsafe impl Send for Whole {}
// SAFETY: as above.
unsafe impl Sync for Whole {}

/// One for each table of methods that SQLite has: two or three.
static TABLES: Mutex<Vec<&'static Whole>> = Mutex::new(Vec::new());

/// From now on this connection reads of its file what is there, or nothing.
pub(super) fn refuse(conn: &Connection) {
    let mut file: *mut sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open; SQLite sets the pointer to its own file, which
    // lives as long as the connection, and nobody reads it yet.
    unsafe {
        let op = ffi::SQLITE_FCNTL_FILE_POINTER;
        let code =
            ffi::sqlite3_file_control(conn.handle(), c"main".as_ptr(), op, (&raw mut file).cast());
        if code != ffi::SQLITE_OK || file.is_null() || (*file).pMethods.is_null() {
            return;
        }
        if let Some(whole) = whole((*file).pMethods) {
            (*file).pMethods = &raw const whole.methods;
        }
    }
}

/// The same methods with [`read`]; none if a file cannot be read at all.
///
/// # Safety
/// `of` are the methods of an open file.
unsafe fn whole(of: *const sqlite3_io_methods) -> Option<&'static Whole> {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = tables.iter().find(|known| known.of == of) {
        return Some(known);
    }
    // SAFETY: SQLite's methods are static, and plain values.
    let mut methods = unsafe { ptr::read(of) };
    let whole = Box::new(Whole {
        read: methods.xRead.replace(read)?,
        methods,
        of,
    });
    let whole: &'static Whole = Box::leak(whole);
    tables.push(whole);
    Some(whole)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls this through a table that [`whole`] made; the arguments are
    // its own.
    unsafe {
        let whole = (*file).pMethods.cast::<Whole>();
        let code = ((*whole).read)(file, to, len, at);
        if code == ffi::SQLITE_IOERR_SHORT_READ && has(file, len, at) {
            return ffi::SQLITE_CORRUPT;
        }
        code
    }
}

/// Whether a file is so long that all of it could be read.
///
/// # Safety
/// `file` is open.
unsafe fn has(file: *mut sqlite3_file, len: c_int, at: sqlite3_int64) -> bool {
    let mut size = 0;
    // SAFETY: an open file has its methods; SQLite sets the number.
    let code = unsafe {
        (*(*file).pMethods)
            .xFileSize
            .map(|ask| ask(file, &raw mut size))
    };
    code == Some(ffi::SQLITE_OK) && size >= at + sqlite3_int64::from(len)
}
