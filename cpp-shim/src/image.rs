//! Staging of shared objects: it gives an image in memory a path that the dynamic linker can open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A staged image. It must outlive the loaded library: the linker treats two images with the same path as one library,
/// and dropping [`Staged::in_memory`] frees its path for another image.
pub(crate) enum Staged {
    Memory { _file: File, path: PathBuf },
    Disk { path: PathBuf },
}

impl Staged {
    /// Stages the image in an anonymous file with a path in `/proc`.
    pub(crate) fn in_memory(image: &[u8]) -> io::Result<Self> {
        // SAFETY: the name is NUL-terminated; the call has no other requirement.
        let descriptor = unsafe { libc::memfd_create(c"oracle".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and has no other owner.
        let mut file = unsafe { File::from_raw_fd(descriptor) };
        file.write_all(image)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // If /proc is missing, this error is clearer than that of the linker.
        fs::metadata(&path)?;
        Ok(Self::Memory { _file: file, path })
    }

    /// Stages the image in a file that only this user can read. The file is removed on drop.
    pub(crate) fn on_disk(image: &[u8]) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oracle-{}-{count}.so", std::process::id());
        let path = std::env::temp_dir().join(name);
        // `create_new` does not follow an existing link and does not overwrite a file.
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
            // The error is ignored: a file that cannot be removed only uses space in the temporary folder.
            let _ = fs::remove_file(path);
        }
    }
}
