//! Progress of a build.

use std::fmt;

/// A step of a build that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another build uses the cache.
    Waiting,
    /// A file is compiled.
    Compiling {
        /// The build or the upstream.
        label: String,
        /// Name of the file without its folder.
        file: String,
        /// Position of the file in the build, from 1.
        position: usize,
        /// Number of files that are compiled.
        total: usize,
    },
    /// A shared object is linked.
    Linking {
        /// The build.
        label: String,
    },
    /// Files that no build needs could not be removed from the cache.
    NotPruned {
        /// The error.
        reason: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Waiting => f.write_str("oracles: waiting for another build to finish"),
            Event::Compiling {
                label,
                file,
                position,
                total,
            } => write!(f, "oracle {label}: compiling {file} ({position}/{total})"),
            Event::Linking { label } => write!(f, "oracle {label}: linking"),
            Event::NotPruned { reason } => write!(f, "oracles: the cache is not pruned: {reason}"),
        }
    }
}

/// Receives the events of a build, from several threads.
pub type Report<'a> = dyn Fn(&Event) + Sync + 'a;
