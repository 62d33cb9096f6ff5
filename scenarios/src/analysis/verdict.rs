//! What a comparison comes to, in a sentence or two.

use super::names::{listed, quoted};
use super::ranking::{Order, Ranking};
use super::subset::{Subset, TINY_MS};
use super::summary::{Paired, Requests, Strategy, Summary, UserGroup};
use crate::experiment::decide::Decision;

/// Which strategy is best, by how much, how sure; or that it cannot be told.
///
/// The best is the one with the lowest mean latency among those that answer their users: a strategy
/// under which more than a tenth of the requests failed or had not ended is left out, because its
/// latencies are those of the lucky. It is told from another if the interval of
/// their paired difference leaves zero out. Strategies under which every request is the same are one.
#[must_use]
pub fn verdict(summary: &Summary) -> String {
    let same = same(summary);
    let first_of_its_kind = |it: &&Strategy| !same.iter().any(|names| names[1..].contains(&it.name.as_str()));
    let ranked: Vec<&Strategy> = ranked(summary).into_iter().filter(first_of_its_kind).collect();
    let mut sentences = vec![
        of_ranked(summary, &ranked, same.is_empty()),
        left_out(summary, &ranked),
        for_whom(summary, &same),
    ];
    sentences.extend(same.iter().map(|names| {
        format!(
            "{} are the same, request by request: what differs between them has no effect here; is it what was meant?",
            quoted(names)
        )
    }));
    sentences.retain(|it| !it.is_empty());
    sentences.join("\n")
}

/// All that a comparison comes to, in sentences.
#[must_use]
pub fn sentences(summary: &Summary) -> Vec<String> {
    let several = summary.strategies.len() > 1;
    let all = [
        several.then(|| verdict(summary)),
        Some(about_objectives(summary)),
        summary.decision.as_ref().map(about_decision),
        summary.calibration.as_ref().map(Ranking::sentence),
        summary.precision.map(|it| it.sentence(summary.run.replications)),
    ];
    all.iter().flatten().flat_map(|it| it.lines()).map(str::to_owned).collect()
}

/// Which strategy was selected, and what it took.
fn about_decision(decision: &Decision) -> String {
    let most = decision.replications.values().max().copied().unwrap_or(0);
    let taken: u32 = decision.replications.values().sum();
    let equal = most as usize * decision.replications.len();
    let percent = decision.confidence * 100.0;
    match &decision.selected {
        Some(name) => format!(
            "`{name}` is selected: with {percent} % it is the fastest, or within {} ms of it; {taken} runs decided, {equal} would be \
             as many of each strategy.",
            decision.indifference_ms
        ),
        None => format!(
            "None is selected: {most} replications do not tell differences of {} ms with {percent} %.",
            decision.indifference_ms
        ),
    }
}

/// Under which strategies all objectives hold; empty without objectives.
#[must_use]
pub fn about_objectives(summary: &Summary) -> String {
    let missed = |it: &Strategy| it.objectives.iter().filter(|it| !it.holds).count();
    let count = summary.strategies.iter().map(|it| it.objectives.len()).max().unwrap_or(0);
    if count == 0 {
        return String::new();
    }
    let all =
        if count == 1 { "The objective holds".to_owned() } else { format!("All {count} objectives hold") };
    let good: Vec<String> =
        summary.strategies.iter().filter(|it| missed(it) == 0).map(|it| format!("`{}`", it.name)).collect();
    if good.len() == summary.strategies.len() && good.len() > 1 {
        return format!("{all} under every strategy.");
    }
    if !good.is_empty() {
        return format!("{all} under {}.", good.join(", "));
    }
    let least = summary.strategies.iter().min_by_key(|it| missed(it));
    let misses = least.map_or(String::new(), |it| {
        let names: Vec<String> =
            it.objectives.iter().filter(|it| !it.holds).map(|it| format!("`{}`", it.name())).collect();
        format!(": `{}` misses {} of {count} ({})", it.name, names.len(), names.join(", "))
    });
    let none = if count == 1 {
        "The objective holds under no strategy"
    } else {
        "All objectives hold under no strategy"
    };
    format!("{none}{misses}.")
}

/// For which groups of users which strategy is fastest; empty where users are not told apart or no interval tells.
fn for_whom(summary: &Summary, same: &[Vec<&str>]) -> String {
    let is_another = |it: &&Strategy| !same.iter().any(|names| names[1..].contains(&it.name.as_str()));
    let all = summary.strategies.iter().filter(is_another);
    for_each_group(
        &all.map(|it| Candidate { name: format!("`{}`", it.name), summary, strategy: it })
            .collect::<Vec<_>>(),
    )
}

/// A strategy, at a point of a sweep or alone.
pub(super) struct Candidate<'a> {
    /// As it is said.
    pub(super) name: String,
    pub(super) summary: &'a Summary,
    pub(super) strategy: &'a Strategy,
}

/// Which of them is fastest for which groups of users, where there are several of both and intervals tell.
pub(super) fn for_each_group(candidates: &[Candidate<'_>]) -> String {
    let Some(first) = candidates.first() else { return String::new() };
    if candidates.len() < 2 || candidates.iter().any(|it| it.summary.run.replications < 2) {
        return String::new();
    }
    let mut found: Vec<(Fastest<'_>, Vec<&str>)> = Vec::new();
    for users in first.summary.groups_of_users() {
        let fastest = fastest_for(candidates, users);
        match found.iter_mut().find(|(it, _)| *it == fastest) {
            Some((_, groups)) => groups.push(users),
            None => found.push((fastest, vec![users])),
        }
    }
    // The fastest first, and what holds for the most groups before others.
    found.sort_by_key(|(it, groups)| (!matches!(it, Fastest::Is(_)), usize::MAX - groups.len()));
    let mut parts: Vec<String> = Vec::new();
    for (fastest, groups) in &found {
        let groups = listed(groups);
        parts.push(match fastest {
            Fastest::Is(name) if parts.is_empty() => format!("{name} is fastest for {groups}"),
            Fastest::Is(name) => format!("{name} for {groups}"),
            Fastest::Untold => format!("for {groups} it cannot be told"),
            Fastest::Equal => format!("for {groups} there is no difference"),
            Fastest::Nobody => {
                format!("for {groups} too many requests fail or do not end, whatever is chosen")
            }
        });
    }
    let mut text = parts.join("; ");
    if !text.is_empty() {
        text[..1].make_ascii_uppercase();
        text.push('.');
    }
    text
}

/// What is fastest for a group of users.
#[derive(PartialEq)]
enum Fastest<'a> {
    /// This, by an interval that leaves zero out.
    Is(&'a str),
    /// No interval says it.
    Untold,
    /// The two best differ in no replication.
    Equal,
    /// None answers them.
    Nobody,
}

fn fastest_for<'a>(candidates: &'a [Candidate<'_>], users: &str) -> Fastest<'a> {
    let mut ranked: Vec<(&Candidate<'_>, &UserGroup)> =
        candidates.iter().filter_map(|it| Some((it, it.strategy.users.get(users)?))).collect();
    ranked.retain(|(_, group)| {
        group.latency_ms.mean.value.is_finite() && unanswered(&group.requests) <= UNANSWERED_MAX
    });
    ranked.sort_by(|a, b| a.1.latency_ms.mean.value.total_cmp(&b.1.latency_ms.mean.value));
    let (best, second) = match ranked[..] {
        [] => return Fastest::Nobody,
        [(only, _)] => return Fastest::Is(&only.name),
        [(best, _), (second, _), ..] => (best, second),
    };
    let (mine, other) = (&best.strategy.name, &second.strategy.name);
    // Within a comparison over what both report, else each over its own.
    let difference = match std::ptr::eq(best.summary, second.summary) {
        true => best.summary.difference_for(users, mine, other),
        false => best.summary.difference_to_for(users, mine, second.summary, other),
    };
    match difference.and_then(|it| it.interval()) {
        Some([low, high]) if high < 0.0 || low > 0.0 => Fastest::Is(&best.name),
        Some([low, high]) if low == 0.0 && high == 0.0 => Fastest::Equal,
        _ => Fastest::Untold,
    }
}

/// The sentence about the best of several different strategies; empty where there are not two and others say why.
fn of_ranked(summary: &Summary, ranked: &[&Strategy], is_alone: bool) -> String {
    let Some(best) = ranked.first() else {
        return nobody(summary);
    };
    let name = &best.name;
    let Some(second) = ranked.get(1) else {
        if !is_alone {
            return String::new();
        }
        return format!(
            "`{name}` is the only strategy that answers its users: there is nothing to compare it with."
        );
    };
    let Some(difference) = summary.difference(&best.name, &second.name) else {
        return format!(
            "Cannot be told: the strategies {name} and {} have no replication in common.",
            second.name
        );
    };
    let by = -difference.value;
    let subset = Subset::of(summary, ranked);
    if subset.is_within_tiny(summary) {
        return format!(
            "The fastest are {}, within {TINY_MS} ms of the first in the mean (95 % intervals): choose by cost.",
            quoted(&subset.names)
        );
    }
    match difference.interval() {
        Some([low, high]) if (high < 0.0 || low > 0.0) && subset.names.len() < 2 => {
            let is_tiny = by.abs() < TINY_MS;
            let less = if is_tiny { format!(" by less than {TINY_MS} ms") } else { String::new() };
            let mut text = format!(
                "`{name}` is fastest{less}: {} ms below `{}` in the mean (95 % interval {} to {} ms)",
                ms(by),
                second.name,
                ms(-high),
                ms(-low)
            );
            let baseline = summary.against_baseline(&best.name);
            let is_another = |it: &&Paired| it.baseline != second.name && it.mean_difference_ms.value != 0.0;
            if let Some(baseline) = baseline.filter(is_another) {
                let by = ms(-baseline.mean_difference_ms.value);
                text += &format!(" and {by} ms below the baseline `{}`", baseline.baseline);
            }
            text + if is_tiny { "; choose by cost." } else { "." }
        }
        // These two can be told apart, but not the best from all.
        Some([low, high]) if high < 0.0 || low > 0.0 => {
            format!("Cannot be told: {}; {}.", subset.sentence(), subset.what_would_tell())
        }
        Some([low, high]) => {
            let among = if subset.names.len() > 2 { subset.sentence() + ". " } else { String::new() };
            format!(
                "Cannot be told: {among}`{name}` and `{}` differ by {} ms (95 % interval {} to {} ms); {}.",
                second.name,
                ms(by),
                ms(-high),
                ms(-low),
                subset.what_would_tell()
            )
        }
        None => format!(
            "Cannot be told: `{name}` was {} ms below `{}` in the only replication; two or more give an \
             interval.",
            ms(by),
            second.name
        ),
    }
}

/// That no strategy answers its users, and which leaves the fewest without an answer.
fn nobody(summary: &Summary) -> String {
    let text = "Cannot be told: under every strategy too many requests failed or had not ended";
    let shares = summary.strategies.iter().map(|it| (unanswered(&it.requests), &it.name));
    match shares.min_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((least, name)) if summary.strategies.len() > 1 && least < 0.999 => {
            format!("{text}, the fewest under `{name}` ({:.1} %).", 100.0 * least)
        }
        _ => format!("{text}."),
    }
}

/// Who is not ranked beside others that are.
fn left_out(summary: &Summary, ranked: &[&Strategy]) -> String {
    let out = summary.strategies.iter().map(|it| (unanswered(&it.requests), &it.name));
    let out: Vec<String> = out
        .filter(|(share, _)| *share > UNANSWERED_MAX)
        .map(|(share, name)| format!("`{name}` ({:.1} %)", 100.0 * share))
        .collect();
    if out.is_empty() || ranked.is_empty() {
        return String::new();
    }
    let out: Vec<&str> = out.iter().map(String::as_str).collect();
    format!("Left out, for too many requests failed or had not ended: {}.", listed(&out))
}

/// A difference with a decimal, or with as many as show two digits of a small one.
#[must_use]
pub fn ms(value: f64) -> String {
    let decimals = decimals(value.abs());
    // Adding zero makes a negative zero positive.
    format!("{:.decimals$}", value + 0.0)
}

/// How many decimals show two digits of what is small, at least one.
#[must_use]
pub fn decimals(mut size: f64) -> usize {
    let mut decimals = 1;
    while size > 0.0 && size < TINY_MS && decimals < 9 {
        decimals += if decimals == 1 { 2 } else { 1 };
        size *= 10.0;
    }
    decimals
}

/// The strategies that are the same, request by request, in groups of two or more.
fn same(summary: &Summary) -> Vec<Vec<&str>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    for it in &summary.strategies {
        match groups.iter_mut().find(|group| summary.are_same(group[0], &it.name)) {
            Some(group) => group.push(&it.name),
            None => groups.push(vec![&it.name]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// The strategies that answer their users, the fastest first.
#[must_use]
pub fn ranked(summary: &Summary) -> Vec<&Strategy> {
    let mut ranked: Vec<&Strategy> = summary
        .strategies
        .iter()
        .filter(|it| it.latency_ms.mean.value.is_finite() && unanswered(&it.requests) <= UNANSWERED_MAX)
        .collect();
    ranked.sort_by(|a, b| a.latency_ms.mean.value.total_cmp(&b.latency_ms.mean.value));
    ranked
}

/// Whether the ranking of a comparison at the calibrated values holds over those at draws of a calibration.
#[must_use]
pub fn ranking_over_draws(calibrated: &Summary, draws: &[Summary]) -> Ranking {
    let order = |summary: &Summary| -> Order {
        ranked(summary).into_iter().map(|it| (it.name.clone(), it.latency_ms.mean.value)).collect()
    };
    let names: Vec<&str> = calibrated.strategies.iter().map(|it| it.name.as_str()).collect();
    let draws: Vec<Order> = draws.iter().map(order).collect();
    Ranking::new(&names, &order(calibrated), &draws)
}

/// A strategy that leaves more than this share of its requests without a good answer is not ranked.
pub(super) const UNANSWERED_MAX: f64 = 0.1;

/// Share of the requests that failed or had not ended.
pub(super) fn unanswered(requests: &Requests) -> f64 {
    (requests.offered - requests.completed) as f64 / requests.offered.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::ms;

    #[test]
    fn small_differences_have_digits() {
        let texts = [108.84, 0.1, 0.05, 0.0032, -0.000_123, 0.0, -0.0, 1e-12].map(ms);
        assert_eq!(texts, ["108.8", "0.1", "0.050", "0.0032", "-0.00012", "0.0", "0.0", "0.000000000"]);
    }
}
