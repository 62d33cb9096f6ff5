//! What checks collect: problems with their locations, names that are looked up, durations that have bounds.

use crate::document::Document;
use crate::problem::{Problem, nearest};
use crate::schema;
use crate::schema::quantity::Quantity;
use crate::schema::spanned::Spanned;
use meshsim_core::SimDuration;
use std::ops::Range;

/// Longest run: ten years.
pub(super) const DURATION_MAX: SimDuration = SimDuration::from_secs(3_650 * 86_400);

/// The shortest duration that Istio takes (ns).
pub(super) const MILLISECOND: u64 = 1_000_000;

/// Longest time that a piece of work takes.
const COST_MAX: SimDuration = SimDuration::from_secs(3_600);

/// Reads a file that the scenario names.
pub type Files<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, Problem>;

/// Collects what is wrong.
pub(super) struct Check<'a> {
    pub(super) document: &'a Document,
    pub(super) files: Files<'a>,
    pub(super) problems: Vec<Problem>,
}

/// Problems after which no near name is looked for any more.
const GUESSED_MAX: usize = 50;

/// So many names are listed at most.
const LISTED_MAX: usize = 50;

impl Check<'_> {
    pub(super) fn problem(
        &mut self,
        message: impl Into<String>,
        span: Range<usize>,
        help: impl Into<String>,
    ) {
        let problem = self.document.problem(message, span).help(help);
        self.problems.push(problem);
    }

    /// Refuses keys, each with where it is written, if it is: there they mean nothing.
    pub(super) fn refuse<'k>(
        &mut self,
        keys: impl IntoIterator<Item = (&'k str, Option<Range<usize>>)>,
        help: &str,
        message: impl Fn(&str) -> String,
    ) {
        for (key, span) in keys {
            if let Some(span) = span {
                self.problem(message(key), span, help);
            }
        }
    }

    /// The index of a name among those that are known.
    pub(super) fn reference<'k>(
        &mut self,
        name: &str,
        span: Range<usize>,
        known: impl IntoIterator<Item = &'k str> + Clone,
        kind: &str,
    ) -> Option<usize> {
        let found = known.clone().into_iter().position(|candidate| candidate == name);
        if found.is_none() {
            // Where so much is wrong nobody reads on, and to look for a near name takes time.
            let near = if self.problems.len() < GUESSED_MAX { nearest(name, known.clone()) } else { None };
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => match known.into_iter().collect::<Vec<_>>()[..] {
                    [] => "none is declared".to_owned(),
                    ref known if known.len() > LISTED_MAX => format!("{} are declared", known.len()),
                    ref known => format!("declared: {}", known.join(", ")),
                },
            };
            self.problem(format!("there is no {kind} `{name}`"), span, help);
        }
        found
    }

    /// The index of a name among many that are known, in ascending order.
    pub(super) fn reference_in(
        &mut self,
        name: &str,
        span: Range<usize>,
        known: &[&str],
        kind: &str,
    ) -> Option<usize> {
        match known.binary_search(&name) {
            Ok(index) => Some(index),
            Err(_) => self.reference(name, span, known.iter().copied(), kind),
        }
    }

    /// The warm-up, unless it is to be found.
    pub(super) fn warm_up(
        &mut self,
        written: Option<&Spanned<Quantity<schema::WarmUp>>>,
    ) -> Option<SimDuration> {
        let written = written?;
        let schema::WarmUp::Time(time) = written.get_ref().0 else { return None };
        if time > DURATION_MAX {
            let help = format!("it is at most {DURATION_MAX}, or \"auto\"");
            self.problem(format!("warm_up {time} is out of range"), written.span(), help);
        }
        Some(time)
    }

    /// A duration of at least `least` ns.
    pub(super) fn duration(
        &mut self,
        value: Option<&schema::Duration>,
        key: &str,
        default: SimDuration,
        least: u64,
    ) -> SimDuration {
        let Some(value) = value else { return default };
        let duration = value.get_ref().0;
        if duration.as_nanos() < least || duration > DURATION_MAX {
            let least = SimDuration::from_nanos(least);
            let help = format!("it is {least} to {DURATION_MAX}");
            self.problem(format!("{key} {duration} is out of range"), value.span(), help);
        }
        duration
    }

    /// Time that some work takes: at most an hour.
    pub(super) fn cost(
        &mut self,
        value: Option<&schema::Duration>,
        key: &str,
        default: SimDuration,
    ) -> SimDuration {
        let duration = self.duration(value, key, default, 0);
        if let Some(value) = value.filter(|_| duration > COST_MAX) {
            self.problem(
                format!("{key} {duration} is out of range"),
                value.span(),
                format!("it is at most {COST_MAX}"),
            );
        }
        duration.min(COST_MAX)
    }
}
