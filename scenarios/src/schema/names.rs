//! What objects of a cluster are called, as it is typed.

use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// What objects of a cluster are called in the metrics that are exported.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The cluster, as in `source_cluster`.
    ///
    /// Default: its name here. Source: Istio's clusterName.
    pub cluster: Option<Spanned<String>>,
    /// A service's Deployment, in which `{service}` stands for the service.
    ///
    /// Default: {service}.
    pub workload: Option<Spanned<String>>,
    /// The Deployment of the ingress gateways.
    ///
    /// Default: istio-ingressgateway. Source: Istio's chart.
    pub ingress: Option<Spanned<String>>,
    /// The namespace of the ingress gateways.
    ///
    /// Default: istio-system. Source: Istio's chart.
    pub ingress_namespace: Option<Spanned<String>>,
}
