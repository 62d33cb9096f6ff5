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

    /// The id of what depends on these texts, in this order, and on this version.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        add(&mut hash, env!("CARGO_PKG_VERSION"));
        parts.iter().for_each(|part| add(&mut hash, part));
        Self::from_hash(&hash)
    }

    fn from_hash(hash: &Sha256) -> Self {
        let mut id = [0; Self::BYTES];
        id.copy_from_slice(&hash.clone().finalize()[..Self::BYTES]);
        Self(id)
    }

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
        add(&mut common, env!("CARGO_PKG_VERSION"));
        add(&mut common, scenario_sha256);
        add(&mut common, &format!("{batches:?}"));
        for resolved in strategies {
            add(&mut common, &resolved.strategy);
            add(&mut common, &resolved.description.seed.to_string());
            add(&mut common, &resolved.description.keeps_decisions.to_string());
        }
        Self { common }
    }

    /// The id of a strategy's cell, by the strategy's index.
    pub(super) fn id(&self, purpose: Purpose, strategy: usize, replication: u32) -> CellId {
        let mut hash = self.common.clone();
        hash.update([u8::from(purpose == Purpose::Pilot)]);
        hash.update((strategy as u64).to_le_bytes());
        hash.update(replication.to_le_bytes());
        CellId::from_hash(&hash)
    }
}

/// Adds a text to a hash; lengths keep texts apart.
fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
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
