//! Temporary files and folders. They are removed however the run ends.
//!
//! Each is removed when its value is dropped. If a signal ends the run, nothing is dropped and [`remove_all`] removes
//! them. If the process dies without time for that, the next run that makes one in the same place removes it. That run
//! knows that the owner is dead because the system released the owner's file lock. Files with another name, another
//! user or a lock are left alone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::geteuid;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::input;

/// Prefix and suffix of files that are renamed when they are complete.
const FILE: [&str; 2] = [".qk256-harness-", ".part"];

/// Prefix and suffix of folders in the system's temporary folder.
const FOLDER: [&str; 2] = ["qk256-harness-", ".d"];

/// Number of random characters between prefix and suffix.
const RANDOM: usize = 12;

/// Number of attempts to remove a folder in which another thread may still create files.
const ATTEMPTS: usize = 5;

/// Paths that this process must remove.
static OWNED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn owned() -> MutexGuard<'static, Vec<PathBuf>> {
    // Every change is a single insertion or removal, so a poisoned lock holds a valid list.
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file, which can be renamed to its final path.
#[derive(Debug)]
pub(crate) struct ScratchFile {
    /// `None` only while it is dropped.
    file: Option<NamedTempFile>,
}

impl ScratchFile {
    /// Creates a file in the folder of `path`, from where it can be renamed to `path`. Its mode is that of any new
    /// file.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub(crate) fn beside(path: &Path) -> io::Result<ScratchFile> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        ScratchFile::in_folder(folder)
    }

    /// Creates a file in the system's temporary folder.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub(crate) fn temporary() -> io::Result<ScratchFile> {
        ScratchFile::in_folder(&std::env::temp_dir())
    }

    /// Creates a file in this folder.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub(crate) fn in_folder(folder: &Path) -> io::Result<ScratchFile> {
        remove_orphans(folder, FILE);
        let mut owned = owned();
        let file = locked(|| {
            // The mode of any new file, which the umask restricts. `tempfile` sets a stricter one. Opening the file
            // here also keeps its error the operating system's alone.
            let file = Builder::new()
                .prefix(FILE[0])
                .suffix(FILE[1])
                .rand_bytes(RANDOM)
                .make_in(folder, |path| File::create_new(path))?;
            let lock = file.as_file().try_clone()?;
            Ok((file, Some(lock)))
        })?;
        owned.push(file.0.path().to_owned());
        Ok(ScratchFile { file: Some(file.0) })
    }

    /// The temporary path.
    pub(crate) fn path(&self) -> &Path {
        self.inner().path()
    }

    /// The open file.
    pub(crate) fn as_file(&self) -> &File {
        self.inner().as_file()
    }

    /// Renames the file to `path` and replaces an existing file.
    ///
    /// # Errors
    ///
    /// The operating system's error. The file is removed.
    pub(crate) fn persist(self, path: &Path) -> io::Result<()> {
        self.place(|file| file.persist(path).map_err(|error| error.error))
    }

    /// Renames the file to `path`, unless that exists.
    ///
    /// # Errors
    ///
    /// The operating system's error. The file is removed.
    pub(crate) fn persist_noclobber(self, path: &Path) -> io::Result<()> {
        self.place(|file| file.persist_noclobber(path).map_err(|error| error.error))
    }

    fn place(mut self, rename: impl FnOnce(NamedTempFile) -> io::Result<File>) -> io::Result<()> {
        let mut owned = owned();
        let Some(file) = self.file.take() else {
            unreachable!("only dropping takes the file");
        };
        let path = file.path().to_owned();
        let renamed = rename(file);
        owned.retain(|other| *other != path);
        renamed.map(drop)
    }

    fn inner(&self) -> &NamedTempFile {
        let Some(file) = &self.file else {
            unreachable!("only dropping takes the file");
        };
        file
    }
}

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.as_file().flush()
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let mut owned = owned();
            owned.retain(|other| other != file.path());
            drop(file);
        }
    }
}

/// A temporary folder, which is removed with its contents.
#[derive(Debug)]
pub(crate) struct ScratchFolder {
    /// `None` only while it is dropped.
    folder: Option<TempDir>,
    _lock: File,
}

impl ScratchFolder {
    /// Creates an empty folder.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub(crate) fn new() -> io::Result<ScratchFolder> {
        let place = std::env::temp_dir();
        remove_orphans(&place, FOLDER);
        let mut owned = owned();
        let (folder, lock) = locked(|| {
            let folder = Builder::new()
                .prefix(FOLDER[0])
                .suffix(FOLDER[1])
                .rand_bytes(RANDOM)
                .tempdir_in(&place)?;
            match File::open(folder.path()) {
                // Another run removed it as an orphan.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((folder, None)),
                lock => Ok((folder, Some(lock?))),
            }
        })?;
        owned.push(folder.path().to_owned());
        Ok(ScratchFolder {
            folder: Some(folder),
            _lock: lock,
        })
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        let Some(folder) = &self.folder else {
            unreachable!("only dropping takes the folder");
        };
        folder.path()
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            let mut owned = owned();
            owned.retain(|other| other != folder.path());
            drop(folder);
        }
    }
}

/// Creates a file or folder and locks it while the returned file is open. `make` returns no file if its result is
/// already gone.
fn locked<T>(make: impl Fn() -> io::Result<(T, Option<File>)>) -> io::Result<(T, File)> {
    loop {
        let (made, Some(lock)) = make()? else {
            continue;
        };
        // A file system without locks protects the file too, because no run can lock it to remove it.
        let held = !matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock));
        // Another run may have removed it as an orphan between creation and locking.
        if held && lock.metadata()?.nlink() > 0 {
            return Ok((made, lock));
        }
    }
}

/// Removes the files and folders that dead runs left in a folder. Errors are ignored.
fn remove_orphans(folder: &Path, [prefix, suffix]: [&str; 2]) {
    let is_ours = |name: &OsStr| {
        let random = name.to_str().and_then(|name| {
            let name = name.strip_prefix(prefix)?;
            name.strip_suffix(suffix)
        });
        random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_ours(&entry.file_name())) {
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        if metadata.uid() != geteuid().as_raw() {
            continue;
        }
        let opened = if metadata.is_dir() {
            File::open(&path)
        } else if metadata.is_file() {
            input::open(&path)
        } else {
            continue;
        };
        // The lock is held until the removal is done, so that a run that has just created the file cannot lock it in
        // between.
        if let Ok(file) = opened
            && file.try_lock().is_ok()
        {
            // Another run may have removed it already.
            remove(&path).ok();
        }
    }
}

/// Removes all remaining files and folders of this process. It can create no more afterwards.
pub(crate) fn remove_all() {
    let owned = owned();
    for path in owned.iter() {
        // The process ends, so errors are ignored.
        (0..ATTEMPTS).find(|_| remove(path).is_ok());
    }
    mem::forget(owned);
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_renamed_or_removed() {
        let folder = tempdir().unwrap();
        let place = folder.path().join("place");
        let mut file = ScratchFile::beside(&place).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        file.persist_noclobber(&place).unwrap();
        assert_eq!(names(folder.path()), ["place"]);
        let again = ScratchFile::beside(&place).unwrap();
        assert!(again.persist_noclobber(&place).is_err());
        drop(ScratchFile::beside(&place).unwrap());
        assert_eq!(names(folder.path()), ["place"]);
        assert_eq!(fs::read(&place).unwrap(), b"new");
    }

    #[test]
    fn only_files_of_dead_runs_are_removed() {
        let folder = tempdir().unwrap();
        let name = |random: &str| {
            folder
                .path()
                .join(format!("{}{random}{}", FILE[0], FILE[1]))
        };
        let (orphan, short, other) = (
            name("abcdefABCDEF"),
            name("abc"),
            folder.path().join("abcdefABCDEF.part"),
        );
        for path in [&orphan, &short, &other] {
            fs::write(path, "left").unwrap();
        }
        let folder_of_that_name = name("ffffffffffff").with_extension("d");
        fs::create_dir(&folder_of_that_name).unwrap();
        // Owned by a running process: this one.
        let living = ScratchFile::beside(&other).unwrap();
        let second = ScratchFile::beside(&other).unwrap();
        assert!(!orphan.exists());
        assert!(short.exists() && other.exists() && folder_of_that_name.exists());
        assert!(living.path().exists() && second.path().exists());
    }

    #[test]
    fn runs_that_start_at_the_same_time_keep_their_folders() {
        let make = || {
            for _ in 0..200 {
                let folder = ScratchFolder::new().unwrap();
                assert!(folder.path().is_dir());
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(make)));
        });
    }

    #[test]
    fn folders_of_dead_runs_are_removed_with_their_contents() {
        let place = tempdir().unwrap();
        let orphan = place
            .path()
            .join(format!("{}abcdefABCDEF{}", FOLDER[0], FOLDER[1]));
        fs::create_dir(&orphan).unwrap();
        fs::write(orphan.join("model.gguf"), "left").unwrap();
        let lock = File::open(&orphan).unwrap();
        lock.lock().unwrap();
        remove_orphans(place.path(), FOLDER);
        assert!(orphan.exists());
        drop(lock);
        remove_orphans(place.path(), FOLDER);
        assert!(!orphan.exists());
        let folder = ScratchFolder::new().unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("file"), "text").unwrap();
        remove_orphans(&std::env::temp_dir(), FOLDER);
        assert!(path.join("file").exists());
        drop(folder);
        assert!(!path.exists());
    }
}
