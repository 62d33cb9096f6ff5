//! Required node affinity: which labels a node must have.
//!
//! # Models
//! A selector is a list of terms of which one must hold; a term holds if all its requirements do, and an empty one
//! holds nowhere. A requirement that is not valid makes its term hold nowhere; it is an error where no other term
//! holds.
//!
//! # Assumptions
//! No fields (`matchFields`), only labels.
//!
//! # Source
//! kubernetes/kubernetes `staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go`;
//! `staging/src/k8s.io/apimachinery/pkg/labels/selector.go` (`NewRequirement`), `pkg/util/validation`.

use super::topology_spread::Labels;

/// Terms of which one must hold.
pub type NodeSelector = Vec<Term>;

/// Requirements that must hold together.
pub type Term = Vec<Requirement>;

/// What a label must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// How a label is compared with the values of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is one of them.
    In,
    /// It is not there, or none of them.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is a number greater than the value.
    Gt,
    /// It is a number less than the value.
    Lt,
}

/// A requirement that Kubernetes does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// A term of labels, each of which must have one of the values.
pub fn labels_in<'a>(labels: impl IntoIterator<Item = (&'a String, &'a Vec<String>)>) -> Term {
    let requirement = |(key, values): (&String, &Vec<String>)| Requirement {
        key: key.clone(),
        operator: Operator::In,
        values: values.clone(),
    };
    labels.into_iter().map(requirement).collect()
}

/// Whether one of the terms holds for these labels.
///
/// # Errors
/// None holds, and one is not valid.
pub fn matches(selector: &[Term], labels: &Labels) -> Result<bool, Invalid> {
    let mut verdict = Ok(false);
    for term in selector.iter().filter(|term| !term.is_empty()) {
        if term.iter().any(|it| !it.is_valid()) {
            verdict = Err(Invalid);
        } else if term.iter().all(|it| it.holds(labels)) {
            return Ok(true);
        }
    }
    verdict
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let is_listed = || value.is_some_and(|value| self.values.contains(value));
        let number = |text: &String| text.parse::<i64>().ok();
        let compare = |holds: fn(i64, i64) -> bool| {
            let both = value.and_then(number).zip(self.values.first().and_then(number));
            both.is_some_and(|(value, bound)| holds(value, bound))
        };
        match self.operator {
            Operator::In => is_listed(),
            Operator::NotIn => !is_listed(),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => compare(|value, bound| value > bound),
            Operator::Lt => compare(|value, bound| value < bound),
        }
    }

    /// Whether Kubernetes understands it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let fits = match self.operator {
            Operator::In | Operator::NotIn => !self.values.is_empty(),
            Operator::Exists | Operator::DoesNotExist => self.values.is_empty(),
            Operator::Gt | Operator::Lt => matches!(&self.values[..], [one] if one.parse::<i64>().is_ok()),
        };
        fits && is_key(&self.key) && self.values.iter().all(|value| value.is_empty() || is_name(value))
    }
}

/// A name, with a domain and a slash before it or not.
fn is_key(key: &str) -> bool {
    match key.rsplit_once('/') {
        None => is_name(key),
        Some((domain, name)) => is_domain(domain) && is_name(name),
    }
}

/// Up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends.
fn is_name(name: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    name.len() <= 63 && name.bytes().all(|byte| inner(&byte)) && has_alphanumeric_ends(name)
}

/// Labels of small letters, digits and `-` with points between them.
fn is_domain(domain: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    domain.len() <= 253
        && domain.split('.').all(|label| label.bytes().all(inner) && has_alphanumeric_ends(label))
}

fn has_alphanumeric_ends(name: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    ends(name.bytes().next()) && ends(name.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Requirement { key: key.to_owned(), operator, values }
    }

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn holds(operator: Operator, values: &[&str]) -> [Result<bool, Invalid>; 3] {
        let selector = [vec![requirement("zone", operator, values)]];
        [&[("zone", "5")][..], &[("zone", "7")], &[]].map(|it| matches(&selector, &labels(it)))
    }

    #[test]
    fn each_operator_compares_as_it_says() {
        assert_eq!(holds(Operator::In, &["5", "6"]), [Ok(true), Ok(false), Ok(false)]);
        assert_eq!(holds(Operator::NotIn, &["5", "6"]), [Ok(false), Ok(true), Ok(true)]);
        assert_eq!(holds(Operator::Exists, &[]), [Ok(true), Ok(true), Ok(false)]);
        assert_eq!(holds(Operator::DoesNotExist, &[]), [Ok(false), Ok(false), Ok(true)]);
        assert_eq!(holds(Operator::Gt, &["5"]), [Ok(false), Ok(true), Ok(false)]);
        assert_eq!(holds(Operator::Lt, &["7"]), [Ok(true), Ok(false), Ok(false)]);
    }

    #[test]
    fn what_is_not_valid_is_an_error_where_nothing_else_holds() {
        for (operator, values) in [
            (Operator::In, &[][..]),
            (Operator::Exists, &["5"]),
            (Operator::Gt, &["five"]),
            (Operator::Lt, &["5", "7"]),
            (Operator::NotIn, &["a,b"]),
        ] {
            assert_eq!(holds(operator, values), [Err(Invalid); 3]);
        }
        let invalid = vec![requirement("zone", Operator::In, &[])];
        let here = vec![requirement("zone", Operator::In, &["5"])];
        let selector = [invalid, here];
        assert_eq!(matches(&selector, &labels(&[("zone", "5")])), Ok(true));
        assert_eq!(matches(&selector, &labels(&[("zone", "7")])), Err(Invalid));
    }

    #[test]
    fn a_term_holds_as_a_whole_and_an_empty_one_nowhere() {
        let node = labels(&[("zone", "5"), ("disk", "ssd")]);
        let term = |zone| {
            vec![requirement("zone", Operator::In, &[zone]), requirement("disk", Operator::Exists, &[])]
        };
        assert_eq!(matches(&[term("5")], &node), Ok(true));
        assert_eq!(matches(&[term("7")], &node), Ok(false));
        assert_eq!(matches(&[term("7"), term("5")], &node), Ok(true));
        assert_eq!([matches(&[Vec::new()], &node), matches(&[], &node)], [Ok(false); 2]);
    }

    #[test]
    fn keys_are_names_below_domains() {
        let valid = ["zone", "liqo.io/type", "topology.kubernetes.io/zone", "A_1.b-c"];
        let invalid = ["", "/zone", "liqo.io/", "Liqo.io/type", "-zone", "zone-", "a/b/c", "a b"];
        assert!(valid.into_iter().all(is_key) && !invalid.into_iter().any(is_key));
        assert!(is_key(&"a".repeat(63)) && !is_key(&"a".repeat(64)));
    }
}
