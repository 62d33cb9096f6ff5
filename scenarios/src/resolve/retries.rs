//! The retries of a route.

use super::check::Check;
use super::traffic_policy::time;
use crate::problem::{clip, nearest};
use crate::schema::services::Retries;
use crate::schema::spanned::Spanned;
use meshsim_models::envoy::retry::MAX_ATTEMPTS;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};

/// Conditions that are simulated, and those that never come up.
const CONDITIONS: [&str; 13] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "retriable-status-codes",
    "refused-stream",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// None if there are no retries.
pub(super) fn retry(
    check: &mut Check<'_>,
    version: IstioVersion,
    retries: &Retries,
    hashes: bool,
) -> Option<RetryPolicy> {
    let attempts = *retries.attempts.get_ref();
    if attempts > u32::from(MAX_ATTEMPTS) {
        let message = format!("attempts {attempts} is out of range");
        check.problem(message, retries.attempts.span(), format!("it is 0 to {MAX_ATTEMPTS}"));
    }
    if let Some(conditions) = &retries.retry_on {
        check_conditions(check, conditions);
    }
    let settings = RetrySettings {
        attempts: attempts.min(u32::from(MAX_ATTEMPTS)) as i32,
        retry_on: retries.retry_on.as_ref().map_or(String::new(), |it| it.get_ref().clone()),
        per_try_timeout: time(check, retries.per_try_timeout.as_ref(), "per_try_timeout"),
        backoff: time(check, retries.backoff.as_ref(), "backoff"),
        retry_ignore_previous_hosts: retries.retry_ignore_previous_hosts,
        retry_remote_localities: false,
    };
    RetryPolicy::new(version, Some(&settings), hashes)
}

fn check_conditions(check: &mut Check<'_>, conditions: &Spanned<String>) {
    let parts = conditions.get_ref().split(',').map(str::trim).filter(|part| !part.is_empty());
    for part in parts.filter(|part| !CONDITIONS.contains(part)) {
        // Istio takes a number that it knows as a status out of the conditions; Envoy ignores others.
        let alone = RetrySettings { attempts: 1, retry_on: part.to_owned(), ..RetrySettings::default() };
        let policy = RetryPolicy::new(meshsim_models::istiod::istio_version::NEWEST, Some(&alone), false);
        if policy.is_some_and(|policy| !policy.retriable_status_codes.is_empty()) {
            continue;
        }
        let help = match nearest(part, CONDITIONS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is a status, as in 503, or one of {}", CONDITIONS.join(", ")),
        };
        check.problem(format!("retry_on: unknown condition `{}`", clip(part)), conditions.span(), help);
    }
}
