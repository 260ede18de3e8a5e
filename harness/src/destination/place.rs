//! Determines what an output path leads to.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::{Identity, STDOUT, identity};
use crate::inherited;
use crate::interrupt;
use crate::scratch::ScratchFile;

/// Maximal number of links followed, as in Linux.
const MOST_LINKS: usize = 40;

/// Interval between attempts to open a pipe without a reader.
const WAIT: Duration = Duration::from_millis(20);

/// The target of an output path.
#[derive(Debug)]
pub(super) enum Place {
    /// The standard output of this process.
    Stdout(File),
    /// An open device or pipe.
    Stream(File),
    /// A regular file or nothing, in a writable folder.
    File {
        /// Path with links resolved.
        at: PathBuf,
        /// Identity of the existing file, if there is one.
        there: Option<Identity>,
    },
}

impl Place {
    /// Determines the target of a path and follows links. Waits until a pipe has a reader.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub(super) fn of(path: &Path) -> io::Result<Place> {
        if path == Path::new(STDOUT) {
            return stdout();
        }
        let mut at = path.to_owned();
        for _ in 0..MOST_LINKS {
            let metadata = match at.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                metadata => Some(metadata?),
            };
            let folder = folder_of(&at).canonicalize().map_err(no_folder)?;
            let name = at.file_name().ok_or(io::ErrorKind::IsADirectory)?;
            let place = folder.join(name);
            let Some(metadata) = metadata else {
                probe(&folder)?;
                return Ok(Place::File {
                    at: place,
                    there: None,
                });
            };
            let kind = metadata.file_type();
            if kind.is_symlink() {
                if let Some(number) = descriptor(&place) {
                    return opened(&place, number);
                }
                at = folder.join(at.read_link()?);
                continue;
            }
            if kind.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if kind.is_fifo() {
                return if is_stdout(&metadata)? {
                    stdout()
                } else {
                    Ok(Place::Stream(open_pipe(&place)?))
                };
            }
            if !kind.is_file() {
                return Ok(Place::Stream(OpenOptions::new().write(true).open(&place)?));
            }
            if is_stdout(&metadata)? {
                // The shell has the file open and would not see a file that replaces it.
                return stdout();
            }
            probe(&folder)?;
            return Ok(Place::File {
                at: place,
                there: Some(identity(&metadata)),
            });
        }
        Err(Errno::LOOP.into())
    }
}

/// Checks that a file can be created in a folder, or the folder itself.
///
/// # Errors
///
/// The operating system's error.
pub(super) fn probe_folder(path: &Path) -> io::Result<()> {
    let mut ancestors = path.ancestors();
    let there =
        ancestors.find(|path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok());
    probe(there.unwrap_or(path))
}

/// Creates a file and removes it at once.
fn probe(folder: &Path) -> io::Result<()> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    ScratchFile::in_folder(folder).map(drop)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn no_folder(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "there is no such folder"),
        _ => error,
    }
}

fn stdout() -> io::Result<Place> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(Place::Stdout(stdout.into()))
}

fn is_stdout(metadata: &fs::Metadata) -> io::Result<bool> {
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(identity(&stdout.metadata()?) == identity(metadata))
}

/// The descriptor, if the path is `/proc/N/fd/NUMBER`. `/dev/stdout` and a shell's `>(command)` lead to such paths.
fn descriptor(path: &Path) -> Option<u32> {
    let is_of_process = path.starts_with("/proc") && path.parent()?.ends_with("fd");
    let number = path.file_name()?.to_str()?.parse().ok()?;
    is_of_process.then_some(number)
}

/// Opens a file that this or another process has open, without truncating it.
fn opened(path: &Path, number: u32) -> io::Result<Place> {
    let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    if path.parent() == Some(own.as_path()) {
        match number {
            1 => return stdout(),
            2 => return Ok(Place::Stream(inherited::descriptor()?)),
            _ => {}
        }
    }
    let file = OpenOptions::new().append(true).open(path)?;
    Ok(Place::Stream(file))
}

/// Opens a pipe for writing as soon as it has a reader.
fn open_pipe(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(nonblocking)
            .open(path);
        match opened {
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if interrupt::asked() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                sleep(WAIT);
            }
            opened => {
                let file = opened?;
                let flags = fcntl_getfl(&file)? - OFlags::NONBLOCK;
                fcntl_setfl(&file, flags)?;
                return Ok(file);
            }
        }
    }
}
