//! The functions that SQLite calls, each handed on to its own VFS.
#![expect(unsafe_code, reason = "SQLite calls a VFS through C")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use super::{Event, Kind, calls, operate, path_of};

/// SQLite's own VFS.
struct Own(*mut sqlite3_vfs);
// SAFETY: SQLite's own VFS is used by all threads; it lives as long as the
// process and is not changed.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

static OWN: OnceLock<Own> = OnceLock::new();

/// Makes this VFS the one that every connection opened from now on uses.
///
/// # Panics
/// When SQLite has no VFS or refuses this one: nothing can be tested then.
pub fn install() {
    OWN.get_or_init(|| {
        // SAFETY: both functions initialize SQLite when that is not done; the
        // copy of its own VFS is complete, and leaked, so that it stays.
        unsafe {
            let own = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!own.is_null(), "SQLite has no VFS");
            calls::install(own);
            let room = c_int::try_from(size_of::<Handle>()).expect("a few bytes");
            let vfs = Box::new(sqlite3_vfs {
                szOsFile: (*own).szOsFile + room,
                zName: c"dkdc-torture".as_ptr(),
                pNext: ptr::null_mut(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*own
            });
            let code = ffi::sqlite3_vfs_register(Box::leak(vfs), 1);
            assert_eq!(code, ffi::SQLITE_OK, "the VFS is refused");
            Own(own)
        }
    });
}

fn own() -> *mut sqlite3_vfs {
    OWN.get().map_or(ptr::null_mut(), |own| own.0)
}

/// An open file; SQLite's own follows in memory.
#[repr(C)]
struct Handle {
    base: sqlite3_file,
    /// The path of a file that is counted; none for temporary ones.
    path: *mut PathBuf,
}

/// SQLite's own handle, behind ours.
///
/// # Safety
/// `file` is one that [`open`] was given.
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite allots `szOsFile` bytes, and ours are the first of them.
    unsafe { file.cast::<Handle>().add(1).cast() }
}

/// The path, for a file that is counted.
///
/// # Safety
/// `file` is open.
unsafe fn path<'f>(file: *mut sqlite3_file) -> Option<&'f PathBuf> {
    // SAFETY: set when the file was opened, freed when it is closed.
    unsafe { (*file.cast::<Handle>()).path.as_ref() }
}

/// Calls a method of SQLite's own handle.
macro_rules! own {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: the file is open, so its methods are there; the arguments are
        // SQLite's own.
        unsafe {
            let file = inner($file);
            match (*(*file).pMethods).$method {
                Some(method) => method(file $(, $argument)*),
                None => unreachable!("BUG: SQLite's own VFS lacks a method"),
            }
        }
    }};
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // No memory maps: what is read is seen.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(cut),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Files whose fate is that of the store.
const COUNTED: c_int =
    ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name that ends in zero, or none, and memory of
    // `szOsFile` bytes for the handle.
    unsafe {
        let counted = !name.is_null() && flags & COUNTED != 0;
        let path = counted.then(|| path_of(CStr::from_ptr(name).to_bytes()));
        let handle = file.cast::<Handle>();
        (*handle).base.pMethods = ptr::null();
        (*handle).path = ptr::null_mut();
        let go = || {
            let Some(open) = (*own()).xOpen else {
                unreachable!("BUG: SQLite's own VFS opens nothing")
            };
            open(own(), name, inner(file), flags, out)
        };
        let code = match &path {
            Some(path) => {
                let is_new = !path.exists();
                let made = || is_new.then(|| Event::Made(path.clone()));
                operate(Kind::Open, go, || {}, made)
            }
            None => go(),
        };
        if code == ffi::SQLITE_OK {
            (*handle).base.pMethods = &raw const METHODS;
            (*handle).path = path.map_or(ptr::null_mut(), |path| Box::into_raw(Box::new(path)));
        }
        code
    }
}

unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite gives a name that ends in zero.
    unsafe {
        let path = path_of(CStr::from_ptr(name).to_bytes());
        let go = || {
            let Some(delete) = (*own()).xDelete else {
                unreachable!("BUG: SQLite's own VFS removes nothing")
            };
            delete(own(), name, sync)
        };
        let removed = || Some(Event::Removed(path.clone(), sync != 0));
        operate(Kind::Remove, go, || {}, removed)
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = own!(file, xClose);
    // SAFETY: made by `open`, and SQLite closes a file once.
    unsafe {
        let path = std::mem::replace(&mut (*file.cast::<Handle>()).path, ptr::null_mut());
        if !path.is_null() {
            drop(Box::from_raw(path));
        }
    }
    code
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    let go = || {
        let code = own!(file, xRead, to, len, at);
        assert!(!calls::is_pending(), "BUG: SQLite reads by another call");
        code
    };
    // As SQLite's own VFS at the end of a file.
    let half = || {
        let half = len / 2;
        own!(file, xRead, to, half, at);
        let (half, len) = (
            usize::try_from(half).unwrap_or(0),
            usize::try_from(len).unwrap_or(0),
        );
        // SAFETY: SQLite gives `len` bytes to be read into.
        unsafe { to.cast::<u8>().add(half).write_bytes(0, len - half) };
    };
    // SAFETY: the file is open.
    match unsafe { path(file) } {
        Some(_) => operate(Kind::Read, go, half, || None),
        None => go(),
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    let go = || own!(file, xWrite, from, len, at);
    let half = || {
        own!(file, xWrite, from, len / 2, at);
    };
    // SAFETY: the file is open, and SQLite gives `len` bytes to write.
    let (path, bytes) = unsafe {
        let len = usize::try_from(len).unwrap_or(0);
        (
            path(file),
            std::slice::from_raw_parts(from.cast::<u8>(), len),
        )
    };
    let Some(path) = path else { return go() };
    let offset = u64::try_from(at).unwrap_or(0);
    let wrote = || Some(Event::Wrote(path.clone(), offset, bytes.to_vec()));
    operate(Kind::Write, go, half, wrote)
}

unsafe extern "C" fn cut(file: *mut sqlite3_file, len: sqlite3_int64) -> c_int {
    let go = || own!(file, xTruncate, len);
    // SAFETY: the file is open.
    let Some(path) = (unsafe { path(file) }) else {
        return go();
    };
    let cut = || Some(Event::Cut(path.clone(), u64::try_from(len).unwrap_or(0)));
    operate(Kind::Cut, go, || {}, cut)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let go = || own!(file, xSync, flags);
    // SAFETY: the file is open.
    let Some(path) = (unsafe { path(file) }) else {
        return go();
    };
    operate(Kind::Sync, go, || {}, || Some(Event::Synced(path.clone())))
}

unsafe extern "C" fn size(file: *mut sqlite3_file, to: *mut sqlite3_int64) -> c_int {
    own!(file, xFileSize, to)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    own!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    own!(file, xUnlock, level)
}

unsafe extern "C" fn is_reserved(file: *mut sqlite3_file, to: *mut c_int) -> c_int {
    own!(file, xCheckReservedLock, to)
}

unsafe extern "C" fn control(file: *mut sqlite3_file, op: c_int, with: *mut c_void) -> c_int {
    own!(file, xFileControl, op, with)
}

unsafe extern "C" fn sector(file: *mut sqlite3_file) -> c_int {
    own!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    own!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    own!(file, xShmMap, page, size, extend, to)
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    own!(file, xShmLock, offset, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    own!(file, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    own!(file, xShmUnmap, delete)
}
