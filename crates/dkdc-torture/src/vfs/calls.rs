//! Below SQLite's own VFS, and beside it: system calls.
//!
//! What a system may do to a read is no fault, and SQLite has to ask again: here it is
//! done on purpose. What is synced by others than SQLite is recorded.
#![expect(unsafe_code, reason = "SQLite calls the system through C")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use rusqlite::ffi::{sqlite3_syscall_ptr, sqlite3_vfs};

use super::Hindrance;

const EINTR: c_int = 4;
#[cfg(target_os = "linux")]
const EBADF: c_int = 9;

unsafe extern "C" {
    #[cfg_attr(target_os = "macos", link_name = "__error")]
    fn __errno_location() -> *mut c_int;
}

type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;
type ReadAt = unsafe extern "C" fn(c_int, *mut c_void, usize, i64) -> isize;

static READ: OnceLock<Read> = OnceLock::new();
static READ_AT: OnceLock<ReadAt> = OnceLock::new();
static READ_AT_64: OnceLock<ReadAt> = OnceLock::new();

thread_local! {
    /// What happens to this thread's next read.
    static NEXT: Cell<Option<Hindrance>> = const { Cell::new(None) };
    /// SQLite's own VFS is at work, and what it does is recorded.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does what is recorded by itself.
pub(super) fn inside<T>(go: impl FnOnce() -> T) -> T {
    let before = INSIDE.replace(true);
    let done = go();
    INSIDE.set(before);
    done
}

/// In the place of the system's own, for all of this process.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    if file < 0 {
        return failed(EBADF);
    }
    let mut error = 0;
    let mut go = || {
        // SAFETY: whoever syncs a file has it open.
        let open = unsafe { BorrowedFd::borrow_raw(file) };
        // By the system call itself, not by this function.
        let done = rustix::fs::fsync(open);
        done.map_err(|errno| error = errno.raw_os_error()).ok()
    };
    let done = if INSIDE.get() {
        go()
    } else {
        super::sync(
            || std::fs::read_link(format!("/proc/self/fd/{file}")).ok(),
            go,
        )
    };
    match done {
        Some(()) => 0,
        None => failed(error),
    }
}

fn failed(errno: c_int) -> c_int {
    // SAFETY: this thread's own.
    unsafe { *__errno_location() = errno };
    -1
}

/// The next read of this thread is hindered, once.
pub(super) fn hinder(hindrance: Hindrance) {
    NEXT.set(Some(hindrance));
}

/// True when the next read was not hindered yet: there was none.
pub(super) fn is_pending() -> bool {
    NEXT.get().is_some()
}

/// Puts these calls between SQLite's own VFS and the system.
///
/// # Safety
/// `own` is SQLite's own VFS for files of Unix, and nobody reads through it yet.
pub(super) unsafe fn install(own: *mut sqlite3_vfs) {
    // Named here, so that the linker takes it.
    #[cfg(target_os = "linux")]
    std::hint::black_box(fsync as extern "C" fn(c_int) -> c_int);
    // SAFETY: the types are those with which SQLite calls them (`aSyscall`); a call that
    // its build does not use is not there.
    unsafe {
        if let Some(real) = get(own, c"read") {
            READ.get_or_init(|| transmute::<unsafe extern "C" fn(), Read>(real));
            set(
                own,
                c"read",
                transmute::<Read, unsafe extern "C" fn()>(read),
            );
        }
        if let Some(real) = get(own, c"pread") {
            READ_AT.get_or_init(|| transmute::<unsafe extern "C" fn(), ReadAt>(real));
            set(
                own,
                c"pread",
                transmute::<ReadAt, unsafe extern "C" fn()>(read_at),
            );
        }
        if let Some(real) = get(own, c"pread64") {
            READ_AT_64.get_or_init(|| transmute::<unsafe extern "C" fn(), ReadAt>(real));
            set(
                own,
                c"pread64",
                transmute::<ReadAt, unsafe extern "C" fn()>(read_at_64),
            );
        }
    }
}

unsafe fn get(own: *mut sqlite3_vfs, name: &CStr) -> sqlite3_syscall_ptr {
    // SAFETY: of a VFS of Unix.
    unsafe {
        let get = (*own).xGetSystemCall.expect("a VFS of Unix has it");
        get(own, name.as_ptr())
    }
}

unsafe fn set(own: *mut sqlite3_vfs, name: &CStr, call: unsafe extern "C" fn()) {
    // SAFETY: of a VFS of Unix.
    unsafe {
        let set = (*own).xSetSystemCall.expect("a VFS of Unix has it");
        let code = set(own, name.as_ptr(), Some(call));
        assert_eq!(code, rusqlite::ffi::SQLITE_OK, "{name:?} is refused");
    }
}

/// How many bytes are asked for after all; none: a signal came.
fn hindered(len: usize) -> Option<usize> {
    match NEXT.take() {
        None => Some(len),
        Some(Hindrance::Short) => Some(len.div_ceil(2)),
        Some(Hindrance::Interrupted) => {
            failed(EINTR);
            None
        }
    }
}

unsafe extern "C" fn read(file: c_int, to: *mut c_void, len: usize) -> isize {
    match (hindered(len), READ.get()) {
        // SAFETY: no more than SQLite asks for.
        (Some(len), Some(real)) => unsafe { real(file, to, len) },
        _ => -1,
    }
}

unsafe extern "C" fn read_at(file: c_int, to: *mut c_void, len: usize, at: i64) -> isize {
    match (hindered(len), READ_AT.get()) {
        // SAFETY: no more than SQLite asks for.
        (Some(len), Some(real)) => unsafe { real(file, to, len, at) },
        _ => -1,
    }
}

unsafe extern "C" fn read_at_64(file: c_int, to: *mut c_void, len: usize, at: i64) -> isize {
    match (hindered(len), READ_AT_64.get()) {
        // SAFETY: no more than SQLite asks for.
        (Some(len), Some(real)) => unsafe { real(file, to, len, at) },
        _ => -1,
    }
}
