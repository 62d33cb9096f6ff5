//! Whether a ranking holds over the draws of a calibration.
//!
//! # Models
//! Strategies are ranked by their mean latency, at the calibrated values and in every draw, without
//! those under which too many requests fail. A draw is a set of values that the calibration might as well
//! have found: the share of draws in which a ranking is the same says whether it hangs on what the
//! calibration left open.

use serde::Serialize;
use std::fmt::Write;

/// A ranking over draws.
#[derive(Clone, Debug, Serialize)]
pub struct Ranking {
    /// Draws that were compared.
    pub draws: usize,
    /// The strategies at the calibrated values, the fastest first.
    pub order: Vec<String>,
    /// Share of the draws in which the first stays first.
    pub winner_share: Option<f64>,
    /// Share of the draws in which the whole order is the same.
    pub order_share: Option<f64>,
    /// Each two strategies, the faster first.
    pub pairs: Vec<Pair>,
    /// Mean latency (ms) by draw and strategy; nothing where too many requests failed.
    pub means_ms: Vec<Vec<Option<f64>>>,
}

/// Two strategies.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The faster one at the calibrated values.
    pub faster: String,
    /// The slower one.
    pub slower: String,
    /// Share of the draws in which it is so.
    pub share: Option<f64>,
}

/// The strategies of a comparison that answer their users, the fastest first, each with its mean latency (ms).
pub type Order = Vec<(String, f64)>;

impl Ranking {
    /// Of the order at the calibrated values over those at draws. `strategies` are all that were compared, as they are
    /// listed.
    #[must_use]
    pub fn new(strategies: &[&str], calibrated: &Order, draws: &[Order]) -> Self {
        let names = |order: &Order| order.iter().map(|(name, _)| name.clone()).collect();
        let order: Vec<String> = names(calibrated);
        let orders: Vec<Vec<String>> = draws.iter().map(names).collect();
        let mean = |order: &Order, name: &str| order.iter().find(|(it, _)| it == name).map(|(_, mean)| *mean);
        let share = |holds: &dyn Fn(&Vec<String>) -> bool| {
            let count = orders.iter().filter(|order| holds(order)).count();
            (!orders.is_empty()).then(|| count as f64 / orders.len() as f64)
        };
        let rank = |order: &[String], name: &str| order.iter().position(|it| it == name);
        let pairs = order
            .iter()
            .enumerate()
            .flat_map(|(at, faster)| order[at + 1..].iter().map(move |slower| (faster, slower)));
        let pair = |(faster, slower): (&String, &String)| Pair {
            faster: faster.clone(),
            slower: slower.clone(),
            // One that fails in a draw comes after all that do not.
            share: share(&|it| match (rank(it, faster), rank(it, slower)) {
                (Some(faster), Some(slower)) => faster < slower,
                (faster, _) => faster.is_some(),
            }),
        };
        Self {
            draws: draws.len(),
            winner_share: share(&|it| it.first() == order.first()),
            order_share: share(&|it| *it == order),
            pairs: pairs.map(pair).collect(),
            means_ms: draws
                .iter()
                .map(|order| strategies.iter().map(|it| mean(order, it)).collect())
                .collect(),
            order,
        }
    }

    /// What it says, in sentences.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (Some(winner), Some(share)) = (self.order.first(), self.winner_share) else {
            return "No draw of the calibration can be compared.".to_owned();
        };
        let times = |share: f64| (share * self.draws as f64).round();
        if self.order_share.is_some_and(|share| share >= 1.0) {
            return format!("In all {} draws of the calibration the ranking is the same.", self.draws);
        }
        let mut text = format!(
            "Over {} draws of the calibration `{winner}` stays fastest in {} ({:.0} %); the whole ranking is the \
             same in {}",
            self.draws,
            times(share),
            share * 100.0,
            times(self.order_share.unwrap_or(0.0)),
        );
        for pair in self.pairs.iter().filter(|pair| pair.share.is_some_and(|share| share < 1.0)) {
            let changed = self.draws as f64 - times(pair.share.unwrap_or(1.0));
            let _ = write!(text, "; `{}` and `{}` change places in {changed}", pair.faster, pair.slower);
        }
        text + "."
    }
}
