//! What users do when a request fails.

use super::check::Check;
use super::ranges::{bounded, bounded_u32};
use crate::problem::clip;
use crate::schema::quantity::NumberOrText;
use crate::schema::spanned::Spanned;
use crate::schema::users::Users;
use meshsim_core::SimDuration;
use meshsim_models::users::retries::{Retried, Retries};

/// Pause before the first further attempt, where nothing is written.
const DEFAULT_BACKOFF: SimDuration = SimDuration::from_millis(100);

/// The longest pause, likewise.
const DEFAULT_BACKOFF_MAX: SimDuration = SimDuration::from_secs(10);

pub(super) fn resolve(check: &mut Check<'_>, users: &Users) -> Option<Retries> {
    let written = users.retries.as_ref()?.get_ref();
    let attempts = bounded_u32(check, Some(&written.attempts), "attempts", 1, 100).unwrap_or(1);
    let backoff = check.duration(written.backoff.as_ref(), "backoff", DEFAULT_BACKOFF, 0);
    let backoff_max =
        check.duration(written.backoff_max.as_ref(), "backoff_max", DEFAULT_BACKOFF_MAX.max(backoff), 0);
    if let Some(most) = written.backoff_max.as_ref().filter(|_| backoff_max < backoff) {
        let help = "it is the longest pause, and backoff the first one";
        check.problem(
            format!("backoff_max {backoff_max} is below the backoff of {backoff}"),
            most.span(),
            help,
        );
    }
    if let Some(most) = written.backoff_max.as_ref().filter(|_| attempts == 1 && backoff_max >= backoff) {
        let help = "take it out, or allow several attempts: the only pause is backoff";
        check.problem("backoff_max has no effect on one further attempt", most.span(), help);
    }
    if let Some(jitter) = written.jitter.as_ref().filter(|_| backoff == SimDuration::ZERO) {
        check.problem(
            "jitter has no effect without a pause",
            jitter.span(),
            "take it out, or write a backoff",
        );
    }
    Some(Retries {
        attempts: attempts as u8,
        backoff,
        backoff_max,
        jitter: bounded(check, written.jitter.as_ref(), "a share of a pause", 1.0, 0.0, 1.0),
        on: on(check, users, written.on.as_ref()),
    })
}

/// After which failures: those of servers, of gateways that are not there, and time-outs where there are some, if nothing is written.
fn on(
    check: &mut Check<'_>,
    users: &Users,
    written: Option<&Spanned<Vec<Spanned<NumberOrText>>>>,
) -> Retried {
    let Some(written) = written else {
        let timeout = users.timeout.is_some();
        return Retried { timeout, no_ingress: true, statuses: vec![[500, 599]] };
    };
    let mut on = Retried::default();
    if written.get_ref().is_empty() {
        let help = "write on = [\"5xx\", \"timeout\"], or take the retries out";
        check.problem("users try again after no failure", written.span(), help);
    }
    for it in written.get_ref() {
        let text = match it.get_ref() {
            NumberOrText::Number(status) => status.to_string(),
            NumberOrText::Text(text) => text.clone(),
        };
        match text.trim() {
            "timeout" if users.timeout.is_some() => on.timeout = true,
            "timeout" => {
                let help = "write how long they wait: timeout = \"2s\"; or take it out";
                check.problem(
                    "these users have no timeout after which they could try again",
                    it.span(),
                    help,
                );
            }
            "no-ingress" => on.no_ingress = true,
            "4xx" => on.statuses.push([400, 499]),
            "5xx" => on.statuses.push([500, 599]),
            code => match code.parse::<u16>() {
                Ok(code @ 400..=599) => on.statuses.push([code, code]),
                _ => {
                    let help =
                        "it is \"timeout\", \"no-ingress\", \"4xx\", \"5xx\" or a status from 400 to 599";
                    check.problem(format!("`{}` is no failure of a request", clip(code)), it.span(), help);
                }
            },
        }
    }
    on
}
