//! Lives of requests for people and their tools: the story of one, spans, a trace for Chrome and Perfetto, access logs, and where the
//! time of the median and of the p99 request went.
//!
//! # Models
//! Requests are chosen ([`choice`]) and followed ([`crate::experiment::lives`]). What befell them is told by whoever would
//! have seen it: as a [`story`] with the rules that were applied, as [`mod@spans`] of proxies and services (in OTLP), as an
//! [`access_log`] of proxies, as lanes of a [`chrome`] trace, or summed up by parts ([`critical_path`]).

pub mod access_log;
pub mod choice;
pub mod chrome;
pub mod critical_path;
pub mod otlp;
pub(crate) mod read_back;
pub mod spans;
pub mod story;
mod words;

#[cfg(test)]
mod tests;

use self::choice::Several;
use self::spans::{Span, spans};
use self::words::Words;
use crate::experiment::{Watch, lives};
use crate::problem::Checked;
use crate::resolve::Resolved;
use crate::results::folder::Folder;
use crate::start_time::StartTime;
use meshsim_core::random::Address;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::trace::life::Life;
use meshsim_models::telemetry::work::RequestId;
use meshsim_models::world::topology::Topology;

/// Which requests of the first replication are followed, and how they are told.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// Which ones.
    pub which: Several,
    /// How many.
    pub count: usize,
    /// In which forms.
    pub forms: Forms,
    /// When the run begins.
    pub start: StartTime,
}

impl Following {
    /// Simulated time of the runs that it takes (s).
    #[must_use]
    pub fn simulated_seconds(&self, resolved: &Resolved) -> f64 {
        2.0 * resolved.description.end().as_secs_f64()
    }

    /// Follows requests of a strategy that are sent so many seconds after the start or later. Nothing if it was told to
    /// stop.
    #[must_use]
    pub fn follow(&self, resolved: &Resolved, warm_up: f64, watch: &Watch<'_>) -> Option<Told> {
        let from = SimTime::ZERO + SimDuration::from_secs_f64(warm_up);
        let rows = lives::requests(resolved, 0, watch)?;
        let told = Told::new(resolved, self.which.of(&rows, from, self.count), watch)?;
        Some(Told { start: self.start, forms: self.forms, ..told })
    }
}

/// Lives of a replication that are told to tools.
pub struct Told {
    topology: Topology,
    start: StartTime,
    lives: Vec<Life>,
    forms: Forms,
}

/// In which forms lives are written beside spans.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forms {
    /// A trace for Chrome and Perfetto.
    pub chrome_trace: bool,
    /// Access logs.
    pub access_logs: bool,
}

impl Told {
    /// Follows these requests of the first replication. Nothing if it was told to stop.
    pub(crate) fn new(resolved: &Resolved, chosen: Vec<RequestId>, watch: &Watch<'_>) -> Option<Self> {
        let lives = lives::follow(resolved, 0, chosen, watch)?;
        let topology = Topology::new(resolved.description.clone(), 0);
        Some(Self { topology, start: StartTime::DEFAULT, lives, forms: Forms::default() })
    }

    /// Writes them as files of a folder of results.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, folder: &mut Folder) -> Checked<()> {
        folder.write("spans.json", |out| otlp::write(self, out))?;
        if self.forms.chrome_trace {
            folder.write("chrome_trace.json", |out| chrome::write(self, out))?;
        }
        if self.forms.access_logs {
            folder.write("access_log.txt", |out| access_log::write_text(self, out))?;
            folder.write("access_log.json", |out| access_log::write_json(self, out))?;
        }
        Ok(())
    }

    /// The spans of all of them.
    fn spans(&self, words: &Words<'_>) -> Vec<Span> {
        self.lives.iter().flat_map(|life| spans(words, life, self.root(life))).collect()
    }

    /// The address of a request's draws.
    fn root(&self, life: &Life) -> Address {
        let id = life.request.id();
        self.topology.draws.request(id.population, u64::from(id.number))
    }

    /// A moment of the run (ns since 1970).
    const fn unix_nanos(&self, at: SimTime) -> u64 {
        self.start.ms() * 1_000_000 + at.as_nanos()
    }
}
