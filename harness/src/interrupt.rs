//! Ctrl-C, so that a run ends between two steps and leaves nothing half done behind.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use crate::exit::Exit;
use crate::supervisor;

/// What asks the work to end.
pub(crate) const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on the first Ctrl-C, or SIGTERM, is a question that long work answers between two steps. The second one
/// ends the program at once.
///
/// # Errors
///
/// What the operating system says.
pub fn watch() -> io::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    // A signal to the process group comes twice, directly and from the supervisor, and counts once.
    let (direct, forwarded) = (Arc::default(), Arc::default());
    let signals = heeded().into_iter().map(|signal| (signal, &direct));
    for (signal, before) in signals.chain([(SIGUSR1, &forwarded)]) {
        // In this order: the first signal finds the flag down and raises it, the second finds it up.
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(before))?;
        flag::register(signal, Arc::clone(before))?;
        flag::register(signal, Arc::clone(asked))?;
    }
    supervisor::forward_interruptions();
    Ok(())
}

/// Whether the work is asked to end.
pub fn asked() -> bool {
    ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Those of [`SIGNALS`] that this process was not started to ignore, as `nohup` and a shell's `&` do.
pub(crate) fn heeded() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_heeded = |signal: &i32| ignored.unwrap_or(0) >> (signal - 1) & 1 == 0;
    SIGNALS.into_iter().filter(is_heeded).collect()
}
