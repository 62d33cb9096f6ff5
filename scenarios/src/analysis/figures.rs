//! Every figure that results have, one row each: its name, its unit, what tells its values apart, what it says, and how it
//! comes from cells.
//!
//! # Models
//! `metrics.csv`, `sweep.csv`, the numbers and intervals of `summary.json`, the terminal's table of traffic, the simulated side of
//! `validate`, objectives and the reference in `docs/` read this list: a figure of its own is a field of
//! [`Figures`] and a row of [`CATALOGUE`].

use super::figure::{
    Applies, Cells, Dimension, Figure, LATENCY, Labels, Of, Row, Rows, Statistic, plain, whose,
};
use super::served::{sent, served};
use super::value::Value;
use super::workloads::workloads;
use crate::experiment::costs::Costs;
use crate::experiment::regret::Regret;
use crate::experiment::replication::Figures;
use meshsim_models::cost::ClusterCost;
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;

const ALWAYS: Applies = |_| true;
const WHOSE: &[Dimension] = &[Dimension::Application, Dimension::UserGroup, Dimension::RequestKind];
const OUTCOMES: &[Dimension] =
    &[Dimension::Application, Dimension::UserGroup, Dimension::RequestKind, Dimension::Outcome];
const OBJECTIVES: &[Dimension] = &[
    Dimension::Cluster,
    Dimension::ToCluster,
    Dimension::Service,
    Dimension::Application,
    Dimension::UserGroup,
    Dimension::RequestKind,
    Dimension::Objective,
];

/// How surely an objective holds.
pub(super) const PROBABILITY: &str = "objectives.probability";

/// Whether it does.
pub(super) const HOLDS: &str = "objectives.holds";

/// Mean latency of a strategy less that of the baseline.
pub(super) const MEAN_DIFFERENCE: &str = "mean_difference_to_baseline_ms";

/// A list of rows, each ended by a semicolon.
macro_rules! catalogue {
    ($($row:expr;)*) => { &[$($row),*] };
}

/// All figures, in the order of results: name, unit, what tells values apart, where they come from, sentence.
pub static CATALOGUE: &[Figure] = catalogue! {
    of("latency_ms.mean", "ms", WHOSE, Of::Statistic(Statistic::Mean),
        "Mean latency of the requests that succeeded, as users see it.");
    of("latency_ms.p50", "ms", WHOSE, Of::Statistic(Statistic::Quantile(0)),
        "Median of the same latencies, over all replications together.");
    of("latency_ms.p90", "ms", WHOSE, Of::Statistic(Statistic::Quantile(1)),
        "90 % of them are at most this.");
    of("latency_ms.p95", "ms", WHOSE, Of::Statistic(Statistic::Quantile(2)),
        "95 % of them are at most this.");
    of("latency_ms.p99", "ms", WHOSE, Of::Statistic(Statistic::Quantile(3)),
        "99 % of them are at most this.");
    of("failures", "1", WHOSE, Of::Statistic(Statistic::Failures),
        "Share of the requests that failed, of those that ended.");
    of("availability", "1", WHOSE, Of::Statistic(Statistic::Availability),
        "Share of the requests that succeeded, of those that ended.");
    of("requests.offered", "requests", WHOSE, Of::Count(|it| it.offered, ALWAYS),
        "Requests that arrived after the warm-up, over all replications.");
    of("requests.attempts", "requests", WHOSE, Of::Count(|it| it.attempts, try_again),
        "How often users sent these, where they try again after failures.");
    of("requests.completed", "requests", WHOSE, Of::Count(|it| it.completed, ALWAYS),
        "Of the requests that arrived, those that succeeded.");
    of("requests.redirected", "requests", OUTCOMES, Of::Outcomes(|it| &it.redirected),
        "Of those that succeeded, those that a route redirected, by status.");
    of("requests.failed", "requests", OUTCOMES, Of::Outcomes(|it| &it.failed),
        "Of the requests that arrived, those that failed, by status and Envoy's flag.");
    of("requests.in_flight", "requests", WHOSE, Of::Count(|it| it.in_flight, ALWAYS),
        "Of the requests that arrived, those that had not ended when the run did.");
    cell("dashboard_p90_ms", "ms", |f| f.dashboard_p90_ms,
        "What a dashboard shows as p90: histogram_quantile over the buckets of Istio's telemetry.");
    cell("calls_per_request", "1", |f| f.calls,
        "Calls that services answered per user request that arrived, whoever waited for them.").shown("calls", 3, 1.0);
    cell("crossings_per_request", "1", |f| f.crossings,
        "Attempts that left the client's cluster, per user request that arrived.").shown("crossings", 3, 1.0);
    cell("returns_per_request", "1", |f| f.returns,
        "Crossings into a cluster that was already on the path, per user request that \
         arrived.").shown("returns", 3, 1.0);
    cell("retries_per_request", "1", |f| f.retries,
        "Further attempts of proxies, per user request that arrived.");
    cell("rounds_per_request", "1", |f| f.rounds,
        "TCP rounds beyond the first that responses between clusters took, each a round trip, per user \
         request that arrived.").shown("TCP rounds", 3, 1.0);
    cell("connect_ms_per_request", "ms", |f| f.connect_ms,
        "Time that attempts waited for connections, per user request that arrived.").shown("connect ms", 2, 1.0);
    cell("cpu_demand_ms_per_request", "ms", |f| f.demand_ms,
        "CPU time that the services needed, per user request that arrived.").shown("CPU ms", 1, 1.0);
    cell("cross_cluster_bytes_per_request.payload", "bytes", |f| f.cross_payload,
        "Bodies of requests and answers between clusters, per user request that \
         arrived.").shown("kB between clusters", 2, 1000.0);
    cell("cross_cluster_bytes_per_request.wire", "bytes", |f| f.cross_wire,
        "The same with HTTP headers, TLS, TCP/IP and tunnels.").shown("on the wire", 2, 1000.0);
    cell("crossing_ms", "ms", |f| f.crossing_ms,
        "Time between clusters per crossing that was waited for, there and back, without the time of \
         the pod that answers.");
    cell("proxy_cpu_share", "1", proxy_share,
        "The proxies' share of the CPU time of services and proxies.");
    of("cpu_seconds_per_second", "cores", &[Dimension::Cluster],
        Of::Each(clusters, |f, c| f.cell_cpu[c] + f.proxy_cpu[c]),
        "CPU time per second of a cluster's services and proxies: cores in use.");
    of("proxy_cpu_seconds_per_second", "cores", &[Dimension::Cluster], Of::Each(clusters, |f, c| f.proxy_cpu[c]),
        "The proxies' part of it.");
    of("gateway_cpu_seconds_per_second", "cores", &[Dimension::Cluster],
        Of::Each(with_gateways, |f, c| f.gateway_cpu[c]),
        "CPU time per second of a cluster's gateways to others, beside it, where there are any.");
    of("istiod_cpu_seconds_per_second", "cores", &[Dimension::Cluster],
        Of::Each(with_istiod, |f, c| f.istiod_cpu[c]),
        "CPU time per second of a cluster's istiod, where its pushes take time: of pushes and of the proxies that are connected.");
    of("application_cpu_seconds_per_second", "cores", &[Dimension::Application],
        Of::Each(tenants, |f, a| f.application_cpu[a].pods),
        "CPU time per second of the pods of an application, with their sidecars, whoever calls them, where there are several.");
    of("application_sidecar_cpu_seconds_per_second", "cores", &[Dimension::Application],
        Of::Each(tenants, |f, a| f.application_cpu[a].sidecars),
        "The sidecars' part of it.");
    of("cost_per_hour", "price/h", &[Dimension::Cluster], Of::Each(with_prices, |f, i| cost(f, |it| it.priced[i].all)),
        "What a cluster takes per hour for CPU, memory and traffic, in the currency of its prices, where it has any.");
    of("traffic_cost_per_hour", "price/h", &[Dimension::Cluster],
        Of::Each(with_prices, |f, i| cost(f, |it| it.priced[i].traffic)),
        "What leaves it and comes in over links, of that.");
    of("proxy_cost_per_hour", "price/h", &[Dimension::Cluster],
        Of::Each(with_prices, |f, i| cost(f, |it| it.priced[i].proxies)),
        "The proxies' part of it: what sidecars request, or use, and what other proxies use.");
    of("cost_per_million_requests", "price", &[], Of::Each(any_prices, |f, _| cost(f, |it| it.per_million.price)),
        "What all clusters with prices take per million requests that arrived.").shown("price/M", 2, 1.0);
    of("power_watts", "W", &[Dimension::Cluster], Of::Each(with_power, |f, i| cost(f, |it| it.powered[i].all)),
        "Power of a cluster's nodes, Wh per hour, where they have any.");
    of("proxy_power_watts", "W", &[Dimension::Cluster], Of::Each(with_power, |f, i| cost(f, |it| it.powered[i].proxies)),
        "What proxies add to it: their share of what load adds to idle.");
    of("network_power_watts", "W", &[], Of::Each(with_energy, |f, _| cost(f, |it| it.network_watts)),
        "Power of the links by what they carry, where energy per GB is described.");
    of("energy_wh_per_million_requests", "Wh", &[], Of::Each(any_power, |f, _| cost(f, |it| it.per_million.energy)),
        "Energy of nodes and links per million requests that arrived.").shown("Wh/M", 1, 1.0);
    of("carbon_g_per_hour", "g/h", &[Dimension::Cluster], Of::Each(with_carbon, |f, i| cost(f, |it| it.carbon[i])),
        "CO2 equivalents of a cluster's electricity, where its carbon intensity is described.");
    of("network_carbon_g_per_hour", "g/h", &[], Of::Each(with_energy, |f, _| cost(f, |it| it.network_carbon)),
        "CO2 equivalents of the links' electricity, as far as its carbon intensity is described.");
    of("carbon_g_per_million_requests", "g", &[], Of::Each(any_carbon, |f, _| cost(f, |it| it.per_million.carbon)),
        "CO2 equivalents of both per million requests that arrived.").shown("g CO2/M", 1, 1.0);
    of("proxy_memory_bytes", "bytes", &[Dimension::Cluster], Of::Rows(proxy_memory_rows),
        "Memory of a cluster's proxies for what they are told of services and endpoints.");
    of("sent_per_request", "1", &[Dimension::Cluster, Dimension::ToCluster], Of::Sparse(sent_rows),
        "Attempts per user request from the clients of a cluster to pods of the same or another one.");
    of("served", "1", &[Dimension::Service, Dimension::Cluster], Of::Rows(served_rows),
        "Share of a service's calls that a cluster served.");
    of("ready_pods", "pods", &[Dimension::Service, Dimension::Cluster], Of::Rows(ready_rows),
        "Ready pods of a service in a cluster in which pods may come and go, in the mean over time.");
    of("offloading_time_above", "1", &[Dimension::Cluster], Of::Each(steered, |f, e| f.offloading[e].above),
        "Share of the time in which the mean delay of an edge's users was above the offload_delay of its controller, scrape by scrape.");
    of("offloading_delay_ms", "ms", &[Dimension::Cluster], Of::Each(steered, |f, e| f.offloading[e].mean_ms),
        "Mean delay of an edge's users as its gateways see it, where a controller steers it.");
    of("offloading_cost_per_hour", "1", &[Dimension::Cluster],
        Of::Each(steered, |f, e| f.offloading[e].cost_per_hour),
        "What an hour costs: pods at the edge and in the cloud, and bytes from there, by the prices of [offloading].");
    of("offloading_actions", "actions", &[Dimension::Cluster],
        Of::Each(steered, |f, e| f64::from(f.offloading[e].moves)),
        "Decisions of an edge's controller in a run, after the warm-up, that moved services there or back.");
    of("offloading_regret_ms", "ms", &[Dimension::Cluster], Of::Each(regretting, regret_of),
        "How much longer the mean delay is, over the regret_horizon of [offloading] after a decision, than with the best alternative, in the mean over the decisions of a run.");
    of(PROBABILITY, "1", OBJECTIVES, Of::Added,
        "Share of the replications that keep an objective each for itself.");
    of(HOLDS, "1", OBJECTIVES, Of::Added,
        "Whether all replications together keep an objective: 1, or 0.");
    of(MEAN_DIFFERENCE, "ms", &[], Of::Added,
        "Mean latency of a strategy less that of the baseline, over the same requests, paired by replication.");
};

const fn of(
    name: &'static str,
    unit: &'static str,
    by: &'static [Dimension],
    of: Of,
    sentence: &'static str,
) -> Figure {
    Figure { name, unit, by, sentence, column: None, of }
}

const fn cell(
    name: &'static str,
    unit: &'static str,
    figure: fn(&Figures) -> f64,
    sentence: &'static str,
) -> Figure {
    of(name, unit, &[], Of::Cell(figure), sentence)
}

/// The figure of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Figure> {
    CATALOGUE.iter().find(|it| it.name == name)
}

/// The figure of this name, which a latency may have without what all of them have before it.
#[must_use]
pub fn called(name: &str) -> Option<&'static Figure> {
    CATALOGUE.iter().find(|it| it.name == name || it.short_name() == name)
}

/// Latencies of successful requests.
pub fn latencies() -> impl Iterator<Item = &'static Figure> {
    CATALOGUE.iter().filter(|it| it.name.starts_with(LATENCY))
}

/// Rows of values that are added to a figure.
pub(super) fn added(name: &str, values: impl IntoIterator<Item = (Labels, Value)>) -> Vec<Row> {
    let of_figure =
        |figure| values.into_iter().map(|(labels, value)| Row { figure, labels, value }).collect();
    named(name).map(of_figure).unwrap_or_default()
}

/// Every value of every figure that comes from cells alone.
#[must_use]
pub fn rows(cells: &Cells<'_>) -> Vec<Row> {
    let whose = whose(cells);
    let of_figure = |figure: &'static Figure| {
        let rows = figure.rows(cells, &whose).into_iter();
        rows.map(move |(labels, value)| Row { figure, labels, value })
    };
    CATALOGUE.iter().flat_map(of_figure).collect()
}

/// Whether some users send a request again that has failed.
fn try_again(description: &Description) -> bool {
    description.populations.iter().any(|it| it.retries.is_some())
}

fn clusters(description: &Description) -> Vec<String> {
    description.clusters.iter().map(|it| it.name.clone()).collect()
}

/// Clusters, where gateways stand between them.
fn with_gateways(description: &Description) -> Vec<String> {
    if description.has_gateways_between_clusters() { clusters(description) } else { Vec::new() }
}

/// Clusters, where the pushes of an istiod take time.
fn with_istiod(description: &Description) -> Vec<String> {
    if description.istiod_pace().is_some() { clusters(description) } else { Vec::new() }
}

/// Edges that an offloading controller steers.
fn steered(description: &Description) -> Vec<String> {
    let edges = description.offloading.iter().flat_map(|it| &it.controllers);
    edges.map(|it| description.clusters[it.edge].name.clone()).collect()
}

/// The same, where alternatives to its decisions run.
fn regretting(description: &Description) -> Vec<String> {
    let asks = description.offloading.iter().flat_map(|it| &it.controllers).any(|it| it.asks_others);
    if asks { steered(description) } else { Vec::new() }
}

/// The mean regret of the edge of an index; not a number without a decision.
fn regret_of(figures: &Figures, edge: usize) -> f64 {
    let of_edge = || figures.regret.iter().filter(|it| it.controller as usize == edge);
    of_edge().map(Regret::delay_ms).sum::<f64>() / of_edge().count() as f64
}

/// Applications, where there are several.
fn tenants(description: &Description) -> Vec<String> {
    let tenants = &description.application.tenants;
    if tenants.len() > 1 { tenants.clone() } else { Vec::new() }
}

/// What a replication came to cost, of which something is described.
fn cost(figures: &Figures, of: impl Fn(&Costs) -> f64) -> f64 {
    figures.costs.as_ref().map_or(f64::NAN, of)
}

/// The clusters of which this is described.
fn whose_cost(description: &Description, is_said: impl Fn(&ClusterCost) -> bool) -> Vec<String> {
    let all = description.costs.iter().flat_map(|it| it.clusters.enumerate());
    all.filter(|(_, it)| is_said(it)).map(|(id, _)| description.clusters[id].name.clone()).collect()
}

/// One value without a name, where there is any.
fn one_of(any: bool) -> Vec<String> {
    if any { vec![String::new()] } else { Vec::new() }
}

fn with_prices(description: &Description) -> Vec<String> {
    whose_cost(description, |it| it.prices.is_some())
}

fn any_prices(description: &Description) -> Vec<String> {
    one_of(!with_prices(description).is_empty())
}

fn with_power(description: &Description) -> Vec<String> {
    whose_cost(description, |it| it.power.is_some())
}

fn with_energy(description: &Description) -> Vec<String> {
    let mut links = description.costs.iter().flat_map(|it| &it.links);
    one_of(links.any(|it| it.energy_per_gb.is_some()))
}

fn any_power(description: &Description) -> Vec<String> {
    one_of(!with_power(description).is_empty() || !with_energy(description).is_empty())
}

fn with_carbon(description: &Description) -> Vec<String> {
    whose_cost(description, |it| it.power.is_some() && it.carbon.is_some())
}

fn any_carbon(description: &Description) -> Vec<String> {
    one_of(!with_carbon(description).is_empty())
}

fn proxy_share(figures: &Figures) -> f64 {
    let (cells, proxies) = (figures.cell_cpu.iter().sum::<f64>(), figures.proxy_cpu.iter().sum::<f64>());
    proxies / (cells + proxies)
}

/// The same in every replication: it follows from what is described.
pub(super) fn proxy_memory(description: &Description, figures: &[&Figures]) -> BTreeMap<String, f64> {
    let bytes = figures.first().map(|figures| figures.proxy_memory.as_slice()).unwrap_or_default();
    description.clusters.iter().map(|it| it.name.clone()).zip(bytes.iter().copied()).collect()
}

fn proxy_memory_rows(cells: &Cells<'_>) -> Rows {
    let all = proxy_memory(cells.description, cells.figures).into_iter();
    all.map(|(cluster, bytes)| (Labels::from([(Dimension::Cluster, cluster)]), plain(bytes))).collect()
}

/// A row for each pair of names of a table of tables.
fn pairs<T>(
    table: BTreeMap<String, BTreeMap<String, T>>,
    (outer, inner): (Dimension, Dimension),
    of: impl Fn(T) -> Value,
) -> Rows {
    let mut rows = Vec::new();
    for (one, columns) in table {
        for (other, it) in columns {
            rows.push((Labels::from([(outer, one.clone()), (inner, other)]), of(it)));
        }
    }
    rows
}

fn sent_rows(cells: &Cells<'_>) -> Rows {
    pairs(sent(cells.description, cells.figures), (Dimension::Cluster, Dimension::ToCluster), plain)
}

fn served_rows(cells: &Cells<'_>) -> Rows {
    let shares = served(cells.description, cells.figures, &|count, total| count / total);
    pairs(shares, (Dimension::Service, Dimension::Cluster), plain)
}

fn ready_rows(cells: &Cells<'_>) -> Rows {
    let all = workloads(cells.description, cells.figures);
    pairs(all, (Dimension::Service, Dimension::Cluster), |it| it.ready_pods)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_says_what_it_is() {
        for (index, it) in CATALOGUE.iter().enumerate() {
            assert!(it.sentence.ends_with('.') && it.sentence.len() > 15, "{}: {}", it.name, it.sentence);
            assert!(!it.unit.is_empty(), "{}", it.name);
            assert!(CATALOGUE[..index].iter().all(|other| other.name != it.name), "{} twice", it.name);
        }
    }

    #[test]
    fn latencies_have_short_names() {
        let short: Vec<&str> = latencies().map(Figure::short_name).collect();
        assert_eq!(short, ["mean", "p50", "p90", "p95", "p99"]);
        assert!(short.iter().all(|it| called(it).is_some_and(|it| it.unit == "ms" && it.is_of_requests())));
        assert!(called("failures").is_some() && called("requests.failed").unwrap().why_unbounded().is_some());
    }
}
