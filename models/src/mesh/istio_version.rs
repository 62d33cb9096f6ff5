//! What changes with Istio's release, resolved here and nowhere else.
//!
//! # Source
//! Istio's release notes; the code of `retry.go` in each release.

use std::fmt;
use std::str::FromStr;

/// A release of Istio, such as 1.26.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IstioVersion {
    major: u16,
    minor: u16,
}

/// The newest release that the rules here know of.
pub const NEWEST: IstioVersion = IstioVersion::new(1, 31);

impl IstioVersion {
    /// Release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether default retries cover an answer of 503: up to 1.23.
    #[must_use]
    pub const fn retries_503(self) -> bool {
        self.major < 1 || (self.major == 1 && self.minor <= 23)
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for IstioVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is not a release of Istio: write it as in `1.26`");
        let (major, minor) = text.split_once('.').ok_or_else(error)?;
        let number = |part: &str| part.parse().map_err(|_| error());
        let version = Self::new(number(major)?, number(minor)?);
        if version < Self::new(1, 14) || version > NEWEST {
            return Err(format!("`{text}` is not a release that meshsim knows: 1.14 to {NEWEST}"));
        }
        Ok(version)
    }
}
