//! Taints, tolerations and node selectors, as Kubernetes writes them.

use crate::read::{list, required, set, signed, text, text_at};
use meshsim_core::SimDuration;
use meshsim_models::kubernetes::scheduler::node::{Effect, Taint, Toleration};
use meshsim_models::kubernetes::scheduler::node_affinity::{NodeSelector, Operator, Requirement, Term};
use serde_json::{Value, json};

/// Effects by name.
const EFFECTS: [(&str, Effect); 3] = [
    ("NoExecute", Effect::NoExecute),
    ("NoSchedule", Effect::NoSchedule),
    ("PreferNoSchedule", Effect::PreferNoSchedule),
];

const OPERATORS: [(&str, Operator); 6] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
    ("Gt", Operator::Gt),
    ("Lt", Operator::Lt),
];

/// What stands beside a name.
fn named<T: Copy>(list: &[(&str, T)], name: &str) -> T {
    let found = list.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("`{name}` is not known")).1
}

/// The name that stands beside a value.
fn name_of<T: PartialEq>(list: &[(&'static str, T)], value: &T) -> &'static str {
    list.iter().find(|(_, known)| known == value).expect("every value has a name").0
}

/// A taint.
pub(crate) fn taint(given: &Value) -> Taint {
    Taint {
        key: text(required(given, "key")).to_owned(),
        value: text_at(given, "value").unwrap_or_default().to_owned(),
        effect: named(&EFFECTS, text_at(given, "effect").unwrap_or("NoExecute")),
    }
}

/// The tolerations of a pod.
pub(crate) fn tolerations(pod: &Value) -> Vec<Toleration> {
    let toleration = |given: &Value| {
        let filled = |key| text_at(given, key).filter(|it| !it.is_empty());
        Toleration {
            key: filled("key").map(str::to_owned),
            value: match filled("operator").unwrap_or("Equal") {
                "Equal" => Some(text_at(given, "value").unwrap_or_default().to_owned()),
                "Exists" => None,
                other => panic!("`{other}` is not how a toleration compares"),
            },
            effect: filled("effect").map(|it| named(&EFFECTS, it)),
            lasts: set(given, "seconds")
                .map(|it| SimDuration::from_secs(u64::try_from(signed(it)).unwrap_or(0))),
        }
    };
    list(pod, "tolerations").iter().map(toleration).collect()
}

/// Tolerations as they are written.
pub(crate) fn written_tolerations(tolerations: &[Toleration]) -> Value {
    let written = |it: &Toleration| {
        let operator = if it.value.is_some() { "Equal" } else { "Exists" };
        let effect = it.effect.as_ref().map(|it| name_of(&EFFECTS, it));
        let seconds = it.lasts.map(SimDuration::as_secs_f64);
        json!({
            "key": it.key, "operator": operator, "value": it.value.clone().unwrap_or_default(),
            "effect": effect, "seconds": seconds,
        })
    };
    tolerations.iter().map(written).collect()
}

/// A selector at a key, if it is set.
pub(crate) fn selector_at(object: &Value, key: &str) -> Option<NodeSelector> {
    set(object, key)?;
    let requirement = |given: &Value| Requirement {
        key: text(required(given, "key")).to_owned(),
        operator: named(&OPERATORS, text(required(given, "operator"))),
        values: list(given, "values").iter().map(|it| text(it).to_owned()).collect(),
    };
    let term = |given: &Value| -> Term {
        given.as_array().expect("a term is a list").iter().map(requirement).collect()
    };
    Some(list(object, key).iter().map(term).collect())
}

/// A selector as it is written.
pub(crate) fn written_selector(selector: &NodeSelector) -> Value {
    let requirement = |it: &Requirement| json!({"key": it.key, "operator": name_of(&OPERATORS, &it.operator), "values": it.values});
    selector.iter().map(|term| term.iter().map(requirement).collect::<Value>()).collect()
}
