//! Signals that ask the program to end: the first one stops cleanly, the second one at once.
//!
//! # Models
//! SIGINT (Ctrl-C), SIGTERM (`timeout`, batch systems, Kubernetes) and SIGHUP (a terminal that closes) mean the same.
//! The program ends with 128 and the signal's number, as shells say it of one that a signal has ended. A SIGHUP that
//! is ignored when the program starts, as `nohup` does it, stays ignored.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// What signals set.
struct Heard {
    stop: Arc<AtomicBool>,
    /// The first one; 0 before it.
    signal: Arc<AtomicUsize>,
}

static HEARD: OnceLock<Heard> = OnceLock::new();

/// The flag that signals set.
pub(crate) fn flag() -> &'static AtomicBool {
    &heard().stop
}

/// The exit code of a program that was stopped.
pub(crate) fn exit_code() -> u8 {
    let signal = match heard().signal.load(Ordering::Relaxed) {
        0 => SIGINT as usize,
        signal => signal,
    };
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

fn heard() -> &'static Heard {
    HEARD.get_or_init(|| {
        let heard = Heard { stop: Arc::default(), signal: Arc::default() };
        for signal in signals() {
            if heard.listen(signal).is_err() {
                let message =
                    format!("signal {signal} cannot be caught here; it will not keep finished parts");
                crate::diagnostics::warn(&message);
            }
        }
        heard
    })
}

impl Heard {
    fn listen(&self, signal: c_int) -> io::Result<()> {
        // In the order in which they are called: the second signal meets the flag of the first.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.stop))?;
        flag::register(signal, Arc::clone(&self.stop))?;
        flag::register_usize(signal, Arc::clone(&self.signal), signal as usize)?;
        Ok(())
    }
}

#[cfg(unix)]
fn signals() -> Vec<c_int> {
    use signal_hook::consts::SIGHUP;
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

#[cfg(not(unix))]
fn signals() -> Vec<c_int> {
    vec![SIGINT, SIGTERM]
}

/// Whether a signal was ignored by whoever started the program, where the system tells.
#[cfg(unix)]
fn is_ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal - 1) != 0
}
