//! The mesh as a whole, and the gateways.

use super::check::{Check, MILLISECOND};
use super::locality;
use super::ranges::{at_least_one, spread};
use crate::schema;
use crate::schema::quantity::Quantity;
use crate::schema::spanned::Spanned;
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::proxy_cost::{ExtraCost, ProxyCost, ProxyMemory};
use meshsim_models::units::Bytes;
use meshsim_models::world::description::{DataPlane, GatewaySettings, MeshSettings};

pub(super) fn resolve(check: &mut Check<'_>, mesh: &schema::Mesh) -> MeshSettings {
    let default = MeshSettings::default();
    let (sidecar, outliers) = (&mesh.sidecar, &mesh.outlier_detection);
    let locality = mesh.locality_lb_setting.as_ref().map(|it| locality::resolve(check, it));
    MeshSettings {
        data_plane: match mesh.data_plane {
            Some(schema::DataPlane::Sidecar) => DataPlane::Sidecar,
            Some(schema::DataPlane::Ambient) => DataPlane::Ambient,
            Some(schema::DataPlane::None) => DataPlane::None,
            None => default.data_plane,
        },
        istio_version: mesh.istio_version.as_ref().map_or(default.istio_version, |v| v.get_ref().0),
        locality: locality.unwrap_or(default.locality),
        connect_timeout: check.duration(
            mesh.connect_timeout.as_ref(),
            "connect_timeout",
            default.connect_timeout,
            MILLISECOND,
        ),
        always_eject_one_host: outliers.always_eject_one_host.or(default.always_eject_one_host),
        enforcing_success_rate: outliers.enforcing_success_rate.unwrap_or(default.enforcing_success_rate),
        enforcing_failure_percentage: outliers
            .enforcing_failure_percentage
            .unwrap_or(default.enforcing_failure_percentage),
        mtls: mesh.mtls.unwrap_or(default.mtls),
        handshake: check.cost(mesh.handshake.as_ref(), "handshake", default.handshake),
        concurrency: match &sidecar.concurrency {
            Some(n) => at_least_one(check, n, "concurrency", 256),
            None => default.concurrency,
        },
        loopback: check.cost(sidecar.loopback.as_ref(), "loopback", default.loopback),
        outbound: proxy_cost(check, &sidecar.outbound, default.outbound),
        inbound: proxy_cost(check, &sidecar.inbound, default.inbound),
        mtls_cost: extra_cost(check, &mesh.mtls_cost, default.mtls_cost),
        telemetry: mesh.telemetry.unwrap_or(default.telemetry),
        telemetry_cost: extra_cost(check, &mesh.telemetry_cost, default.telemetry_cost),
        memory: memory(&mesh.proxy_memory, default.memory),
        ztunnel: proxy_cost(check, &mesh.ztunnel, default.ztunnel),
        waypoint: proxy_cost(check, &mesh.waypoint, default.waypoint),
    }
}

fn extra_cost(check: &mut Check<'_>, cost: &schema::ExtraCost, default: ExtraCost) -> ExtraCost {
    ExtraCost {
        time: check.cost(cost.time.as_ref(), "time", default.time),
        cpu: check.cost(cost.cpu.as_ref(), "cpu", default.cpu),
        cpu_per_kb: check.cost(cost.cpu_per_kb.as_ref(), "cpu_per_kb", default.cpu_per_kb),
    }
}

fn memory(memory: &schema::ProxyMemory, default: ProxyMemory) -> ProxyMemory {
    let bytes = |value: &Option<Spanned<Quantity<Bytes>>>, default: f64| {
        value.as_ref().map_or(default, |bytes| bytes.get_ref().0.0)
    };
    ProxyMemory {
        base: bytes(&memory.base, default.base),
        per_service: bytes(&memory.per_service, default.per_service),
        per_endpoint: bytes(&memory.per_endpoint, default.per_endpoint),
    }
}

pub(super) fn gateway(check: &mut Check<'_>, gateway: &schema::Gateway) -> GatewaySettings {
    let default = GatewaySettings::default();
    GatewaySettings {
        load_balancer: gateway.load_balancer.map(policy).or(default.load_balancer),
        replicas: match &gateway.replicas {
            Some(n) => at_least_one(check, n, "replicas", 1_024),
            None => default.replicas,
        },
        concurrency: match &gateway.concurrency {
            Some(n) => at_least_one(check, n, "concurrency", 256),
            None => default.concurrency,
        },
        cost: proxy_cost(check, &gateway.cost, default.cost),
    }
}

pub(super) fn proxy_cost(check: &mut Check<'_>, cost: &schema::ProxyCost, default: ProxyCost) -> ProxyCost {
    ProxyCost {
        request: check.cost(cost.request.as_ref(), "request", default.request),
        response: check.cost(cost.response.as_ref(), "response", default.response),
        response_per_kb: check.cost(
            cost.response_per_kb.as_ref(),
            "response_per_kb",
            default.response_per_kb,
        ),
        spread: spread(check, cost.spread.as_ref(), default.spread),
        cpu: check.cost(cost.cpu.as_ref(), "cpu", default.cpu),
        cpu_per_kb: check.cost(cost.cpu_per_kb.as_ref(), "cpu_per_kb", default.cpu_per_kb),
    }
}

const fn policy(load_balancer: schema::LoadBalancer) -> Policy {
    match load_balancer {
        schema::LoadBalancer::RoundRobin => Policy::RoundRobin,
        schema::LoadBalancer::LeastRequest => Policy::LeastRequest { choice_count: 2 },
        schema::LoadBalancer::Random => Policy::Random,
    }
}
