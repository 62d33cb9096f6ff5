//! What users are to get.

use super::check::Check;
use crate::analysis::dimension::{Dimension, Labels};
use crate::analysis::figure::Figure;
use crate::analysis::figures;
use crate::analysis::objectives::key;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::objective::Objective;
use crate::schema::objective::Objective as WrittenObjective;
use crate::schema::quantity::NumberOrText;
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration};
use meshsim_models::ids::PopulationId;
use meshsim_models::units::Bytes;
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
    let (name, span) = (fields.figure.get_ref(), fields.figure.span());
    let Some(figure) = figures::called(name) else {
        let short = figures::latencies().map(Figure::short_name);
        let all = short
            .chain(figures::CATALOGUE.iter().filter(|it| it.why_unbounded().is_none()).map(|it| it.name));
        check.reference(name, span, all.collect::<Vec<_>>(), "figure");
        return None;
    };
    if let Some(why) = figure.why_unbounded() {
        check.problem(format!("`{name}` cannot be bounded"), span, why);
        return None;
    }
    let labels = fields.labels();
    let (which, apart) = match figure.is_of_requests() {
        true => (which(check, fields, written.span(), description)?, Labels::new()),
        false => (Which::default(), apart(check, &labels, (figure, span), description)?),
    };
    if figure.is_of_requests()
        && let Some((dimension, name)) = labels.iter().find(|(it, _)| !figure.by.contains(it))
    {
        not_told_apart(check, figure, *dimension, name.span());
        return None;
    }
    let (bound, is_above, in_percent) = bound(check, fields, figure, written.span())?;
    let written = labels.into_iter().map(|(dimension, name)| (dimension, name.get_ref().clone())).collect();
    Some(Objective { figure: figure.name, which, apart, written, bound, is_above, in_percent })
}

impl WrittenObjective {
    /// What tells its value apart, as far as that is written.
    fn labels(&self) -> Vec<(Dimension, &Spanned<String>)> {
        let all = [
            (Dimension::Cluster, &self.cluster),
            (Dimension::ToCluster, &self.to_cluster),
            (Dimension::Service, &self.service),
            (Dimension::Application, &self.application),
            (Dimension::UserGroup, &self.users),
            (Dimension::RequestKind, &self.request),
        ];
        all.into_iter().filter_map(|(dimension, name)| Some((dimension, name.as_ref()?))).collect()
    }
}

fn not_told_apart(check: &mut Check<'_>, figure: &Figure, dimension: Dimension, span: Range<usize>) {
    let key = key(dimension);
    let help = match figure
        .by
        .iter()
        .filter(|it| **it != Dimension::Outcome)
        .map(|it| self::key(*it))
        .collect::<Vec<_>>()[..]
    {
        [] => format!("it has one value: take `{key}` out"),
        ref known => format!("they are by {}", known.join(", ")),
    };
    check.problem(format!("values of `{}` are not told apart by `{key}`", figure.short_name()), span, help);
}

/// What tells the value of a figure apart that is not of requests: all that its values have, and nothing else.
fn apart(
    check: &mut Check<'_>,
    labels: &[(Dimension, &Spanned<String>)],
    (figure, span): (&Figure, Range<usize>),
    description: &Description,
) -> Option<Labels> {
    if let Some((dimension, name)) = labels.iter().find(|(it, _)| !figure.by.contains(it)) {
        not_told_apart(check, figure, *dimension, name.span());
        return None;
    }
    let mut apart = Labels::new();
    for dimension in figure.by {
        let key = key(*dimension);
        let Some((_, name)) = labels.iter().find(|(it, _)| it == dimension) else {
            let message = format!("`{}` has a value of each {}", figure.name, key.trim_start_matches("to_"));
            check.problem(message, span, format!("say of which: write {key} = \"NAME\""));
            return None;
        };
        let application = &description.application;
        let known: Vec<&str> = match dimension {
            Dimension::Cluster | Dimension::ToCluster => {
                description.clusters.iter().map(|it| it.name.as_str()).collect()
            }
            Dimension::Service => application.services.iter().map(|it| it.name.as_str()).collect(),
            _ => application.tenants.iter().map(String::as_str).collect(),
        };
        check.reference(name.get_ref(), name.span(), known, key.trim_start_matches("to_"))?;
        apart.insert(*dimension, name.get_ref().clone());
    }
    if !figure.may_have(description, &apart) {
        let help = "see its sentence: `metrics.csv` of a run has the values that there are";
        check.problem(format!("`{}` has no such value in this scenario", figure.name), span, help);
        return None;
    }
    Some(apart)
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

/// The bound in the figure's unit, whether it is to be above it, and whether it is written in percent.
fn bound(
    check: &mut Check<'_>,
    it: &WrittenObjective,
    figure: &Figure,
    span: Range<usize>,
) -> Option<(f64, bool, bool)> {
    let is_latency = figure.unit == "ms";
    let example = match (figure.short_name(), figure.unit) {
        ("availability", _) => "above = \"99.9%\"",
        ("failures", _) => "below = \"1%\"",
        (_, "ms") => "below = \"300ms\"",
        (_, "bytes") => "below = \"64MB\"",
        _ => "below = 0.5",
    };
    let help = || format!("write {example}");
    let sides = if !figure.is_of_requests() {
        [true, true]
    } else {
        let is_above = figure.name == "availability";
        [!is_above, is_above]
    };
    let (bound, is_above) = match (&it.below, &it.above) {
        (Some(below), None) => (below, false),
        (None, Some(above)) => (above, true),
        (Some(_), Some(above)) => {
            check.problem("the objective has two bounds", above.span(), "write an objective for each");
            return None;
        }
        (None, None) => {
            check.problem("the objective has no bound", span, help());
            return None;
        }
    };
    if !sides[usize::from(is_above)] {
        check.problem("the bound is on the other side", bound.span(), help());
        return None;
    }
    let parsed = match (figure.unit, bound.get_ref()) {
        ("ms", NumberOrText::Text(text)) => text
            .parse::<SimDuration>()
            .ok()
            .filter(|it| *it > SimDuration::ZERO)
            .map(SimDuration::as_millis_f64),
        ("bytes", NumberOrText::Text(text)) => text.parse::<Bytes>().ok().map(|it| it.0),
        (_, bound) => bound.share().filter(|_| !is_latency),
    };
    // What failed or succeeded is a share of all.
    let parsed = parsed.filter(|it| is_latency || !figure.is_of_requests() || (0.0..=1.0).contains(it));
    let Some(parsed) = parsed.filter(|it| it.is_finite()) else {
        let key = if is_above { "above" } else { "below" };
        let message = format!("{key} = {} is no bound of this figure", bound.get_ref());
        check.problem(message, bound.span(), help());
        return None;
    };
    let in_percent = matches!(bound.get_ref(), NumberOrText::Text(text) if text.contains('%'));
    Some((parsed, is_above, in_percent || (figure.is_of_requests() && !is_latency)))
}
