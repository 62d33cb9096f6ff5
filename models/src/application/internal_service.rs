//! What a µBench cell does itself, and what that costs.
//!
//! # Models
//! The functions `loader` (stress of CPU, memory and disk, sleep, a body of random characters) and `compute_pi`
//! (CPU stress, a body of one repeated character). Demands are CPU time at the reference speed of the
//! cost table, times its scale. The body's size is exponential, in characters of one byte, at
//! least one.
//!
//! Memory stress builds a list of one element per kB and replaces so many elements of it, one after the
//! other: CPU time per element and per replacement. Disk stress writes so many blocks of random bytes, waits until they
//! are on the disk, and reads them in random order: CPU time per block and per byte, and a wait that takes no CPU but
//! holds the thread, as sleeping does.
//!
//! # Assumptions
//! - The loader's list of kilobytes holds one kilobyte many times (Python makes a constant of it), so memory
//!   stress needs next to no memory; none is accounted for.
//! - What is read was written just before and comes from memory, so reading waits for nothing. The disk is
//!   nobody else's: calls that write at a time do not wait for each other. Effect: with many of them latencies are too
//!   short.
//! - All CPU time of the disk stress comes before the wait. Effect: none on the latency of a call alone.
//! - The cost of a body is proportional to its size, that of `d` digits of pi is
//!   `a d + b d^2`: within 4 % of every measurement from 10 to 1000 digits.
//! - The speed of a core varies from call to call, independently, as `cell.speed_spread` says. Real
//!   cores stay fast or slow for a few calls. Effect: bursts of slow calls are missing.
//!
//! # Source
//! µBench, `CustomFunctions/Loader.py` and `ServiceCell/InternalServiceExecutor.py`. The default
//! costs were measured on the unmodified cell (Python 3.8, gunicorn 20.1, AMD EPYC); those of memory and disk are
//! derived, see [`crate::world::description::DEFAULT_CELL_COSTS`].

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, exponential, uniform};

/// The work of an endpoint before it calls others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InternalService {
    /// Digits of pi, if CPU stress is on.
    pub cpu_stress: Option<CpuStress>,
    /// What is done in memory, if memory stress is on.
    pub memory_stress: Option<MemoryStress>,
    /// What is written and read, if disk stress is on.
    pub disk_stress: Option<DiskStress>,
    /// Time for which the thread sleeps. Uses no CPU.
    pub sleep: SimDuration,
    /// Mean size of the response's body (kB of 1000 characters).
    pub mean_body_kb: f64,
    /// How the body is made.
    pub body: BodyKind,
}

/// Computing digits of pi.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuStress {
    /// Least and greatest number of digits, both included; drawn uniformly per job.
    pub complexity: [u32; 2],
    /// Jobs side by side. They share one interpreter, so their work adds up.
    pub thread_pool_size: u32,
    /// How often each job computes its digits.
    pub trials: u32,
}

/// Building a list and replacing elements of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStress {
    /// Elements of the list, each of a kB.
    pub size_kb: u32,
    /// How many are replaced.
    pub operations: u32,
}

/// Writing blocks to a file, and reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStress {
    /// How many.
    pub blocks: u32,
    /// Bytes of each.
    pub block_bytes: u32,
}

impl DiskStress {
    /// What is written (kB of 1000 bytes).
    fn kilobytes(self) -> f64 {
        f64::from(self.blocks) * f64::from(self.block_bytes) / 1000.0
    }
}

/// How a body is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Character by character at random (`loader`): costs CPU by its size.
    Random,
    /// One repeated character (`compute_pi`): costs next to nothing.
    Constant,
}

/// What a unit of the cell's work costs (ms of CPU at the reference speed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellCosts {
    /// Every cost is multiplied by this: the speed of the reference machine over that of the
    /// simulated one.
    pub cpu_scale: f64,
    /// Accepting, parsing and dispatching a request.
    pub request_ms: f64,
    /// Serializing and writing the response, and the cell's own metrics.
    pub response_ms: f64,
    /// A kB of random body.
    pub body_ms_per_kb: f64,
    /// A digit of pi: the linear part.
    pub pi_ms_per_digit: f64,
    /// A digit of pi: the quadratic part.
    pub pi_ms_per_digit_squared: f64,
    /// A kB of a list in memory: making and freeing it.
    pub memory_ms_per_kb: f64,
    /// An element of it that is replaced.
    pub memory_ms_per_operation: f64,
    /// A block written and read: without its bytes.
    pub disk_ms_per_block: f64,
    /// A kB of blocks.
    pub disk_ms_per_kb: f64,
    /// Waiting until a file is on the disk: no CPU, and not scaled.
    pub disk_sync_ms: f64,
    /// The same, per kB.
    pub disk_sync_ms_per_kb: f64,
    /// Calling an external service: the client's share, before the request leaves.
    pub call_ms: f64,
    /// Starting a thread for a group of external services.
    pub group_ms: f64,
}

const NANOS_PER_MS: f64 = 1e6;

impl InternalService {
    /// Does nothing and answers one character.
    #[must_use]
    pub const fn idle() -> Self {
        Self {
            cpu_stress: None,
            memory_stress: None,
            disk_stress: None,
            sleep: SimDuration::ZERO,
            mean_body_kb: 0.0,
            body: BodyKind::Constant,
        }
    }

    /// The body's size (bytes) of the request at `address`.
    #[must_use]
    pub fn body_bytes(&self, address: Address) -> u32 {
        let mean = self.mean_body_kb * 1000.0;
        exponential(&mut draw(address, Purpose::BodySize), mean).max(1.0) as u32
    }

    /// CPU time (ns) of the digits of pi for the request at `address`.
    #[must_use]
    pub fn pi_demand(&self, address: Address, costs: &CellCosts) -> f64 {
        let Some(stress) = self.cpu_stress else { return 0.0 };
        let [low, high] = stress.complexity;
        let mut rng = draw(address, Purpose::CpuComplexity);
        let one_job = |_| {
            let digits = f64::from(low) + (uniform(&mut rng) * f64::from(high - low + 1)).floor();
            digits * (costs.pi_ms_per_digit + digits * costs.pi_ms_per_digit_squared)
        };
        let once: f64 = (0..stress.thread_pool_size).map(one_job).sum();
        once * f64::from(stress.trials) * costs.cpu_scale * NANOS_PER_MS
    }

    /// CPU time (ns) of the stress of memory and disk.
    #[must_use]
    pub fn storage_demand(&self, costs: &CellCosts) -> f64 {
        if self.memory_stress.is_none() && self.disk_stress.is_none() {
            return 0.0;
        }
        self.storage_ms(costs) * costs.cpu_scale * NANOS_PER_MS
    }

    fn storage_ms(&self, costs: &CellCosts) -> f64 {
        let memory = self.memory_stress.map_or(0.0, |it| {
            f64::from(it.size_kb) * costs.memory_ms_per_kb
                + f64::from(it.operations) * costs.memory_ms_per_operation
        });
        let disk = self.disk_stress.map_or(0.0, |it| {
            f64::from(it.blocks) * costs.disk_ms_per_block + it.kilobytes() * costs.disk_ms_per_kb
        });
        memory + disk
    }

    /// How long the thread waits without using the CPU: for the disk, and asleep.
    #[must_use]
    pub fn pause(&self, costs: &CellCosts) -> SimDuration {
        let Some(disk) = self.disk_stress else { return self.sleep };
        let sync_ms = costs.disk_sync_ms + disk.kilobytes() * costs.disk_sync_ms_per_kb;
        self.sleep.saturating_add(SimDuration::from_nanos_f64(sync_ms * NANOS_PER_MS))
    }

    /// CPU time (ns) of making a body of so many bytes.
    #[must_use]
    pub fn body_demand(&self, bytes: f64, costs: &CellCosts) -> f64 {
        match self.body {
            BodyKind::Random => bytes / 1000.0 * costs.body_ms_per_kb * costs.cpu_scale * NANOS_PER_MS,
            BodyKind::Constant => 0.0,
        }
    }

    /// Mean CPU time (ms) of one request, the cell's own and that of its client: `calls` external
    /// calls in `groups` groups.
    #[must_use]
    pub fn mean_demand_ms(&self, costs: &CellCosts, groups: f64, calls: f64) -> f64 {
        let body = match self.body {
            BodyKind::Random => self.mean_body_kb * costs.body_ms_per_kb,
            BodyKind::Constant => 0.0,
        };
        let stress = self.mean_pi_ms(costs) + self.storage_ms(costs);
        let own = costs.request_ms + costs.response_ms + body + stress;
        (own + groups * costs.group_ms + calls * costs.call_ms) * costs.cpu_scale
    }

    fn mean_pi_ms(&self, costs: &CellCosts) -> f64 {
        let Some(stress) = self.cpu_stress else { return 0.0 };
        let [low, high] = stress.complexity.map(f64::from);
        let count = high - low + 1.0;
        let sum = |x: f64| x * (x + 1.0) / 2.0;
        let squares = |x: f64| x * (x + 1.0) * (2.0 * x + 1.0) / 6.0;
        let mean = (sum(high) - sum(low - 1.0)) / count;
        let mean_square = (squares(high) - squares(low - 1.0)) / count;
        let once = mean * costs.pi_ms_per_digit + mean_square * costs.pi_ms_per_digit_squared;
        once * f64::from(stress.thread_pool_size * stress.trials)
    }
}

impl CellCosts {
    /// CPU time (ns) before the internal service.
    #[must_use]
    pub fn request(&self) -> f64 {
        self.request_ms * self.cpu_scale * NANOS_PER_MS
    }

    /// CPU time (ns) after the external services.
    #[must_use]
    pub fn response(&self) -> f64 {
        self.response_ms * self.cpu_scale * NANOS_PER_MS
    }

    /// CPU time (ns) of a request for which a law says `ms`.
    #[must_use]
    pub fn of_law(&self, ms: f64) -> f64 {
        ms * self.cpu_scale * NANOS_PER_MS
    }

    /// CPU time (ns) of the client side of one call.
    #[must_use]
    pub fn call(&self) -> f64 {
        self.call_ms * self.cpu_scale * NANOS_PER_MS
    }

    /// CPU time (ns) of starting one group.
    #[must_use]
    pub fn group(&self) -> f64 {
        self.group_ms * self.cpu_scale * NANOS_PER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: CellCosts = CellCosts {
        cpu_scale: 2.0,
        request_ms: 1.0,
        response_ms: 0.5,
        body_ms_per_kb: 0.1,
        pi_ms_per_digit: 0.01,
        pi_ms_per_digit_squared: 0.0001,
        memory_ms_per_kb: 1e-4,
        memory_ms_per_operation: 2e-3,
        disk_ms_per_block: 4e-3,
        disk_ms_per_kb: 5e-3,
        disk_sync_ms: 3.0,
        disk_sync_ms_per_kb: 1e-2,
        call_ms: 0.25,
        group_ms: 0.125,
    };

    #[test]
    fn demand_is_the_sum_of_its_parts_times_the_scale() {
        let stress = CpuStress { complexity: [100, 100], thread_pool_size: 2, trials: 3 };
        let service = InternalService {
            cpu_stress: Some(stress),
            mean_body_kb: 10.0,
            body: BodyKind::Random,
            ..InternalService::idle()
        };
        let address = Address::root(1, 0);
        // 100 digits: 1 + 1 = 2 ms, two jobs, three trials: 12 ms, at half the speed 24 ms.
        assert!((service.pi_demand(address, &COSTS) - 24e6).abs() < 1.0);
        assert!((service.body_demand(5e3, &COSTS) - 1e6).abs() < 1e-6);
        let mean = service.mean_demand_ms(&COSTS, 1.0, 2.0);
        assert!((mean - 2.0 * (1.5 + 1.0 + 12.0 + 0.125 + 0.5)).abs() < 1e-9);
    }

    #[test]
    fn memory_and_disk_cost_by_their_size_and_the_disk_makes_wait() {
        let memory = MemoryStress { size_kb: 10_000, operations: 1_000 };
        let disk = DiskStress { blocks: 1_000, block_bytes: 1_024 };
        let sleep = SimDuration::from_millis(10);
        let service = InternalService {
            memory_stress: Some(memory),
            disk_stress: Some(disk),
            sleep,
            ..InternalService::idle()
        };
        // 1 + 2 ms in memory; 4 ms for the blocks and 5.12 for 1024 kB; at half the speed twice that.
        assert!((service.storage_demand(&COSTS) - 24.24e6).abs() < 1e-3);
        assert!((service.mean_demand_ms(&COSTS, 0.0, 0.0) - 2.0 * (1.5 + 12.12)).abs() < 1e-9);
        // 10 ms asleep, 3 ms and 10.24 ms for the disk, whatever the speed of the CPU.
        assert_eq!(service.pause(&COSTS), SimDuration::from_micros(23_240));
        let idle = InternalService { sleep, ..InternalService::idle() };
        assert_eq!((idle.pause(&COSTS), idle.storage_demand(&COSTS).to_bits()), (sleep, 0));
    }

    #[test]
    fn digits_are_uniform_over_both_ends() {
        let stress = CpuStress { complexity: [1, 3], thread_pool_size: 1, trials: 1 };
        let service = InternalService { cpu_stress: Some(stress), ..InternalService::idle() };
        let costs = CellCosts { cpu_scale: 1.0, pi_ms_per_digit: 1.0, pi_ms_per_digit_squared: 0.0, ..COSTS };
        let mut counts = [0; 4];
        for k in 0..30_000 {
            counts[(service.pi_demand(Address::root(1, 0).child(k), &costs) / 1e6) as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        // Standard deviation of each count: 82.
        assert!(counts[1..].iter().all(|n| (9_590..10_410).contains(n)), "{counts:?}");
        assert!((service.mean_demand_ms(&costs, 0.0, 0.0) - 3.5).abs() < 1e-12);
    }

    #[test]
    fn a_body_has_at_least_one_character() {
        assert_eq!(InternalService::idle().body_bytes(Address::root(1, 0)), 1);
    }
}
