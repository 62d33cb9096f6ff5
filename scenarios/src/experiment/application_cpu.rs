//! What the pods of each application take of the CPU, where there are several.
//!
//! # Models
//! What the pods of its services used between the cut and the end, their sidecars too, whoever asked them for it: a tenant
//! whose services those of another one call pays for that. Proxies that several share, as gateways, waypoints and ztunnels,
//! are nobody's.

use meshsim_core::Table;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::telemetry::pod_cpu::PodCpu;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// CPU time of an application's pods per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApplicationCpu {
    /// Of the pods, with their sidecars.
    pub pods: f64,
    /// Of the sidecars.
    pub sidecars: f64,
}

/// Whether applications are told apart.
pub(super) const fn has_several(description: &Description) -> bool {
    description.application.tenants.len() > 1
}

/// Of each application, in the order of the tenants; nothing where there is one. `before` is what pods had used `seconds`
/// before the end.
pub(super) fn per_application(
    description: &Description,
    record: &Record,
    before: &Table<ClusterId, Vec<PodCpu>>,
    seconds: f64,
) -> Vec<ApplicationCpu> {
    if !has_several(description) {
        return Vec::new();
    }
    let application = &description.application;
    let mut all = vec![ApplicationCpu::default(); application.tenants.len()];
    for (cluster, deployments) in record.deployments.enumerate() {
        // Several Deployments of a service have the slots of the service.
        let slots: BTreeMap<ServiceId, &Vec<u32>> = deployments
            .iter()
            .map(|(number, slots)| (description.deployments[*number].service, slots))
            .collect();
        for (service, slots) in slots {
            let tenant = &mut all[usize::from(application.services[service].tenant)];
            for slot in slots.iter().map(|&slot| slot as usize) {
                let used = record.pod_cpu[cluster][slot];
                // Who had no slot then had used nothing.
                let earlier = before[cluster].get(slot).copied().unwrap_or_default();
                let sidecar = used.sidecar - earlier.sidecar;
                tenant.sidecars += sidecar / seconds;
                tenant.pods += (used.application - earlier.application + sidecar) / seconds;
            }
        }
    }
    all
}
