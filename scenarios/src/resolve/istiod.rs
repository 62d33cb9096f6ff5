//! istiod.

use super::check::Check;
use super::clusters::Network;
use super::ranges::bounded_u32;
use crate::schema::istiod as typed;
use crate::schema::quantity::Quantity;
use crate::schema::spanned::Spanned;
use meshsim_core::Id;
use meshsim_models::ids::ClusterId;
use meshsim_models::istiod::debounce::DebounceSettings;
use meshsim_models::istiod::settings::{ISTIOD_REPLICAS_MAX, IstiodSettings};
use meshsim_models::units::Cores;

/// Connections and certificates that get no older would be as many events as requests (ns).
const LEAST_AGE: u64 = 10_000_000_000;

/// How istiod paces its pushes, if the scenario says anything of it.
pub(super) fn resolve(
    check: &mut Check<'_>,
    written: Option<&typed::Istiod>,
    network: &Network,
) -> Option<IstiodSettings> {
    let fields = written?;
    let default = IstiodSettings::default();
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = fields.cluster.as_ref();
    let cluster = cluster.and_then(|it| check.reference(it.get_ref(), it.span(), clusters, "cluster"));
    let mut cost =
        |value: &Option<crate::schema::Duration>, key, default| check.cost(value.as_ref(), key, default);
    let debounce = DebounceSettings {
        after: cost(&fields.debounce_after, "debounce_after", default.debounce.after),
        max: cost(&fields.debounce_max, "debounce_max", default.debounce.max),
        endpoints: fields.enable_eds_debounce.unwrap_or(default.debounce.endpoints),
    };
    let (prepare, push, full_push) = (
        cost(&fields.prepare, "prepare", default.prepare),
        cost(&fields.push, "push", default.push),
        cost(&fields.full_push, "full_push", default.full_push),
    );
    Some(IstiodSettings {
        cluster: cluster.map(ClusterId::from_index),
        debounce,
        replicas: bounded_u32(check, fields.replicas.as_ref(), "replicas", 1, ISTIOD_REPLICAS_MAX)
            .unwrap_or(default.replicas),
        cores: bounded_u32(check, fields.cores.as_ref(), "cores", 1, 1_000).unwrap_or(default.cores),
        push_throttle: bounded_u32(check, fields.push_throttle.as_ref(), "push_throttle", 1, 100_000),
        prepare,
        push,
        full_push,
        cpu_per_proxy: fields.cpu_per_proxy.as_ref().map_or(default.cpu_per_proxy, |it| per_proxy(check, it)),
        max_connection_age: check.duration(
            fields.max_connection_age.as_ref(),
            "max_connection_age",
            default.max_connection_age,
            LEAST_AGE,
        ),
        certificate_lifetime: check.duration(
            fields.certificate_lifetime.as_ref(),
            "certificate_lifetime",
            default.certificate_lifetime,
            LEAST_AGE,
        ),
    })
}

/// Cores that a proxy at rest takes.
fn per_proxy(check: &mut Check<'_>, written: &Spanned<Quantity<Cores>>) -> f64 {
    let cores = written.get_ref().0.0;
    if !(0.0..=1.0).contains(&cores) {
        let message = format!("cpu_per_proxy of {cores} cores is out of range");
        check.problem(message, written.span(), "it is \"0\" to \"1\", as in \"0.6m\"");
    }
    cores
}
