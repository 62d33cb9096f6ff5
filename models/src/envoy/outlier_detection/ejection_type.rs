//! Why outlier detection ejects a host.
//!
//! # Source
//! Envoy, API `data.cluster.v3.OutlierEjectionType`.

use serde::{Deserialize, Serialize};

/// Why a host is ejected, by Envoy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EjectionType {
    /// 5xx in a row.
    Consecutive5xx,
    /// 502, 503 or 504 in a row.
    ConsecutiveGatewayFailure,
    /// Failures of this side in a row: no connection, time-outs.
    ConsecutiveLocalOriginFailure,
    /// A success rate far below that of the other hosts.
    SuccessRate,
    /// The same, of local origin.
    SuccessRateLocalOrigin,
    /// Too many failures.
    FailurePercentage,
    /// The same, of local origin.
    FailurePercentageLocalOrigin,
}

impl EjectionType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Consecutive5xx,
        Self::ConsecutiveGatewayFailure,
        Self::ConsecutiveLocalOriginFailure,
        Self::SuccessRate,
        Self::SuccessRateLocalOrigin,
        Self::FailurePercentage,
        Self::FailurePercentageLocalOrigin,
    ];

    /// Envoy's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "CONSECUTIVE_5XX",
            Self::ConsecutiveGatewayFailure => "CONSECUTIVE_GATEWAY_FAILURE",
            Self::ConsecutiveLocalOriginFailure => "CONSECUTIVE_LOCAL_ORIGIN_FAILURE",
            Self::SuccessRate => "SUCCESS_RATE",
            Self::SuccessRateLocalOrigin => "SUCCESS_RATE_LOCAL_ORIGIN",
            Self::FailurePercentage => "FAILURE_PERCENTAGE",
            Self::FailurePercentageLocalOrigin => "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
        }
    }
}
