//! Ctrl-C: the first one stops cleanly, the second one at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// The flag that Ctrl-C sets.
pub(crate) fn flag() -> &'static AtomicBool {
    INSTALLED.get_or_init(|| {
        let handler = || {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        };
        if ctrlc::set_handler(handler).is_err() {
            crate::diagnostics::warn(&"Ctrl-C cannot be caught here; it will not keep finished parts");
        }
    });
    &STOP
}
