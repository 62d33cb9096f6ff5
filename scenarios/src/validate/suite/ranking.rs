//! Whether configurations rank as they were measured.
//!
//! # Models
//! Over all pairs of configurations whose measured means differ significantly, the simulated means
//! must differ the same way. A difference is significant at 95 % if it is more than the two
//! intervals' half-widths, added as independent errors are: the square root of the sum of squares.

use crate::analysis::value::Value;
use meshsim_core::elementary::sqrt;
use serde::Serialize;

/// Two configurations whose measured means differ significantly.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The one that was measured faster.
    pub faster: String,
    /// The other.
    pub slower: String,
    /// Measured difference of the means (ms), with its interval; positive.
    pub measured_ms: Value,
    /// Simulated difference of the means, the same way round (ms).
    pub simulated_ms: f64,
    /// Whether it has the same sign.
    pub holds: bool,
}

/// Mean latencies (ms) of a configuration.
#[derive(Clone, Debug)]
pub struct Means {
    /// Its name.
    pub name: String,
    /// Measured.
    pub measured: Value,
    /// Simulated.
    pub simulated: f64,
}

/// All pairs whose measured difference is significant; configurations without an interval are in none.
#[must_use]
pub fn rank(means: &[Means]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (index, one) in means.iter().enumerate() {
        for other in &means[index + 1..] {
            pairs.extend(pair(one, other));
        }
    }
    pairs
}

fn pair(one: &Means, other: &Means) -> Option<Pair> {
    let (faster, slower) =
        if one.measured.value <= other.measured.value { (one, other) } else { (other, one) };
    let difference = slower.measured.value - faster.measured.value;
    let half = |value: &Value| value.interval().map(|[low, high]| 0.5 * (high - low));
    let (a, b) = (half(&faster.measured)?, half(&slower.measured)?);
    let reach = sqrt(a * a + b * b);
    let simulated_ms = slower.simulated - faster.simulated;
    (difference > reach).then(|| Pair {
        faster: faster.name.clone(),
        slower: slower.name.clone(),
        measured_ms: Value { value: difference, ci95: Some([difference - reach, difference + reach]) },
        simulated_ms,
        holds: simulated_ms > 0.0,
    })
}
