//! Files and folders that must not outlive the run: none is left behind, however the run ends.
//!
//! Each is removed when its value is dropped; all of them by [`remove_all`] where a signal ends the run, when nothing is
//! dropped any more; and after a death that left no time for that, by the next run that makes one in the same place. It
//! tells that the owner is dead by a lock that the owner held, and which the system gives back for it. What has another
//! name, another user, or a lock, is left alone.

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

/// Of files that take their place when they are whole.
const FILE: [&str; 2] = [".qk256-harness-", ".part"];

/// Of folders in the folder for temporary files.
const FOLDER: [&str; 2] = ["qk256-harness-", ".d"];

/// Characters between the two.
const RANDOM: usize = 12;

/// How often a folder is emptied into which another thread may still be writing.
const ATTEMPTS: usize = 5;

/// What this process has to remove.
static OWNED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn owned() -> MutexGuard<'static, Vec<PathBuf>> {
    // Entries are added and removed whole.
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that has no place yet.
#[derive(Debug)]
pub(crate) struct ScratchFile {
    /// Absent only while it is dropped.
    file: Option<NamedTempFile>,
}

impl ScratchFile {
    /// A file in the folder of `path`, which it can be renamed to, for all that may read new files there.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub(crate) fn beside(path: &Path) -> io::Result<ScratchFile> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        ScratchFile::in_folder(folder)
    }

    /// A file in the folder for temporary files.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub(crate) fn temporary() -> io::Result<ScratchFile> {
        ScratchFile::in_folder(&std::env::temp_dir())
    }

    /// A file in this folder.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub(crate) fn in_folder(folder: &Path) -> io::Result<ScratchFile> {
        remove_orphans(folder, FILE);
        let mut owned = owned();
        let file = locked(|| {
            // As for any new file, which those of `tempfile` are not: what the umask leaves of it. Opened by hand, its
            // error is the operating system's alone.
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

    /// The path that it has for now.
    pub(crate) fn path(&self) -> &Path {
        self.inner().path()
    }

    /// The open file.
    pub(crate) fn as_file(&self) -> &File {
        self.inner().as_file()
    }

    /// Gives the file its place, over what is there.
    ///
    /// # Errors
    ///
    /// What the operating system says; the file is removed.
    pub(crate) fn persist(self, path: &Path) -> io::Result<()> {
        self.place(|file| file.persist(path).map_err(|error| error.error))
    }

    /// Gives the file its place, unless something is there.
    ///
    /// # Errors
    ///
    /// What the operating system says; the file is removed.
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

/// A folder in the folder for temporary files, which goes with all that is in it.
#[derive(Debug)]
pub(crate) struct ScratchFolder {
    /// Absent only while it is dropped.
    folder: Option<TempDir>,
    _lock: File,
}

impl ScratchFolder {
    /// An empty folder.
    ///
    /// # Errors
    ///
    /// What the operating system says.
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
                // Another run took it for an orphan.
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

    /// Where it is.
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

/// Makes something and locks it for as long as the file is open. `make` gives no file for what is gone already.
fn locked<T>(make: impl Fn() -> io::Result<(T, Option<File>)>) -> io::Result<(T, File)> {
    loop {
        let (made, Some(lock)) = make()? else {
            continue;
        };
        // Where the file system has no locks, nobody can take the thing for an orphan either.
        let held = !matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock));
        // Between making and locking, another run may have taken it for an orphan.
        if held && lock.metadata()?.nlink() > 0 {
            return Ok((made, lock));
        }
    }
}

/// Removes what runs have left in a folder that died before they could. What cannot be removed stays.
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
        // The lock is held until the thing is gone: a run that has just made it must not get it in between.
        if let Ok(file) = opened
            && file.try_lock().is_ok()
        {
            // Another run may have been faster.
            remove(&path).ok();
        }
    }
}

/// Removes all that this process has made and not removed yet. From then on it can make no more.
pub(crate) fn remove_all() {
    let owned = owned();
    for path in owned.iter() {
        // There is nobody left to tell.
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
    fn a_file_is_in_its_place_or_nowhere() {
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
    fn what_a_dead_run_left_is_removed_and_nothing_else() {
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
        // Of a run that lives: this one.
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
    fn folders_of_dead_runs_are_removed_with_all_that_is_in_them() {
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
