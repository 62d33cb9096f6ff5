//! Carbon of electricity, per kWh.
//!
//! # Models
//! It is constant, or has a value for each hour of the day, day after day.
//!
//! # Source
//! Ember and Energy Institute by Our World in Data, "Carbon intensity of electricity generation" (means of a year by country); grid operators
//! and electricitymaps.com have it by the hour.

use meshsim_core::{SimDuration, SimTime};

const HOUR: SimDuration = SimDuration::from_secs(3_600);

/// Grams of CO2 equivalents per kWh.
#[derive(Clone, Debug, PartialEq)]
pub enum CarbonIntensity {
    /// Always the same.
    Constant(f64),
    /// By the hour of the day.
    ByHour(Box<[f64; 24]>),
}

impl CarbonIntensity {
    /// At a moment of a run that begins at this time of day.
    #[must_use]
    pub fn at(&self, begins: SimDuration, now: SimTime) -> f64 {
        match self {
            Self::Constant(grams) => *grams,
            Self::ByHour(hours) => {
                let hour = (begins.as_nanos() + now.as_nanos()) / HOUR.as_nanos();
                hours[(hour % 24) as usize]
            }
        }
    }
}

/// Pieces of the time from one moment to another that end with the hours of the day, in a run that begins at this time of day.
pub fn hours(begins: SimDuration, from: SimTime, to: SimTime) -> impl Iterator<Item = [SimTime; 2]> {
    let mut now = from;
    std::iter::from_fn(move || {
        let start = now;
        let past = (begins.as_nanos() + start.as_nanos()) % HOUR.as_nanos();
        now = start.saturating_add(SimDuration::from_nanos(HOUR.as_nanos() - past)).min(to);
        (start < to).then_some([start, now])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> SimTime {
        SimTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn pieces_end_with_the_hours_of_the_day() {
        let begins = SimDuration::from_secs(23 * 3_600 + 1_800);
        let pieces: Vec<_> = hours(begins, at(600), at(6_000)).collect();
        assert_eq!(pieces, [[at(600), at(1_800)], [at(1_800), at(5_400)], [at(5_400), at(6_000)]]);
        let by_hour = CarbonIntensity::ByHour(Box::new(std::array::from_fn(|hour| hour as f64)));
        let values: Vec<f64> = pieces.iter().map(|[start, _]| by_hour.at(begins, *start)).collect();
        assert_eq!(values, [23.0, 0.0, 1.0]);
        assert_eq!(hours(begins, at(5), at(5)).count(), 0);
    }
}
