//! What is at a path that a document is to be written to.

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
use crate::interrupt;
use crate::scratch::ScratchFile;
use crate::supervisor;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// How often a pipe without a reader is tried again.
const WAIT: Duration = Duration::from_millis(20);

/// Where a document goes.
#[derive(Debug)]
pub(super) enum Place {
    /// The standard output of this process.
    Stdout(File),
    /// A device or a pipe, open.
    Stream(File),
    /// A regular file, or none yet, in a folder that can be written.
    File {
        /// Its path without links.
        at: PathBuf,
        /// The file that is there.
        there: Option<Identity>,
    },
}

impl Place {
    /// What is at a path, links followed. A pipe that nobody reads yet is waited for.
    ///
    /// # Errors
    ///
    /// What the operating system says.
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
                // The shell has it open: what it would be replaced by, nobody would ever see.
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

/// Looks whether a file can be made in a folder, or the folder itself.
///
/// # Errors
///
/// What the operating system says.
pub(super) fn probe_folder(path: &Path) -> io::Result<()> {
    let mut ancestors = path.ancestors();
    let there =
        ancestors.find(|path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok());
    probe(there.unwrap_or(path))
}

/// Makes a file, which is gone again at once.
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

/// The number of an open file of a process, if the path is `/proc/N/fd/NUMBER`, which `/dev/stdout` and what a shell
/// puts in place of `>(command)` lead to.
fn descriptor(path: &Path) -> Option<u32> {
    let is_of_process = path.starts_with("/proc") && path.parent()?.ends_with("fd");
    let number = path.file_name()?.to_str()?.parse().ok()?;
    is_of_process.then_some(number)
}

/// A file that is open already, here or in another process: nothing in it is lost.
fn opened(path: &Path, number: u32) -> io::Result<Place> {
    let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    if path.parent() == Some(own.as_path()) {
        match number {
            1 => return stdout(),
            2 => return Ok(Place::Stream(supervisor::descriptor()?)),
            _ => {}
        }
    }
    let file = OpenOptions::new().append(true).open(path)?;
    Ok(Place::Stream(file))
}

/// Opens a pipe for writing as soon as somebody reads it.
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
