//! The classic hold model: the earliest event is taken and comes again after an exponential time,
//! so the number of pending events stays what it is.
//!
//! # Source
//! Jones, An empirical comparison of priority-queue and event-set implementations, Communications
//! of the ACM 29, 1986.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meshsim_core::random::{Address, exponential};
use meshsim_core::{EntityId, EventSet, Key, SimDuration, SimTime};
use std::hint::black_box;

/// Events taken and put back in one iteration.
const HOLDS: u64 = 100_000;
/// Delays, drawn beforehand: the bench is about the event set alone.
const DELAYS: usize = 1 << 16;

struct Hold {
    events: EventSet<u64>,
    delays: Vec<SimDuration>,
    sequence: u64,
}

impl Hold {
    fn new(pending: u64) -> Self {
        let root = Address::root(1, 0);
        let delay = |number| SimDuration::from_secs_f64(exponential(&mut root.child(number).draw(0), 1.0));
        let delays = (0..DELAYS as u64).map(delay).collect();
        let mut hold = Self { events: EventSet::new(), delays, sequence: 0 };
        (0..pending).for_each(|_| hold.push(SimTime::ZERO));
        // From the first delays to the steady state, in which the pending times crowd at the front.
        hold.turn(2 * pending);
        hold
    }

    fn push(&mut self, now: SimTime) {
        let delay = self.delays[self.sequence as usize % DELAYS];
        self.events.push(Key::new(now + delay, EntityId(0), self.sequence), self.sequence);
        self.sequence += 1;
    }

    fn turn(&mut self, holds: u64) {
        for _ in 0..holds {
            let Some((key, item)) = self.events.pop() else {
                return;
            };
            black_box(item);
            self.push(key.time());
        }
    }
}

fn hold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold");
    group.throughput(Throughput::Elements(HOLDS));
    for pending in [1_000, 100_000, 1_000_000] {
        let mut hold = Hold::new(pending);
        group.bench_function(pending.to_string(), |bencher| {
            bencher.iter(|| hold.turn(HOLDS));
        });
    }
    group.finish();
}

criterion_group!(benches, hold);
criterion_main!(benches);
