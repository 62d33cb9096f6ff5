//! The kernel of meshsim: simulated time, event sets, logical processes, addressed random numbers
//! and statistics. It knows no model: clusters, requests and files are other crates' business.
//!
//! A model is a set of [`Process`]es that hold entities. Each entity schedules plain events for
//! itself and sends messages to others; the [`Engine`] runs every process up to the time that no
//! message can reach it any more. A queue with one server, Poisson arrivals and exponential
//! service (M/M/1), whole:
//!
//! ```
//! use meshsim_core::random::{exponential, Address};
//! use meshsim_core::stats::Tally;
//! use meshsim_core::{Engine, EntityId, Process, RunControl, Scheduler, SimDuration, SimTime};
//! use std::collections::VecDeque;
//!
//! #[derive(Clone, Copy)]
//! enum Event { Arrival, Departure }
//!
//! struct Queue { customers: VecDeque<SimTime>, arrived: u64, served: u64, sojourn: Tally }
//!
//! const INTERARRIVAL: u32 = 0;
//! const SERVICE: u32 = 1;
//!
//! impl Queue {
//!     fn draw(purpose: u32, customer: u64, mean_secs: f64) -> SimDuration {
//!         let address = Address::root(1, 0).child(customer);
//!         SimDuration::from_secs_f64(exponential(&mut address.draw(purpose), mean_secs))
//!     }
//! }
//!
//! impl Process for Queue {
//!     type Event = Event;
//!     type Message = ();
//!     fn handle(&mut self, _: EntityId, event: Event, scheduler: &mut Scheduler<Event, ()>) {
//!         let now = scheduler.now();
//!         match event {
//!             Event::Arrival => {
//!                 self.arrived += 1;
//!                 self.customers.push_back(now);
//!                 scheduler.schedule(now + Self::draw(INTERARRIVAL, self.arrived, 2.0), Event::Arrival);
//!             }
//!             Event::Departure => {
//!                 let arrival = self.customers.pop_front().expect("a departure has a customer");
//!                 self.sojourn.record((now - arrival).as_secs_f64());
//!                 self.served += 1;
//!             }
//!         }
//!         let starts = match event { Event::Arrival => self.customers.len() == 1, Event::Departure => !self.customers.is_empty() };
//!         if starts {
//!             scheduler.schedule(now + Self::draw(SERVICE, self.served, 1.0), Event::Departure);
//!         }
//!     }
//!     fn receive(&mut self, _: EntityId, _: (), _: &mut Scheduler<Event, ()>) {}
//! }
//!
//! let queue = Queue { customers: VecDeque::new(), arrived: 0, served: 0, sojourn: Tally::new() };
//! let mut engine = Engine::new(vec![(queue, vec![EntityId(0)])], &[]);
//! engine.schedule(EntityId(0), SimTime::ZERO, Event::Arrival);
//! engine.run(&mut RunControl::until(SimTime::from_nanos(200_000_000_000_000)));
//! let mean = engine.processes().next().unwrap().sojourn.mean().unwrap();
//! assert!((mean - 2.0).abs() < 0.1, "1 / (1 - 1/2) = 2 seconds, not {mean}");
//! ```

pub mod elementary;
mod engine;
mod event_set;
mod lane;
mod memory;
mod process;
pub mod random;
mod run_control;
mod slab;
pub mod stats;
mod table;
pub mod time;

pub use engine::{Engine, Lookahead};
pub use event_set::{EventSet, Key};
pub use memory::growing_bytes;
pub use process::{EntityId, Process, Scheduler};
pub use run_control::{RunControl, RunEnd};
#[doc(hidden)]
pub use serde; // For `id_type`.
pub use slab::{Handle, Slab};
pub use table::{Id, Table};
pub use time::{ParseDurationError, SimDuration, SimTime};
