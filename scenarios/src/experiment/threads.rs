//! How many threads a run may take: the pool's are divided among the runs that are under way.
//!
//! # Models
//! Runs are independent, so each has a thread while there are as many runs as threads. Where there are fewer (a single
//! replication, or the last one), the processes of a run's rounds are spread over the threads that are left. No result
//! depends on it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that are under way.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// A run that is under way.
pub(super) struct UnderWay(());

impl UnderWay {
    /// A run begins.
    pub(super) fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Threads that it may take for now, its own among them.
    pub(super) fn threads(&self) -> usize {
        (rayon::current_num_threads() / UNDER_WAY.load(Ordering::Relaxed).max(1)).max(1)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}
