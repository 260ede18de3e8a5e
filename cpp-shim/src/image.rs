//! A shared object in memory, given a path that the dynamic linker can open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A staged image. Keep it for as long as the library is loaded: the linker takes two images under
/// one path for one library, and the path of [`Staged::in_memory`] is free for another once it is
/// dropped.
pub(crate) enum Staged {
    Memory { _file: File, path: PathBuf },
    Disk { path: PathBuf },
}

impl Staged {
    /// An anonymous file, reached through `/proc`.
    pub(crate) fn in_memory(image: &[u8]) -> io::Result<Self> {
        // SAFETY: a NUL-terminated name; the call has no other requirement.
        let descriptor = unsafe { libc::memfd_create(c"oracle".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made and has no other owner.
        let mut file = unsafe { File::from_raw_fd(descriptor) };
        file.write_all(image)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // Without /proc, say so now rather than through the linker.
        fs::metadata(&path)?;
        Ok(Self::Memory { _file: file, path })
    }

    /// A file that only this user can read, removed on drop.
    pub(crate) fn on_disk(image: &[u8]) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oracle-{}-{count}.so", std::process::id());
        let path = std::env::temp_dir().join(name);
        // `create_new` neither follows a link that somebody else left there nor overwrites a file.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&path)?;
        let staged = Self::Disk { path };
        file.write_all(image)?;
        Ok(staged)
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Memory { path, .. } | Self::Disk { path } => path,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Self::Disk { path } = self {
            // A file that cannot be removed is a nuisance in the temporary folder, no more.
            let _ = fs::remove_file(path);
        }
    }
}
