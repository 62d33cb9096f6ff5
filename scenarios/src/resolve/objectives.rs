//! What users are to get.

use super::check::Check;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::objective::{Figure, Objective};
use crate::schema::objective::{Figure as Written, Objective as WrittenObjective};
use crate::schema::quantity::NumberOrText;
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration};
use meshsim_models::ids::PopulationId;
use meshsim_models::world::description::Description;
use std::ops::Range;

pub(super) fn resolve(
    check: &mut Check<'_>,
    written: &[Spanned<WrittenObjective>],
    description: &Description,
) -> Vec<Objective> {
    written.iter().filter_map(|it| objective(check, it, description)).collect()
}

fn objective(
    check: &mut Check<'_>,
    written: &Spanned<WrittenObjective>,
    description: &Description,
) -> Option<Objective> {
    let fields = written.get_ref();
    let figure = match fields.figure.get_ref() {
        Written::Mean => Figure::Mean,
        Written::P50 => Figure::Quantile(0),
        Written::P90 => Figure::Quantile(1),
        Written::P95 => Figure::Quantile(2),
        Written::P99 => Figure::Quantile(3),
        Written::Failures => Figure::Failures,
        Written::Availability => Figure::Availability,
    };
    let which = which(check, fields, written.span(), description)?;
    let bound = bound(check, fields, figure, written.span())?;
    let users = fields.users.as_ref().map(|name| name.get_ref().clone());
    let request = fields.request.as_ref().map(|name| name.get_ref().clone());
    let application = fields.application.as_ref().map(|name| name.get_ref().clone());
    Some(Objective { users, request, application, which, figure, bound })
}

/// Which requests it is for: as far as these are told apart from all.
fn which(
    check: &mut Check<'_>,
    it: &WrittenObjective,
    span: Range<usize>,
    description: &Description,
) -> Option<Which> {
    let names: Vec<&str> = description.populations.iter().map(|it| it.name.as_str()).collect();
    let users = match &it.users {
        None => None,
        Some(name) => {
            let index =
                check.reference(name.get_ref(), name.span(), names.iter().copied(), "group of users")?;
            Some(PopulationId::from_index(index))
        }
    };
    let requested = description.populations.iter().enumerate();
    let mut kinds: Vec<_> = requested
        .filter(|(index, _)| users.is_none_or(|it| it.index() == *index))
        .flat_map(|(_, it)| it.requests.endpoints())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let request = match &it.request {
        None => None,
        Some(name) => {
            let known: Vec<String> = kinds.iter().map(|&kind| kind_name(description, kind)).collect();
            let known = known.iter().map(String::as_str);
            Some(kinds[check.reference(name.get_ref(), name.span(), known, "kind of request")?])
        }
    };
    let groups = Groups::new(description);
    // Where there is nothing else, all requests are meant.
    let users = users.filter(|_| names.len() > 1);
    let request = request.filter(|_| groups.kinds().next().is_some() || kinds.len() > 1);
    let tenant = match &it.application {
        None => None,
        Some(name) => {
            if users.is_some() || request.is_some() {
                let help = "take it out: the users, or what they request, say it already";
                check.problem("an objective of an application and of some requests of it", name.span(), help);
            }
            let known = description.application.tenants.iter().map(String::as_str);
            Some(check.reference(name.get_ref(), name.span(), known, "application")? as u16)
        }
    };
    // Of the only application all requests are meant.
    let tenant = tenant.filter(|_| description.application.tenants.len() > 1);
    let which = Which { users, request, tenant };
    if which != Which::default() && groups.index_of(which).is_none() {
        let help = "there are too many groups of users or kinds of requests: take users or request out";
        check.problem("these requests are not told apart from others", span, help);
        return None;
    }
    Some(which)
}

/// The bound, in ms or as a share.
fn bound(check: &mut Check<'_>, it: &WrittenObjective, figure: Figure, span: Range<usize>) -> Option<f64> {
    let (own, other, key) = match figure {
        Figure::Availability => (&it.above, &it.below, "above"),
        _ => (&it.below, &it.above, "below"),
    };
    let example = match figure {
        Figure::Availability => "above = \"99.9%\"",
        Figure::Failures => "below = \"1%\"",
        Figure::Mean | Figure::Quantile(_) => "below = \"300ms\"",
    };
    if let Some(other) = other {
        check.problem("the bound is on the other side", other.span(), format!("write {example}"));
        return None;
    }
    let Some(bound) = own else {
        check.problem("the objective has no bound", span, format!("write {example}"));
        return None;
    };
    let parsed = match (figure, bound.get_ref()) {
        (Figure::Mean | Figure::Quantile(_), NumberOrText::Text(text)) => text
            .parse::<SimDuration>()
            .ok()
            .filter(|it| *it > SimDuration::ZERO)
            .map(SimDuration::as_millis_f64),
        (Figure::Mean | Figure::Quantile(_), NumberOrText::Number(_)) => None,
        (_, bound) => bound.share(),
    };
    let is_share = matches!(figure, Figure::Failures | Figure::Availability);
    let parsed = parsed.filter(|it| !is_share || (0.0..=1.0).contains(it));
    if parsed.is_none() {
        let message = format!("{key} = {} is no bound of this figure", bound.get_ref());
        check.problem(message, bound.span(), format!("write {example}"));
    }
    parsed
}
