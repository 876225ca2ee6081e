//! A read that gives less than the file has: an error, and no zeros.
//!
//! SQLite takes what a read lacks at its end for zeros, since that is so where a file
//! ends, and it does read there: a page that is new. But where the file goes on, zeros
//! are a page without its rows: a record would be missing, a write would go by that, and
//! what is written then is what a sound store never holds. So it is with journals, which
//! would seem to be at their end, and with temporary files.
//!
//! A VFS of SQLite's that is another one, but for the reading of the files that it
//! opens: those are the other's own, with its locks and its shared memory.
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

/// A VFS with another way to open. SQLite is given the first field.
#[repr(C)]
struct Vfs {
    vfs: sqlite3_vfs,
    of: *mut sqlite3_vfs,
}

/// Methods of a file, with another way to read. SQLite is given the first field.
#[repr(C)]
struct Methods {
    methods: sqlite3_io_methods,
    of: *const sqlite3_io_methods,
    read: Read,
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
    let vfs = sqlite3_vfs {
        zName: name.as_ptr(),
        pNext: ptr::null_mut(),
        xOpen: Some(open),
        ..unsafe { *of }
    };
    // From now on SQLite's, which writes its list of them into it.
    let vfs = Box::into_raw(Box::new(Vfs { vfs, of }));
    // SAFETY: it is complete, and stays, with its name.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs.cast(), 0) };
    if code != ffi::SQLITE_OK {
        return Err(refused(code));
    }
    made.vfs.push((of, name));
    Ok(name)
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
    // for a file as the other asks for; the arguments are its own.
    unsafe {
        let of = (*vfs.cast::<Vfs>()).of;
        let Some(open) = (*of).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = open(of, name, file, flags, out);
        // Also one that could not be opened may have methods, by which it is closed.
        if !(*file).pMethods.is_null()
            && let Some(methods) = methods((*file).pMethods)
        {
            (*file).pMethods = ptr::from_ref(methods).cast();
        }
        code
    }
}

/// The same methods with [`read`]; none if a file cannot be read at all.
///
/// # Safety
/// `of` are the methods of a file that was just opened, and static, as all are that
/// SQLite has.
unsafe fn methods(of: *const sqlite3_io_methods) -> Option<&'static Methods> {
    let mut made = made();
    if let Some(known) = made.methods.iter().find(|known| known.of == of) {
        return Some(known);
    }
    // SAFETY: static, and plain values.
    let mut methods = unsafe { *of };
    let methods = Box::new(Methods {
        read: methods.xRead.replace(read)?,
        methods,
        of,
    });
    let methods: &'static Methods = Box::leak(methods);
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
