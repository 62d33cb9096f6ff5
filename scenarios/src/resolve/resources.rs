//! Amounts of CPU and memory that containers request, may use, or nodes have.

use super::check::Check;
use crate::schema::kubernetes as typed;
use crate::schema::quantity::Quantity;
use crate::schema::spanned::Spanned;
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::units::{Bytes, Cores};

/// A CPU limit of pods, which is not too small.
pub(super) fn cpu_limit(check: &mut Check<'_>, limit: &Spanned<Quantity<Cores>>) -> Cores {
    let cores = limit.get_ref().0;
    if cores.0 < 0.001 {
        let message = format!("a CPU limit of {} cores is too small", cores.0);
        check.problem(message, limit.span(), "it is at least \"1m\"");
    }
    cores
}

/// In thousandths of a core.
pub(super) fn milli(cores: Cores) -> u64 {
    (cores.0 * 1000.0).round() as u64
}

/// What a container requests; nothing of what it does not name.
pub(super) fn requests(check: &mut Check<'_>, written: &typed::Requests) -> ResourceList {
    let mut list = ResourceList::default();
    if let Some(cpu) = &written.cpu {
        list.set(Resource::CPU, cores(check, cpu, "a CPU request"));
    }
    if let Some(memory) = &written.memory {
        list.set(Resource::MEMORY, bytes(check, Some(memory), "a memory request", 0.0) as u64);
    }
    list
}

/// CPU in thousandths of a core.
pub(super) fn cores(check: &mut Check<'_>, written: &Spanned<Quantity<Cores>>, what: &str) -> u64 {
    let cores = written.get_ref().0;
    if !(0.0..=100_000.0).contains(&cores.0) {
        let message = format!("{what} of {} cores is out of range", cores.0);
        check.problem(message, written.span(), "it is \"0\" to \"100000\"");
        return 0;
    }
    milli(cores)
}

/// A size.
pub(super) fn bytes(
    check: &mut Check<'_>,
    written: Option<&Spanned<Quantity<Bytes>>>,
    what: &str,
    default: f64,
) -> f64 {
    let Some(written) = written else { return default };
    let size = written.get_ref().0.0;
    if !(0.0..=1e15).contains(&size) {
        check.problem(
            format!("{what} of {size} bytes is out of range"),
            written.span(),
            "it is at most \"1000000GB\"",
        );
        return default;
    }
    size
}
