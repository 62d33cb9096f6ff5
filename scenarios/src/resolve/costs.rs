//! What clusters, nodes and links cost.

use super::check::Check;
use super::ranges::bounded;
use crate::schema::costs::{Basis as WrittenBasis, ClusterPrices, Hourly, Power};
use crate::schema::spanned::Spanned;
use crate::schema::{Cluster, Scenario};
use meshsim_core::SimDuration;
use meshsim_models::cost::carbon::CarbonIntensity;
use meshsim_models::cost::power::PowerCurve;
use meshsim_models::cost::{Basis, ClusterCost, CostSettings, LinkCost, Prices};
use meshsim_models::world::description::LinkSpec;

/// The largest price, power or intensity.
const MOST: f64 = 1e6;

/// Nothing where nothing is said.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    links: &[LinkSpec],
    begins: SimDuration,
) -> Option<CostSettings> {
    let clusters = scenario.clusters.iter().map(|(name, it)| cluster(check, name, it.get_ref())).collect();
    let mut link = |spec: &LinkSpec| {
        let written = scenario.links[&spec.name].get_ref();
        let energy = written.energy_per_gb.as_ref();
        LinkCost {
            energy_per_gb: energy.map(|it| amount(check, Some(it), "an energy per GB (Wh)")),
            carbon: written.carbon_intensity.as_ref().and_then(|it| carbon(check, it)),
        }
    };
    let links: Vec<LinkCost> = links.iter().map(&mut link).collect();
    let settings = CostSettings { clusters, links, begins };
    let of_clusters =
        settings.clusters.iter().any(|it| it.prices.is_some() || it.power.is_some() || it.carbon.is_some());
    let of_links = settings.links.iter().any(|it| it.energy_per_gb.is_some() || it.carbon.is_some());
    (of_clusters || of_links).then_some(settings)
}

fn cluster(check: &mut Check<'_>, name: &str, written: &Cluster) -> ClusterCost {
    let power = power(check, name, written);
    let carbon = written.carbon_intensity.as_ref().and_then(|it| {
        if power.is_none() {
            let help = format!("write power = {{ idle = 60, full = 180 }} at every node of `{name}`");
            check.problem("electricity with carbon, and no power", it.span(), help);
        }
        carbon(check, it)
    });
    ClusterCost { prices: written.prices.as_ref().map(|it| prices(check, it)), power, carbon }
}

fn prices(check: &mut Check<'_>, written: &ClusterPrices) -> Prices {
    Prices {
        core_hour: amount(check, written.core_hour.as_ref(), "a price"),
        gib_hour: amount(check, written.gib_hour.as_ref(), "a price"),
        egress_gb: amount(check, written.egress_gb.as_ref(), "a price"),
        ingress_gb: amount(check, written.ingress_gb.as_ref(), "a price"),
        basis: match written.basis {
            Some(WrittenBasis::Used) => Basis::Used,
            Some(WrittenBasis::Requested) | None => Basis::Requested,
        },
    }
}

/// Of all nodes of a cluster, or of none.
fn power(check: &mut Check<'_>, name: &str, written: &Cluster) -> Option<Vec<PowerCurve>> {
    let nodes = written.nodes.get_ref();
    let first = nodes.iter().find_map(|it| it.power.as_ref())?;
    if nodes.iter().any(|it| it.power.is_none()) {
        let message = format!("not all nodes of cluster `{name}` have a power");
        check.problem(message, first.span(), "write one at each of them, or take this one out");
        return None;
    }
    if let Some(shared) = nodes.iter().find_map(|it| it.host.as_ref()) {
        let message =
            format!("a node of cluster `{name}` has a power and shares the machine `{}`", shared.get_ref());
        check.problem(message, first.span(), "give the node cores of its own, or take the power out");
        return None;
    }
    nodes.iter().filter_map(|it| it.power.as_ref()).map(|it| curve(check, it)).collect()
}

fn curve(check: &mut Check<'_>, written: &Spanned<Power>) -> Option<PowerCurve> {
    let fields = written.get_ref();
    let help = "write { idle = 60, full = 180 }, or { points = [60, 95, 120] }";
    match (&fields.points, &fields.idle, &fields.full) {
        (None, Some(idle), Some(full)) => {
            let [idle, full] = [idle, full].map(|it| amount(check, Some(it), "a power (W)"));
            Some(PowerCurve::linear(idle, full))
        }
        (Some(points), None, None) => {
            let watts = points.get_ref();
            if !(2..=101).contains(&watts.len()) || !watts.iter().all(|it| (0.0..=MOST).contains(it)) {
                check.problem(
                    "these are no powers at loads",
                    points.span(),
                    format!("{help}: 2 to 101 of 0 to {MOST}"),
                );
                return None;
            }
            PowerCurve::through(watts.clone())
        }
        _ => {
            check.problem("a power has either idle and full or points", written.span(), help);
            None
        }
    }
}

fn carbon(check: &mut Check<'_>, written: &Spanned<Hourly>) -> Option<CarbonIntensity> {
    let (values, intensity) = match written.get_ref() {
        Hourly::Constant(grams) => (std::slice::from_ref(grams), Some(CarbonIntensity::Constant(*grams))),
        Hourly::ByHour(hours) => {
            (&hours[..], Box::try_from(hours.clone().into_boxed_slice()).ok().map(CarbonIntensity::ByHour))
        }
    };
    let is_valid = values.iter().all(|it| (0.0..=MOST).contains(it));
    let intensity = intensity.filter(|_| is_valid);
    if intensity.is_none() {
        let help = format!("write 300, or 24 of them from midnight on: g per kWh, 0 to {MOST}");
        check.problem("this is no carbon intensity", written.span(), help);
    }
    intensity
}

fn amount(check: &mut Check<'_>, written: Option<&Spanned<f64>>, what: &str) -> f64 {
    bounded(check, written, what, 0.0, 0.0, MOST)
}
