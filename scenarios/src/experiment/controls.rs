//! What the draws of a run's requests say of them, less what they say in the mean: control variates.
//!
//! # Models
//! Sums over the requests that arrive in a stretch of the run, whatever becomes of them: their mean is 0 exactly
//! (`meshsim_models::world::foreseen`). For requests of one kind, or of one application, it is that of the kind that is taken
//! off; for others that of all kinds which a population requests, so that it counts too how many of each there happened to be.
//!
//! # Assumptions
//! Figures are taken in 2⁻²⁰ of their units, so that sums are whole numbers and the order of requests is of no importance.
//! Effect: means are off by a two-millionth of a call, or of a millisecond, at most.

use super::groups::Which;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::world::foreseen::{FIGURES, Foreseen, Foresight};
use serde::{Deserialize, Serialize};

/// Means of controls, in the order of [`FIGURES`].
pub type Controls = [f64; FIGURES.len()];

/// A unit of a figure, in parts that are counted.
const UNIT: f64 = (1 << 20) as f64;

/// What the controls of some requests come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlSum {
    requests: u64,
    sums: [i128; FIGURES.len()],
}

/// The controls of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Centred {
    /// Less the mean of its kind.
    of_kind: [i64; FIGURES.len()],
    /// Less the mean of all that its population requests.
    of_all: [i64; FIGURES.len()],
}

impl Centred {
    /// Those of a request; nothing tells of one that its population does not request.
    pub(super) fn of(foresight: &mut Foresight<'_>, row: &RequestRow) -> Self {
        let Some((figures, means)) = foresight.of(row.population, row.number, row.endpoint) else {
            return Self::default();
        };
        let [of_kind, of_all] = means.map(|mean| parts(&figures, &mean));
        Self { of_kind, of_all }
    }

    /// For requests that are reported together.
    pub(super) const fn among(&self, which: Which) -> &[i64; FIGURES.len()] {
        if which.request.is_some() || which.tenant.is_some() { &self.of_kind } else { &self.of_all }
    }
}

fn parts(figures: &Foreseen, mean: &Foreseen) -> [i64; FIGURES.len()] {
    std::array::from_fn(|index| ((figures[index] - mean[index]) * UNIT).round() as i64)
}

impl ControlSum {
    /// A request more.
    pub(super) fn add(&mut self, controls: &[i64; FIGURES.len()]) {
        self.requests += 1;
        self.sums.iter_mut().zip(controls).for_each(|(sum, it)| *sum += i128::from(*it));
    }

    /// Means per request; NaN without one.
    #[must_use]
    pub fn means(&self) -> Controls {
        self.sums.map(|sum| sum as f64 / UNIT / self.requests as f64)
    }

    /// The means over all of these.
    #[must_use]
    pub fn means_of_all(parts: &[Self]) -> Controls {
        let mut all = Self::default();
        for part in parts {
            all.requests += part.requests;
            all.sums.iter_mut().zip(part.sums).for_each(|(sum, it)| *sum += it);
        }
        all.means()
    }
}
