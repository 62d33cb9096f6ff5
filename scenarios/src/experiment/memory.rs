//! How much memory runs may take together, so that one that is overloaded fails with a message.
//!
//! # Models
//! What grows with the load (requests in flight, events, rows of user requests that are kept) is counted in bytes over all runs of
//! the program, which share what is free when the first of them begins: of the machine, of its control group and
//! below the limit of the address space (`ulimit -v`). A run that would take more stops, and all others with it. So
//! memory decides whether there is a result, never what it is.
//! Who says how much the program may take in all ([`limit_to`]) ends it there in the same way: by what it really
//! occupies, the worlds themselves and the results included. What is finished before stays.
//!
//! # Assumptions
//! What the program occupies is known on Linux; elsewhere what is counted takes its place.
//! What other programs take meanwhile is not followed, and a fifth of what is free stays so. Effect: on a machine that
//! fills up meanwhile, the operating system may still end the program.

use crate::problem::Problem;
use meshsim_models::units::Bytes;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sysinfo::System;

/// Bytes that all runs hold.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Whether a run has stopped for want of memory.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Why it has.
static SHORTAGE: OnceLock<String> = OnceLock::new();

/// What the program may take in all (bytes).
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Of what is free, so much is left to everything that is not counted.
const SPARE: f64 = 0.2;

/// Whether a run has stopped for want of memory, and all others are to.
#[must_use]
pub fn is_short() -> bool {
    SHORT.load(Ordering::Relaxed)
}

/// Why a run has stopped for want of memory, if one has, and what is `kept`.
#[must_use]
pub fn shortage(kept: &str) -> Option<Problem> {
    SHORTAGE.get().map(|why| Problem::new(format!("{why}; {kept}")).help(HELP))
}

/// What the program may take in all, as in `2Gi`.
#[derive(Clone, Copy, Debug)]
pub struct Limit(u64);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(Bytes(size)) if size >= 1.0 => Ok(Self(size as u64)),
            Ok(_) => Err("it is a byte at least".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The program is to take no more than this, whatever is free.
pub fn limit_to(Limit(bytes): Limit) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// What one run holds of the memory of all.
#[derive(Debug, Default)]
pub(super) struct Share {
    bytes: u64,
}

impl Share {
    /// The run holds so much now (bytes). False if that is more than there is, of which `open` requests in flight and
    /// `all` that were sent are the cause.
    pub(super) fn hold(&mut self, bytes: usize, open: u64, all: u64) -> bool {
        self.set(bytes as u64);
        let (held, limit) = (HELD.load(Ordering::Relaxed), LIMIT.load(Ordering::Relaxed));
        let taken = if limit < u64::MAX { resident().unwrap_or(held) } else { 0 };
        if (held > most() || taken > limit) && !SHORT.swap(true, Ordering::Relaxed) {
            let why = if taken > limit {
                format!("the program takes {}, and --max-memory is {}", in_words(taken), in_words(limit))
            } else {
                format!("all runs take {}, and {} is free", in_words(held), in_words(most()))
            };
            let requests = format!("{open} requests in flight and {all} in all in one run");
            // The first one is as good as any other.
            let _ = SHORTAGE.set(format!("not enough memory: {requests}; {why}"));
        }
        !is_short()
    }

    /// Of the run so much is left until the program ends (bytes).
    pub(super) fn keep(&mut self, bytes: usize) {
        self.set(bytes as u64);
        self.bytes = 0;
    }

    fn set(&mut self, bytes: u64) {
        if bytes >= self.bytes {
            HELD.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            HELD.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// What to do about it.
const HELP: &str = "lower the rate or give the services more CPU if requests pile up; else shorten run.duration and \
                    take more replications, or run on fewer --threads";

/// Bytes as people write them.
#[must_use]
pub fn in_words(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}

/// What all runs may hold (bytes).
fn most() -> u64 {
    static MOST: OnceLock<u64> = OnceLock::new();
    *MOST.get_or_init(|| (free() as f64 * (1.0 - SPARE)) as u64)
}

/// What the program occupies, where the system tells (bytes).
#[cfg(target_os = "linux")]
pub(super) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = status.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn resident() -> Option<u64> {
    None
}

/// What is free for the program (bytes).
fn free() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let of_machine = system.available_memory() + system.free_swap();
    // A system that does not tell (without /proc, as in a bare chroot) has no limit that is known, nor groups that could be asked for.
    let tells = system.total_memory() > 0;
    let of_machine = if tells && of_machine > 0 { of_machine } else { u64::MAX };
    // What a group holds of files is given back when it is needed.
    let of_group = tells.then(|| system.cgroup_limits()).flatten();
    let of_group = of_group.map(|it| it.total_memory.saturating_sub(it.rss));
    of_machine.min(of_group.unwrap_or(u64::MAX)).min(of_address_space().unwrap_or(u64::MAX))
}

/// What is left below the limit of the address space, if there is one (bytes).
#[cfg(unix)]
fn of_address_space() -> Option<u64> {
    let most = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = size.and_then(|size| size.trim().parse().ok()).unwrap_or(0);
    Some(most.saturating_sub(kilobytes * 1024))
}

#[cfg(not(unix))]
fn of_address_space() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_holds_is_given_back() {
        // Other tests of this program run worlds at the same time: only a share larger than all of these can be told.
        let mut share = Share::default();
        assert!(share.hold(1_000, 1, 1));
        share.keep(400);
        assert_eq!(share.bytes, 0);
        HELD.fetch_sub(400, Ordering::Relaxed);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_program_occupies_what_it_fills() {
        let before = resident().expect("the system tells");
        let filled = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = resident().expect("the system tells");
        assert!(after > before + (32 << 20) && filled.len() == 64 << 20, "{before}, then {after}");
    }

    #[test]
    fn there_is_memory() {
        assert!(free() > 1 << 20);
    }
}
