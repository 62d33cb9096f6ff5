//! What was decided in a run, by whom, by which rule, and when: a list that somebody may ask for.
//!
//! # Models
//! Whoever decides says what it has done; a fault is listed as it begins and ends. A decision has the time at which
//! it was made, and, where something led to it that was there before, the time of that.

use crate::cluster::news::News;
use crate::envoy::outlier_detection::EjectionType;
use crate::envoy::proxies::ProxyKind;
use crate::faults::link::LinkFault;
use crate::faults::outage::Outage;
use crate::faults::pod::PodFault;
use crate::ids::{ClusterId, ConfigurationId, PodId, PopulationId};
use crate::istiod::push_kind::PushKind;
use crate::kubernetes::node_lifecycle::NodeTaint;
use crate::kubernetes::zone_state::ZoneState;
use crate::offloading::controller::ControllerState;
use crate::users::population::Move;
use meshsim_core::SimTime;
use serde::{Deserialize, Serialize};

/// Something that was decided, or that happened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was acted.
    pub at: SimTime,
    /// In which cluster.
    pub cluster: ClusterId,
    /// When what led to it was first noticed; absent: at once.
    pub noticed: Option<SimTime>,
    /// What it is.
    pub what: What,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A fault of pods begins, or ends.
    PodFault(PodFault, Edge),
    /// A fault of a link begins, or ends.
    LinkFault(LinkFault, Edge),
    /// A component fails, or is back.
    Outage(Outage, Edge),
    /// Users move.
    UsersMove(PopulationId, Move),
    /// A node is not heard of.
    NodeUnknown(u32),
    /// A kubelet is heard of again.
    NodeReady(u32),
    /// A virtual kubelet says that its node is not ready.
    NodeNotReady(u32),
    /// A node gets a taint NoExecute.
    NodeTainted(u32, NodeTaint),
    /// A node loses it.
    NodeUntainted(u32),
    /// Nodes of a zone are tainted at another rate.
    ZoneChanged(u32, ZoneState),
    /// A pod is marked as ready or not because of its node.
    PodMarked(PodId, bool),
    /// An offloaded pod is marked as ready or not because of the node that stands for its provider.
    OffloadedPodMarked(PodId, bool),
    /// The tunnel to a peer is believed to be up, or not.
    TunnelChecked(ClusterId, bool),
    /// The API server of a peer is believed to answer, or not.
    ApiServerChecked(ClusterId, bool),
    /// The endpoints that a consumer reflects here count, or not.
    ReflectionCounts(ClusterId, bool),
    /// A pod is evicted because of a taint.
    PodEvicted(PodId),
    /// A node is to be drained.
    NodeCordoned(u32),
    /// A pod is evicted because its node is drained.
    PodDrained(PodId),
    /// A node takes pods again.
    NodeUncordoned(u32),
    /// An EndpointSlice says something else of an endpoint: that it is there and ready, or not.
    Endpoint(PodId, bool),
    /// The mesh's configuration has changed.
    Configuration(ConfigurationId),
    /// istiod prepares a push of so many changes, of which this is the first.
    PushBegins(PushKind, u32, News),
    /// The last proxy has got it.
    PushEnds(PushKind, u32),
    /// Proxies connect to an istiod that is back, so many.
    ProxiesConnect(u32),
    /// A proxy's certificate ends.
    CertificateEnds(ProxyKind),
    /// It has a new one.
    CertificateIsNew(ProxyKind),
    /// A proxy ejects a host.
    Ejected(ProxyKind, PodId, EjectionType),
    /// The offloading controller of an edge goes over to something else.
    OffloadingState(ClusterId, ControllerState),
    /// A proxy takes an ejected host back.
    Returned(ProxyKind, PodId),
    /// Prometheus, which stands elsewhere, can scrape a cluster again, or no longer.
    Scraped(bool),
}

/// One side of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edge {
    /// It begins.
    Begins,
    /// It ends.
    Ends,
}

impl What {
    /// Who decided.
    #[must_use]
    pub const fn who(&self) -> &'static str {
        match self {
            Self::PodFault(..) | Self::LinkFault(..) | Self::Outage(..) => "fault",
            Self::UsersMove(..) => "users",
            Self::NodeUnknown(_)
            | Self::NodeTainted(..)
            | Self::NodeUntainted(_)
            | Self::ZoneChanged(..)
            | Self::PodMarked(_, false) => "node lifecycle controller",
            Self::PodMarked(_, true) | Self::NodeReady(_) => "kubelet",
            Self::NodeNotReady(_) => "virtual kubelet",
            Self::OffloadedPodMarked(..) | Self::ReflectionCounts(..) | Self::ApiServerChecked(..) => {
                "Liqo's controller manager"
            }
            Self::TunnelChecked(..) => "Liqo's gateway",
            Self::PodEvicted(_) => "taint eviction controller",
            Self::NodeCordoned(_) | Self::PodDrained(_) | Self::NodeUncordoned(_) => "operator",
            Self::Endpoint(..) => "EndpointSlice controller",
            Self::Configuration(_) => "API server",
            Self::PushBegins(..) | Self::PushEnds(..) => "istiod",
            Self::OffloadingState(..) => "offloading controller",
            Self::CertificateEnds(_) | Self::CertificateIsNew(_) => "istio-agent",
            Self::ProxiesConnect(_) | Self::Ejected(..) | Self::Returned(..) => "proxy",
            Self::Scraped(_) => "Prometheus",
        }
    }

    /// By which rule, as the real system calls it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::PodFault(..) | Self::LinkFault(..) | Self::Outage(..) => "scenario",
            Self::UsersMove(..) => "moves, on_ingress_loss",
            Self::NodeUnknown(_) => "node-monitor-grace-period",
            Self::NodeReady(_) => "nodeStatusUpdateFrequency",
            Self::NodeNotReady(_) => "node condition Ready",
            Self::OffloadedPodMarked(..) => "offloaded pods of a node that is not ready",
            Self::TunnelChecked(..) => "connection check, ping loss threshold",
            Self::ApiServerChecked(..) => "foreign-cluster-ping-interval, -timeout",
            Self::ReflectionCounts(..) => "endpoint reflection",
            Self::NodeTainted(..) => "NoExecute taint, node-eviction-rate",
            Self::NodeUntainted(_) => "NoExecute taint",
            Self::ZoneChanged(..) => "unhealthy-zone-threshold",
            Self::PodMarked(..) => "MarkPodsNotReady",
            Self::PodEvicted(_) => "tolerationSeconds",
            Self::NodeCordoned(_) | Self::PodDrained(_) => "kubectl drain",
            Self::NodeUncordoned(_) => "kubectl uncordon",
            Self::Endpoint(..) => "endpoint conditions",
            Self::Configuration(_) => "watch",
            Self::PushBegins(..) => "debounce",
            Self::PushEnds(..) => "push queue",
            Self::ProxiesConnect(_) => "xDS reconnect, PILOT_MAX_REQUESTS_PER_SECOND",
            Self::OffloadingState(..) => "sync-period, stabilization-window",
            Self::CertificateEnds(_) | Self::CertificateIsNew(_) => "SECRET_TTL, SECRET_GRACE_PERIOD_RATIO",
            Self::Ejected(_, _, why) => why.name(),
            Self::Returned(..) => "base_ejection_time",
            Self::Scraped(_) => "scrape_interval",
        }
    }
}
