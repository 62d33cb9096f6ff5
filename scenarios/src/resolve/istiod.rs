//! istiod.

use super::check::Check;
use super::clusters::Network;
use super::ranges::bounded_u32;
use crate::schema::istiod as typed;
use meshsim_core::Id;
use meshsim_models::ids::ClusterId;
use meshsim_models::istiod::debounce::DebounceSettings;
use meshsim_models::istiod::settings::IstiodSettings;

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
        cores: bounded_u32(check, fields.cores.as_ref(), "cores", 1, 1_000).unwrap_or(default.cores),
        push_throttle: bounded_u32(check, fields.push_throttle.as_ref(), "push_throttle", 1, 100_000),
        prepare,
        push,
        full_push,
    })
}
