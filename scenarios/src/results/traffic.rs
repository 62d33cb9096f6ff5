//! Who sent how much to whom, and what the links carried, over all replications.

use super::Compared;
use super::csv::Csv;
use crate::experiment::replication::Figures;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::telemetry::link_traffic::LinkBytes;
use meshsim_models::telemetry::traffic_matrix::Traffic;
use meshsim_models::world::description::Description;
use meshsim_models::world::flows::Flow;
use std::collections::BTreeMap;

/// What stands for the users as a caller, as in Istio's telemetry.
const GATEWAY: &str = "istio-ingressgateway";

/// Who calls in a flow.
pub(super) fn caller(description: &Description, flow: Flow) -> &str {
    flow.caller.map_or(GATEWAY, |it| &description.application.services[it].name)
}

/// Every strategy with its figures in all replications, and the reported time of these (s).
fn strategies(of: Compared<'_>) -> impl Iterator<Item = (&str, &Description, Vec<&Figures>, f64)> {
    let Compared { plan, outcome } = of;
    plan.strategies.iter().enumerate().map(|(index, resolved)| {
        let figures: Vec<&Figures> = outcome.replications.iter().map(|(_, all)| &all[index]).collect();
        let seconds = figures.iter().map(|it| it.seconds).sum();
        (resolved.strategy.as_str(), &resolved.description, figures, seconds)
    })
}

/// `traffic.csv`: a row per calling cluster and service and called cluster and service.
pub(super) fn matrix_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "from_cluster",
        "from_service",
        "to_cluster",
        "to_service",
        "requests",
        "requests_per_second",
        "request_payload_bytes",
        "request_wire_bytes",
        "responses",
        "response_payload_bytes",
        "response_wire_bytes",
    ])?;
    for (strategy, description, figures, seconds) in strategies(of) {
        let mut rows: BTreeMap<(ClusterId, Flow, ClusterId), [Traffic; 2]> = BTreeMap::new();
        for row in figures.iter().flat_map(|it| &it.traffic) {
            let [requests, answers] = rows.entry((row.from, row.flow, row.to)).or_default();
            *requests += row.requests;
            *answers += row.answers;
        }
        let cluster = |id: ClusterId| description.clusters[id].name.as_str();
        let service = |id: ServiceId| description.application.services[id].name.as_str();
        for ((from, flow, to), [requests, answers]) in rows {
            let names = [cluster(from), caller(description, flow), cluster(to), service(flow.called)];
            let values = [
                requests.messages.to_string(),
                (requests.messages as f64 / seconds).to_string(),
                requests.payload.to_string(),
                requests.wire.to_string(),
                answers.messages.to_string(),
                answers.payload.to_string(),
                answers.wire.to_string(),
            ];
            csv.write_record([strategy].into_iter().chain(names).chain(values.iter().map(String::as_str)))?;
        }
    }
    Ok(())
}

/// `links.csv`: a row per link and direction.
pub(super) fn link_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "link",
        "from",
        "to",
        "call_bytes",
        "passing_bytes",
        "control_bytes",
        "handshake_bytes",
        "connections",
        "bits_per_second",
        "utilization",
    ])?;
    for (strategy, description, figures, seconds) in strategies(of) {
        let mut rows: BTreeMap<(u32, ClusterId), LinkBytes> = BTreeMap::new();
        for it in figures.iter().flat_map(|it| &it.links) {
            rows.entry((it.link, it.from)).and_modify(|sum| *sum += *it).or_insert(*it);
        }
        for ((link, from), carried) in rows {
            let link = &description.links[link as usize];
            let to = link.between[usize::from(link.between[0] == from)];
            let names = [&link.name, &description.clusters[from].name, &description.clusters[to].name];
            let bits_per_second = carried.all() as f64 * 8.0 / seconds;
            let values = [
                carried.calls.to_string(),
                carried.passing.to_string(),
                carried.control.to_string(),
                carried.handshakes.to_string(),
                carried.connections.to_string(),
                bits_per_second.to_string(),
                (bits_per_second / link.bits_per_second).to_string(),
            ];
            let names = names.map(String::as_str);
            csv.write_record([strategy].into_iter().chain(names).chain(values.iter().map(String::as_str)))?;
        }
    }
    Ok(())
}
