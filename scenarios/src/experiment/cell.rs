//! Cells: what experiments are lists of, each told apart by everything that its result depends on.
//!
//! # Models
//! A cell is one strategy in one replication of a comparison. Its *id* is a hash of the version, of the scenario with its
//! settings and the files that it names, of the seed, of the strategies that run together (they decide which requests
//! are compared) and of what is kept of a run. So a cell that is found by its id is the one that would be run, whichever
//! experiment, folder or machine it comes from.
//!
//! # Assumptions
//! A version stands for the program: builds of one version whose models differ are not told apart.

use crate::resolve::Resolved;
use meshsim_core::stats::Resolution;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a cell is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellId([u8; 16]);

/// What a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be reported.
    Figures,
    /// To find out where a strategy settles.
    Pilot,
}

/// The cells of a comparison.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Of what all of them depend on.
    common: Sha256,
}

impl CellId {
    /// Its bytes in a file.
    pub(super) const BYTES: usize = 16;

    pub(super) const fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    pub(super) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

impl Cells {
    /// Those of strategies of a scenario with this hash that run together, of whose batches so much is kept.
    pub(super) fn of(scenario_sha256: &str, strategies: &[Resolved], batches: Resolution) -> Self {
        let mut common = Sha256::new();
        let mut add = |text: &str| {
            // Lengths keep texts apart.
            common.update((text.len() as u64).to_le_bytes());
            common.update(text);
        };
        add(env!("CARGO_PKG_VERSION"));
        add(scenario_sha256);
        add(&format!("{batches:?}"));
        for resolved in strategies {
            add(&resolved.strategy);
            add(&resolved.description.seed.to_string());
        }
        Self { common }
    }

    /// The id of a strategy's cell, by the strategy's index.
    pub(super) fn id(&self, purpose: Purpose, strategy: usize, replication: u32) -> CellId {
        let mut hash = self.common.clone();
        hash.update([u8::from(purpose == Purpose::Pilot)]);
        hash.update((strategy as u64).to_le_bytes());
        hash.update(replication.to_le_bytes());
        let mut id = [0; CellId::BYTES];
        id.copy_from_slice(&hash.finalize()[..CellId::BYTES]);
        CellId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Setting;
    use crate::experiment::compare::{Choice, ComparisonPlan};
    use crate::scenario::Scenario;

    fn id(settings: &[&str], choice: &Choice, replication: u32) -> CellId {
        let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
        let scenario = Scenario::open("slow-endpoint", &settings).unwrap();
        let plan = ComparisonPlan::new(&scenario, choice).unwrap();
        plan.cells().id(Purpose::Figures, 0, replication)
    }

    #[test]
    fn a_cell_is_another_one_when_anything_that_it_depends_on_is() {
        let usual = Choice { replications: Some(3), ..Choice::default() };
        let this = id(&[], &usual, 1);
        assert_eq!(this, id(&[], &usual, 1));
        // More replications are the same ones and others; a single one keeps more of itself.
        assert_eq!(this, id(&[], &Choice { replications: Some(9), ..usual.clone() }, 1));
        let others = [
            id(&[], &usual, 2),
            id(&["run.duration=20s"], &usual, 1),
            id(&[], &Choice { seed: Some(5), ..usual.clone() }, 1),
            id(&[], &Choice { replications: Some(1), ..usual.clone() }, 1),
            id(&[], &Choice { strategies: vec!["round-robin".into()], ..usual }, 1),
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(this, *other, "{index}");
            assert!(!others[..index].contains(other), "{index}");
        }
    }
}
