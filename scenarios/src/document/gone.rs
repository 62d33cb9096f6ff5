//! Keys of older versions, and keys that people look for in the wrong table: what to write instead.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A path, in which `*` stands for any name, and what to write; in it, `{}` stands for that name.
const INSTEAD: [(&str, &str, &str); 4] = [
    (
        "mesh.load_balancer",
        "mesh.load_balancer is no longer a key",
        "write [mesh.traffic_policy] load_balancer.simple = \"LEAST_REQUEST\"",
    ),
    (
        "mesh.locality_failover",
        "mesh.locality_failover is no longer a key",
        "write [mesh.traffic_policy] outlier_detection = { consecutive_5xx_errors = 5 }: failover follows from it, \
         and needs it; locality_lb_setting.enabled = false switches it off",
    ),
    (
        "services.*.replicas",
        "a service has replicas per cluster",
        "write clusters.CLUSTER.replicas.{} = 2, with the cluster's name",
    ),
    (
        "services.*.hpa.replicas",
        "an autoscaler has no key `replicas`",
        "write min_replicas and max_replicas; the number at the start is clusters.CLUSTER.replicas.{}",
    ),
];

/// The first such key of a tree: message, help and location.
pub(super) fn first_gone(tree: &DeTable<'_>) -> Option<(String, String, Range<usize>)> {
    INSTEAD.iter().find_map(|(path, message, help)| {
        let parts: Vec<&str> = path.split('.').collect();
        let (name, span) = find(tree, &parts)?;
        Some(((*message).to_owned(), help.replace("{}", &name), span))
    })
}

/// The location of the value at a path, and the name that `*` stands for.
fn find(table: &DeTable<'_>, path: &[&str]) -> Option<(String, Range<usize>)> {
    let (first, rest) = path.split_first()?;
    let fits = |key: &str| *first == "*" || key == *first;
    table.iter().filter(|(key, _)| fits(key.get_ref())).find_map(|(key, value)| {
        let (below, span) = match (rest, value.get_ref()) {
            ([], _) => (String::new(), value.span()),
            (_, DeValue::Table(inner)) => find(inner, rest)?,
            _ => return None,
        };
        Some((if *first == "*" { key.get_ref().to_string() } else { below }, span))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(String, String)> {
        first_gone(DeTable::parse(text).unwrap().get_ref()).map(|(message, help, _)| (message, help))
    }

    #[test]
    fn a_key_in_the_wrong_table_is_told_the_right_one() {
        let (message, help) = said("services.s0.replicas = 2").unwrap();
        assert_eq!(message, "a service has replicas per cluster");
        assert!(help.contains("clusters.CLUSTER.replicas.s0 = 2"), "{help}");
        assert!(said("mesh.load_balancer = 'x'").unwrap().0.contains("no longer"));
        assert_eq!(said("gateway.load_balancer = 'x'"), None);
        assert_eq!(said("services.s0 = 1"), None);
    }
}
