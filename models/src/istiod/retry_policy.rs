//! What a VirtualService's `retries` become in Envoy's route.
//!
//! # Models
//! Nothing set: 2 retries of connect-failure, refused-stream, unavailable, cancelled and
//! retriable-status-codes, where 503 is such a code up to Istio 1.23 only. 0 attempts: none. Status
//! codes among the conditions of `retryOn` are taken out of them, and ask for
//! retriable-status-codes. A retry rejects hosts that were tried, not on consistent-hash routes,
//! unless `retryIgnorePreviousHosts` says otherwise.
//!
//! # Source
//! Istio `pilot/pkg/networking/core/route/retry/retry.go`; Go `net/http`, `StatusText` (which
//! numbers are status codes).

use super::istio_version::IstioVersion;
use meshsim_core::SimDuration;

/// Istio's default of further attempts.
pub const RETRIES: u8 = 2;

/// How often, by Istio's default, an endpoint is chosen anew because it was tried before.
pub const HOST_SELECTION_RETRIES: u32 = 5;

/// `retries` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetrySettings {
    /// `attempts`: further attempts; 0 or less switches retries off.
    pub attempts: i32,
    /// `retryOn`: conditions and status codes, with commas; empty: the default.
    pub retry_on: String,
    /// `perTryTimeout`.
    pub per_try_timeout: Option<SimDuration>,
    /// `backoff`: bound of the first back-off.
    pub backoff: Option<SimDuration>,
    /// `retryIgnorePreviousHosts`.
    pub retry_ignore_previous_hosts: Option<bool>,
    /// `retryRemoteLocalities`.
    pub retry_remote_localities: bool,
}

/// Envoy's retry policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Further attempts.
    pub num_retries: u32,
    /// Conditions.
    pub retry_on: Vec<String>,
    /// Codes that count as the condition `retriable-status-codes`.
    pub retriable_status_codes: Vec<u16>,
    /// How long an attempt may take; absent: as long as the route.
    pub per_try_timeout: Option<SimDuration>,
    /// Whether hosts that were tried are rejected.
    pub previous_hosts: bool,
    /// How often a host is chosen anew because it was rejected.
    pub host_selection_retry_max_attempts: u32,
    /// Whether priorities that were tried are left out.
    pub previous_priorities: bool,
    /// Bound of the first back-off; absent: Envoy's 25 ms.
    pub base_interval: Option<SimDuration>,
}

/// Istio's default conditions.
const DEFAULT_RETRY_ON: [&str; 5] =
    ["connect-failure", "refused-stream", "unavailable", "cancelled", RETRIABLE_STATUS_CODES];
const RETRIABLE_STATUS_CODES: &str = "retriable-status-codes";

impl RetryPolicy {
    /// The policy of a release where nothing is set.
    #[must_use]
    pub fn default_of(version: IstioVersion, consistent_hash: bool) -> Self {
        Self {
            num_retries: u32::from(RETRIES),
            retry_on: DEFAULT_RETRY_ON.map(str::to_owned).to_vec(),
            retriable_status_codes: if version.retries_503() { vec![503] } else { Vec::new() },
            per_try_timeout: None,
            previous_hosts: !consistent_hash,
            host_selection_retry_max_attempts: HOST_SELECTION_RETRIES,
            previous_priorities: false,
            base_interval: None,
        }
    }

    /// The policy that settings ask for; none if there are no retries.
    #[must_use]
    pub fn new(
        version: IstioVersion,
        settings: Option<&RetrySettings>,
        consistent_hash: bool,
    ) -> Option<Self> {
        let mut policy = Self::default_of(version, consistent_hash);
        let Some(settings) = settings else { return Some(policy) };
        policy.num_retries = u32::try_from(settings.attempts).ok().filter(|&attempts| attempts > 0)?;
        if !settings.retry_on.is_empty() {
            (policy.retry_on, policy.retriable_status_codes) = parse_retry_on(&settings.retry_on);
        }
        policy.per_try_timeout = settings.per_try_timeout;
        policy.base_interval = settings.backoff;
        policy.previous_priorities = settings.retry_remote_localities;
        policy.previous_hosts = settings.retry_ignore_previous_hosts.unwrap_or(policy.previous_hosts);
        Some(policy)
    }
}

/// Conditions and status codes.
fn parse_retry_on(text: &str) -> (Vec<String>, Vec<u16>) {
    let (mut conditions, mut codes) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(code) if is_status_code(code) => codes.push(code),
            _ => conditions.push(part.to_owned()),
        }
    }
    let asked_for = conditions.iter().any(|condition| condition.contains(RETRIABLE_STATUS_CODES));
    if !codes.is_empty() && !asked_for {
        conditions.push(RETRIABLE_STATUS_CODES.to_owned());
    }
    (conditions, codes)
}

/// Whether Go knows a text for this status.
const fn is_status_code(code: u16) -> bool {
    matches!(code,
        100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308
        | 400..=418 | 421..=426 | 428 | 429 | 431 | 451 | 500..=508 | 510 | 511)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istiod::istio_version::NEWEST;

    fn of(retry_on: &str) -> (Vec<String>, Vec<u16>) {
        let settings = RetrySettings { attempts: 1, retry_on: retry_on.into(), ..RetrySettings::default() };
        let policy = RetryPolicy::new(NEWEST, Some(&settings), false).unwrap();
        (policy.retry_on, policy.retriable_status_codes)
    }

    #[test]
    fn the_default_retries_503_up_to_1_23() {
        let codes = |minor| {
            let version = IstioVersion::new(1, minor);
            RetryPolicy::new(version, None, false).unwrap().retriable_status_codes
        };
        assert_eq!([codes(23), codes(24)], [vec![503], vec![]]);
    }

    #[test]
    fn codes_are_taken_out_of_the_conditions() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of("5xx, 503,, 299"), (words("5xx 299 retriable-status-codes"), vec![503]));
        assert_eq!(of("retriable-status-codes,404"), (words("retriable-status-codes"), vec![404]));
        assert_eq!(of("reset"), (words("reset"), vec![]));
        assert_eq!(of("").0, DEFAULT_RETRY_ON);
    }

    #[test]
    fn no_attempts_no_policy() {
        assert_eq!(RetryPolicy::new(NEWEST, Some(&RetrySettings::default()), false), None);
    }

    #[test]
    fn hosts_that_were_tried_are_rejected_except_under_a_hash() {
        let of = |setting, hash| {
            let settings = RetrySettings {
                attempts: 2,
                retry_ignore_previous_hosts: setting,
                ..RetrySettings::default()
            };
            RetryPolicy::new(NEWEST, Some(&settings), hash).unwrap().previous_hosts
        };
        assert_eq!([of(None, false), of(None, true)], [true, false]);
        assert_eq!([of(Some(false), false), of(Some(true), true)], [false, true]);
    }
}
