//! Progress events of long work. The command line draws them.

use std::fmt;
use std::sync::Arc;

/// A progress event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Sets the total number of steps.
    Length(u64),
    /// Sets the name of the part that starts.
    Part(&'a str),
    /// Adds completed steps.
    Steps(u64),
    /// Sets the number of completed steps.
    Position(u64),
    /// The work has ended.
    Finished,
}

/// A receiver of progress events. Clones share it.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event<'_>) + Send + Sync>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

impl Progress {
    /// Calls `receive` with each event on the thread that reports it.
    pub fn new(receive: impl Fn(Event<'_>) + Send + Sync + 'static) -> Progress {
        Progress(Arc::new(receive))
    }

    /// Drops all events.
    pub fn silent() -> Progress {
        Progress::new(|_| {})
    }

    /// Reports the total number of steps.
    pub fn set_length(&self, steps: u64) {
        (self.0)(Event::Length(steps));
    }

    /// Reports the name of the part that starts.
    pub fn set_part(&self, part: &str) {
        (self.0)(Event::Part(part));
    }

    /// Reports additional completed steps.
    pub fn inc(&self, steps: u64) {
        (self.0)(Event::Steps(steps));
    }

    /// Reports the number of completed steps.
    pub fn set_position(&self, steps: u64) {
        (self.0)(Event::Position(steps));
    }

    /// Reports the end of the work.
    pub fn finish(&self) {
        (self.0)(Event::Finished);
    }
}
