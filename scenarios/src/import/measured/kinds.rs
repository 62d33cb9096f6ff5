//! Kinds of requests that a service answers, by what its spans say was asked for.
//!
//! # Models
//! Every operation (`traces::operation`) that was asked for often enough is a kind; what was asked for less often is one kind together, or, if that is rare,
//! too, counts with the most frequent one.
//!
//! # Assumptions
//! Requests of one operation are alike. Effect: what an argument decides is a probability of each call, by itself.

use crate::traces::Trace;
use crate::traces::model::NameId;
use std::collections::BTreeMap;

/// So many kinds of a service are told apart.
const MOST_KINDS: usize = 24;

/// Answers of which fewer make no kind.
pub(super) const LEAST_ANSWERS: usize = 30;

/// Nor does a smaller share of a service's answers.
const LEAST_SHARE: f64 = 0.002;

/// Kinds of requests by their services.
#[derive(Debug, Default)]
pub(super) struct Kinds(BTreeMap<String, OfService>);

#[derive(Debug, Default)]
struct OfService {
    named: Vec<Named>,
    by_operation: BTreeMap<NameId, usize>,
    /// The kind of all others.
    others: usize,
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The name of its endpoint.
    pub(super) name: String,
    /// What is asked for, as `GET /cart`; none of several.
    pub(super) operation: Option<String>,
}

impl Kinds {
    /// Of these answers, by their servers' spans.
    pub(super) fn new(trace: &Trace, answers: &[usize]) -> Self {
        let mut counts: BTreeMap<&str, BTreeMap<Option<NameId>, usize>> = BTreeMap::new();
        for span in answers.iter().map(|it| &trace.spans[*it]) {
            if let Some(service) = span.service {
                let of = counts.entry(trace.names.text(service)).or_default();
                *of.entry(span.operation).or_default() += 1;
            }
        }
        let of = |(service, counts): (&str, BTreeMap<Option<NameId>, usize>)| {
            (service.to_owned(), OfService::new(&counts, |it| trace.names.text(it).to_owned()))
        };
        Self(counts.into_iter().map(of).collect())
    }

    /// Which one of a service's it is.
    pub(super) fn of(&self, service: &str, operation: Option<NameId>) -> usize {
        self.0
            .get(service)
            .map_or(0, |of| operation.and_then(|it| of.by_operation.get(&it).copied()).unwrap_or(of.others))
    }

    /// Those of a service: one or more if it has spans.
    pub(super) fn named(&self, service: &str) -> &[Named] {
        self.0.get(service).map_or(&[], |of| &of.named)
    }
}

impl OfService {
    fn new(counts: &BTreeMap<Option<NameId>, usize>, text: impl Fn(NameId) -> String) -> Self {
        let all: usize = counts.values().sum();
        let least = LEAST_ANSWERS.max((all as f64 * LEAST_SHARE).ceil() as usize);
        let mut often: Vec<(NameId, usize)> = counts
            .iter()
            .filter_map(|(it, count)| Some(((*it)?, *count)))
            .filter(|it| it.1 >= least)
            .collect();
        often.sort_by_key(|(it, count)| (std::cmp::Reverse(*count), *it));
        often.truncate(MOST_KINDS);
        let left = all - often.iter().map(|(_, count)| count).sum::<usize>();
        let mut of = Self::default();
        // What is the only kind needs no name.
        if often.is_empty() || (often.len() == 1 && left < least) {
            let operation = often.first().map(|(it, _)| text(*it));
            of.named.push(Named { name: "default".to_owned(), operation });
            return of;
        }
        for (index, (id, _)) in often.iter().enumerate() {
            let operation = text(*id);
            let name = of.free(&name(&operation));
            of.named.push(Named { name, operation: Some(operation) });
            of.by_operation.insert(*id, index);
        }
        if left >= least {
            of.others = of.named.len();
            let name = of.free("other");
            of.named.push(Named { name, operation: None });
        }
        of
    }

    /// This name, or with a number if another has it.
    fn free(&self, name: &str) -> String {
        let is_free = |name: &String| self.named.iter().all(|it| it.name != *name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }
}

/// The name of an endpoint: the parts of the path.
fn name(operation: &str) -> String {
    let (_, path) = operation.split_once(' ').unwrap_or(("", operation));
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let parts: Vec<String> = path
        .split('/')
        .map(|it| it.replace(|letter| !is_part(letter), "-").trim_matches('-').to_owned())
        .filter(|it| !it.is_empty())
        .collect();
    if parts.is_empty() { "root".to_owned() } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::Span;

    /// Requests of one service, so many of each operation.
    fn kinds(counts: &[(&str, usize)]) -> (Trace, Kinds) {
        let mut trace = Trace::default();
        let service = trace.names.id("shop");
        for (operation, count) in counts {
            let operation = trace.names.id(operation);
            let span = Span { service, operation, ..Span::default() };
            trace.spans.extend(vec![span; *count]);
        }
        let kinds = Kinds::new(&trace, &(0..trace.spans.len()).collect::<Vec<_>>());
        (trace, kinds)
    }

    fn names(counts: &[(&str, usize)]) -> Vec<String> {
        kinds(counts).1.named("shop").iter().map(|it| it.name.clone()).collect()
    }

    #[test]
    fn what_is_asked_for_often_is_a_kind() {
        let all = [("GET /cart", 300), ("POST /cart", 200), ("GET /", 100), ("POST /a.B/Get", 50)];
        assert_eq!(names(&all), ["cart", "cart-2", "root", "a-B-Get"]);
        let (trace, kinds) = kinds(&all);
        assert_eq!(kinds.of("shop", trace.names.find("POST /cart")), 1);
        assert_eq!(kinds.named("shop")[1].operation.as_deref(), Some("POST /cart"));
        assert!(kinds.named("nobody").is_empty());
    }

    #[test]
    fn what_is_rare_is_one_kind_or_none() {
        assert_eq!(names(&[("GET /a", 100), ("GET /b", 20), ("", 20)]), ["a", "other"]);
        assert_eq!(names(&[("GET /a", 100), ("GET /b", 60), ("GET /c", 20)]), ["a", "b"]);
        let (trace, kinds) = kinds(&[("GET /a", 100), ("GET /b", 60), ("GET /c", 20)]);
        assert_eq!(kinds.of("shop", trace.names.find("GET /c")), 0);
        // The only one.
        assert_eq!(names(&[("GET /a", 100), ("GET /b", 20)]), ["default"]);
        assert_eq!(names(&[("", 5)]), ["default"]);
    }
}
