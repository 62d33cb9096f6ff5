//! Which point and strategy of a sweep is best, in a sentence or two.

use super::estimates::CONFIDENCE;
use super::names::listed;
use super::summary::{Strategy, Summary};
use super::verdict::{Candidate, UNANSWERED_MAX, for_each_group, ms, ranked, unanswered};
use meshsim_core::stats::selection::subset_with_best;

/// Which point and strategy of a sweep is best, and by how much, and for which groups of users, as one point after the other
/// comes; or that it cannot be told.
///
/// What is ranked follows the rules of [`super::verdict`]; a point and strategy is fastest if all others are told from it with 95 %
/// together ([`subset_with_best`]). For groups of users the two fastest alone are compared. All points have the same requests
/// where their settings leave them the same.
#[derive(Debug, Default)]
pub struct BestOfPoints {
    /// Mean latencies by replication (ms) of the points and strategies that answer their users, with their names.
    ranked: Vec<(String, Vec<f64>)>,
    /// The points that have one of the two fastest strategies, of all users or of a group, in their order.
    points: Vec<(String, Summary)>,
}

impl BestOfPoints {
    /// A point with a name.
    pub fn add(&mut self, name: &str, summary: &Summary) {
        let values = |it: &Strategy| summary.in_pairs(&[&it.name]).and_then(|all| all.into_iter().next());
        let of = |it: &Strategy| (format!("`{}` at {name}", it.name), values(it).unwrap_or_default());
        self.ranked.extend(ranked(summary).into_iter().map(of));
        self.points.push((name.to_owned(), summary.clone()));
        let mut keep = vec![false; self.points.len()];
        for users in std::iter::once(None).chain(summary.groups_of_users().map(Some)) {
            let mut all: Vec<(f64, usize)> = Vec::new();
            for (index, (_, summary)) in self.points.iter().enumerate() {
                all.extend(means(summary, users).into_iter().map(|mean| (mean, index)));
            }
            // Of equal ones the earlier: it is a stable sort.
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            all.iter().take(2).for_each(|(_, index)| keep[*index] = true);
        }
        let mut keep = keep.into_iter();
        self.points.retain(|_| keep.next().unwrap_or(false));
    }

    /// What there is to say.
    #[must_use]
    pub fn sentence(&self) -> String {
        let candidates = self.points.iter().flat_map(|(at, summary)| {
            summary.strategies.iter().map(move |strategy| Candidate {
                name: format!("`{}` at {at}", strategy.name),
                summary,
                strategy,
            })
        });
        let candidates: Vec<Candidate<'_>> = candidates.collect();
        let mut sentences = vec![self.of_all_users(), for_each_group(&candidates)];
        sentences.retain(|it| !it.is_empty());
        sentences.join("\n")
    }

    /// The same of all users together.
    fn of_all_users(&self) -> String {
        let mut all: Vec<(&str, &Summary, &Strategy)> = Vec::new();
        for (at, summary) in &self.points {
            all.extend(ranked(summary).into_iter().map(|it| (at.as_str(), summary, it)));
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
        let (mean, count) = (ms(best.latency_ms.mean.value), self.ranked.len());
        let subset = self.subset();
        match difference.and_then(|it| Some((it.value, it.interval()?))) {
            Some((by, [low, high])) if (high < 0.0 || low > 0.0) && subset.len() == 1 => {
                let from_all = if count > 2 { "; with 95 % it is faster than all others" } else { "" };
                format!(
                    "{first} is fastest of {count}: {mean} ms in the mean, {} ms below {other} (95 % interval {} to {} ms){from_all}.",
                    ms(-by),
                    ms(-high),
                    ms(-low)
                )
            }
            _ if subset.len() > 2 => format!(
                "{first} has the lowest mean of {count}, {mean} ms; which is the fastest cannot be told: with 95 % it is one of {}.",
                listed(&subset)
            ),
            _ => format!(
                "{first} ({mean} ms in the mean) and {other} are the fastest of {count}; which of them is cannot be told."
            ),
        }
    }

    /// Among which the fastest is, the lowest mean first; nothing where they cannot be compared.
    fn subset(&self) -> Vec<&str> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mut sorted: Vec<&(String, Vec<f64>)> = self.ranked.iter().collect();
        sorted.sort_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
        let values: Vec<Vec<f64>> = sorted.iter().map(|(_, values)| values.clone()).collect();
        let first = values.first().map_or(0, Vec::len);
        if first < 2 || values.iter().any(|it| it.len() != first) {
            return Vec::new();
        }
        subset_with_best(&values, CONFIDENCE).into_iter().map(|index| sorted[index].0.as_str()).collect()
    }
}

/// Mean latencies of the strategies that answer a group of users, or all (ms).
fn means(summary: &Summary, users: Option<&str>) -> Vec<f64> {
    match users {
        None => ranked(summary).into_iter().map(|it| it.latency_ms.mean.value).collect(),
        Some(users) => {
            let groups = summary.strategies.iter().filter_map(|it| it.users.get(users));
            let good = groups.filter(|it| {
                it.latency_ms.mean.value.is_finite() && unanswered(&it.requests) <= UNANSWERED_MAX
            });
            good.map(|it| it.latency_ms.mean.value).collect()
        }
    }
}
