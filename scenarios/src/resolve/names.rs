//! What objects of clusters are called in the metrics that are exported.

use super::check::Check;
use crate::schema::spanned::Spanned;
use crate::schema::{Cluster, Scenario};
use meshsim_core::Table;
use meshsim_models::ids::ClusterId;
use meshsim_models::istiod::authorization_policy::GATEWAY_NAMESPACE;

/// What stands for a service in the name of its Deployment.
pub(crate) const SERVICE: &str = "{service}";

/// What objects of a cluster are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNames {
    /// The cluster.
    pub cluster: String,
    /// The Deployment of a service, in which `{service}` stands for that.
    pub workload: String,
    /// The Deployment of the ingress gateways.
    pub ingress: String,
    /// Its namespace.
    pub ingress_namespace: String,
}

impl ClusterNames {
    /// The Deployment of a service.
    #[must_use]
    pub fn workload_of(&self, service: &str) -> String {
        self.workload.replace(SERVICE, service)
    }
}

/// Those of all clusters.
pub(super) fn resolve(check: &mut Check<'_>, scenario: &Scenario) -> Table<ClusterId, ClusterNames> {
    if let Some(namespace) = &scenario.application.namespace {
        check_name(check, "namespace", namespace);
    }
    let all = scenario.clusters.iter().map(|(name, it)| of_cluster(check, name, it.get_ref()));
    all.collect()
}

fn of_cluster(check: &mut Check<'_>, name: &str, cluster: &Cluster) -> ClusterNames {
    let names = &cluster.names;
    let mut text = |key: &str, written: &Option<Spanned<String>>, default: &str| {
        let Some(written) = written else { return default.to_owned() };
        let text = written.get_ref();
        if check_name(check, key, written) && key == "workload" && !text.contains(SERVICE) {
            let help = "write {service} where the service's name is to stand, as in \"{service}-edge\"";
            let message = format!("workload \"{text}\" is the same for all services");
            check.problem(message, written.span(), help);
        }
        text.clone()
    };
    ClusterNames {
        cluster: text("cluster", &names.cluster, name),
        workload: text("workload", &names.workload, SERVICE),
        ingress: text("ingress", &names.ingress, "istio-ingressgateway"),
        ingress_namespace: text("ingress_namespace", &names.ingress_namespace, GATEWAY_NAMESPACE),
    }
}

/// Whether a name can be one, with a service put in: a problem if not.
fn check_name(check: &mut Check<'_>, key: &str, written: &Spanned<String>) -> bool {
    let text = written.get_ref();
    let is_one = is_name(&text.replace(SERVICE, "s"));
    if !is_one {
        let help = "write small letters, digits and `-`, as Kubernetes takes them";
        check.problem(format!("{key} \"{text}\" is no name"), written.span(), help);
    }
    is_one
}

/// Whether Kubernetes takes a text for a name (RFC 1123).
fn is_name(text: &str) -> bool {
    let ends_well = |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    let bytes = text.as_bytes();
    text.len() <= 63
        && ends_well(bytes.first().copied())
        && ends_well(bytes.last().copied())
        && bytes.iter().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(it))
}
