//! What a comparison comes to, in a sentence or two.

use super::ranking::{Order, Ranking};
use super::summary::{Paired, Strategy, Summary};

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
    let mut sentences = vec![of_ranked(summary, &ranked, same.is_empty())];
    sentences.extend(same.iter().map(|names| {
        let all = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let (last, others) = all.split_last().expect("there are two or more");
        format!(
            "{} and {last} are the same, request by request: what differs between them has no effect here; is it what \
             was meant?",
            others.join(", ")
        )
    }));
    sentences.retain(|it| !it.is_empty());
    sentences.join("\n")
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

/// The sentence about the best of several different strategies; empty where there are not two and others say why.
fn of_ranked(summary: &Summary, ranked: &[&Strategy], is_alone: bool) -> String {
    let Some(best) = ranked.first() else {
        return "Cannot be told: under every strategy too many requests failed or had not ended.".to_owned();
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
    match difference.interval() {
        Some([low, high]) if high < 0.0 || low > 0.0 => {
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
        Some([low, high]) => format!(
            "Cannot be told: `{name}` and `{}` differ by {} ms, but the 95 % interval ({} to {} ms) \
             contains zero; more replications would tell.",
            second.name,
            ms(by),
            ms(-high),
            ms(-low)
        ),
        None => format!(
            "Cannot be told: `{name}` was {} ms below `{}` in the only replication; two or more give an \
             interval.",
            ms(by),
            second.name
        ),
    }
}

/// Which point and strategy of a sweep is best, and by how much; or that it cannot be told.
///
/// `points` have a name each; what is ranked and what is told from what follows the rules of [`verdict`]. All points
/// have the same requests where their settings leave them the same.
#[must_use]
pub fn best_of_points(points: &[(String, &Summary)]) -> String {
    let mut all: Vec<(&str, &Summary, &Strategy)> = Vec::new();
    for (at, summary) in points {
        all.extend(ranked(summary).into_iter().map(|it| (at.as_str(), *summary, it)));
    }
    all.sort_by(|a, b| a.2.latency_ms.mean.value.total_cmp(&b.2.latency_ms.mean.value));
    let Some((at, summary, best)) = all.first() else {
        return "Cannot be told: at every point too many requests failed or had not ended.".to_owned();
    };
    let first = format!("`{}` at {at}", best.name);
    let Some((other_at, others, second)) = all.get(1) else {
        return format!("{first} is the only one that answers its users.");
    };
    let other = format!("`{}` at {other_at}", second.name);
    let difference = summary.difference_to(&best.name, others, &second.name);
    let mean = ms(best.latency_ms.mean.value);
    match difference.and_then(|it| Some((it.value, it.interval()?))) {
        Some((by, [low, high])) if high < 0.0 || low > 0.0 => format!(
            "{first} is fastest of {}: {mean} ms in the mean, {} ms below {other} (95 % interval {} to {} ms).",
            all.len(),
            ms(-by),
            ms(-high),
            ms(-low)
        ),
        _ => format!(
            "{first} ({mean} ms in the mean) and {other} are the fastest of {}; which of them is cannot be told.",
            all.len()
        ),
    }
}

/// A difference that nobody feels (ms).
const TINY_MS: f64 = 0.1;

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
        .filter(|it| it.latency_ms.mean.value.is_finite() && unanswered(it) <= UNANSWERED_MAX)
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
const UNANSWERED_MAX: f64 = 0.1;

/// Share of the requests that failed or had not ended.
fn unanswered(strategy: &Strategy) -> f64 {
    let requests = &strategy.requests;
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
