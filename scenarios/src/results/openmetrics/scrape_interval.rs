//! How often a simulated run is scraped.

use meshsim_core::SimDuration;
use std::str::FromStr;

/// Time between two scrapes of a target: 100 ms at least, or there would be as many scrapes as requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeInterval(SimDuration);

impl ScrapeInterval {
    /// 15 s, as in Istio's sample Prometheus.
    pub const DEFAULT: Self = Self(SimDuration::from_secs(15));
    /// The shortest.
    const LEAST: SimDuration = SimDuration::from_millis(100);

    /// As a duration.
    #[must_use]
    pub const fn get(self) -> SimDuration {
        self.0
    }

    /// The same, or so long if that is shorter.
    #[must_use]
    pub fn at_most(self, longest: SimDuration) -> Self {
        Self(self.0.min(longest).max(Self::LEAST))
    }
}

impl FromStr for ScrapeInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<SimDuration>() {
            Ok(interval) if interval >= Self::LEAST => Ok(Self(interval)),
            Ok(_) => Err(format!("it is {} at least", Self::LEAST)),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_takes_its_time() {
        assert_eq!("15s".parse(), Ok(ScrapeInterval::DEFAULT));
        assert!("99ms".parse::<ScrapeInterval>().is_err() && "often".parse::<ScrapeInterval>().is_err());
    }
}
