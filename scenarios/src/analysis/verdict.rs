//! The one sentence at the end of a comparison.

use crate::results::summary::{Strategy, Summary};

/// Which strategy is best, by how much, how sure; or that it cannot be told.
///
/// The best is the one with the lowest mean latency among those that answer their users: a strategy
/// under which more than a tenth of the requests failed or had not ended is left out, because its
/// latencies are those of the lucky. It is told from another if the interval of
/// their paired difference leaves zero out.
#[must_use]
pub fn verdict(summary: &Summary) -> String {
    let ranked = ranked(summary);
    let Some(best) = ranked.first() else {
        return "Cannot be told: under every strategy too many requests failed or had not ended.".to_owned();
    };
    let name = &best.name;
    let Some(second) = ranked.get(1) else {
        return format!(
            "`{name}` is the only strategy that answers its users: there is nothing to compare it with."
        );
    };
    let Some(difference) = summary.difference(&best.name, &second.name) else {
        return format!(
            "Cannot be told: the strategies {name} and {} have no replication in common.",
            second.name
        );
    };
    let by = -difference.value;
    match difference.interval() {
        Some([low, high]) if high < 0.0 || low > 0.0 => {
            let mut text = format!(
                "`{name}` is fastest: {by:.1} ms below `{}` in the mean (95 % interval {:.1} to {:.1} ms)",
                second.name, -high, -low
            );
            if let Some(baseline) = summary.against_baseline(&best.name) {
                text += &format!(
                    " and {:.1} ms below the baseline `{}`",
                    -baseline.mean_difference_ms.value, baseline.baseline
                );
            }
            text + "."
        }
        Some([low, high]) => format!(
            "Cannot be told: `{name}` and `{}` differ by {by:.1} ms, but the 95 % interval ({:.1} to {:.1} ms) \
             contains zero; more replications would tell.",
            second.name, -high, -low
        ),
        None => format!(
            "Cannot be told: `{name}` was {by:.1} ms below `{}` in the only replication; two or more give an \
             interval.",
            second.name
        ),
    }
}

/// The strategies that answer their users, the fastest first.
#[must_use]
pub fn ranked(summary: &Summary) -> Vec<&Strategy> {
    let mut ranked: Vec<&Strategy> = summary
        .strategies
        .iter()
        .filter(|it| it.latency_ms.mean.value.is_finite() && unanswered(it) <= UNANSWERED_MAX)
        .collect();
    ranked.sort_by(|a, b| a.latency_ms.mean.value.total_cmp(&b.latency_ms.mean.value));
    ranked
}

/// A strategy that leaves more than this share of its requests without a good answer is not ranked.
const UNANSWERED_MAX: f64 = 0.1;

/// Share of the requests that failed or had not ended.
fn unanswered(strategy: &Strategy) -> f64 {
    let requests = &strategy.requests;
    (requests.offered - requests.completed) as f64 / requests.offered.max(1) as f64
}
