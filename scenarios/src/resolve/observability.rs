//! Observability that stands in one cluster.

use super::check::Check;
use super::clusters::Network;
use super::law;
use crate::schema::observability as typed;
use crate::schema::quantity::{NumberOrText, Quantity};
use crate::schema::spanned::Spanned;
use meshsim_core::Id;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::central::CentralObservability;
use meshsim_models::units::Bytes;

/// Fewer would be as many events as requests.
pub(super) const SHORTEST_INTERVAL: u64 = 100_000_000;

/// Where it stands, if the scenario says it.
pub(super) fn resolve(
    check: &mut Check<'_>,
    written: Option<&typed::Observability>,
    network: &Network,
) -> Option<CentralObservability> {
    let fields = written?;
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = check.reference(fields.cluster.get_ref(), fields.cluster.span(), clusters, "cluster")?;
    let default = CentralObservability::new(ClusterId::from_index(cluster));
    let interval = fields.scrape_interval.as_ref();
    let mut size = |written: &Option<Spanned<Quantity<Bytes>>>, key: &str, default: u32| {
        written.as_ref().map_or(default, |it| law::size(check, it, key) as u32)
    };
    let scrape_bytes = size(&fields.scrape_size, "scrape_size", default.scrape_bytes);
    let span_bytes = size(&fields.span_size, "span_size", default.span_bytes);
    Some(CentralObservability {
        scrape_interval: check.duration(
            interval,
            "scrape_interval",
            default.scrape_interval,
            SHORTEST_INTERVAL,
        ),
        scrape_bytes,
        sampling: fields.sampling.as_ref().map_or(default.sampling, |it| sampling(check, it)),
        span_bytes,
        ..default
    })
}

/// A share: a number, or a text in percent.
fn sampling(check: &mut Check<'_>, written: &Spanned<NumberOrText>) -> f64 {
    match written.get_ref().share() {
        Some(share) if (0.0..=1.0).contains(&share) => share,
        _ => {
            let message = format!("a sampling of {} is not a share of the calls", written.get_ref());
            check.problem(message, written.span(), "write sampling = 0.01, or \"1%\"");
            0.0
        }
    }
}
