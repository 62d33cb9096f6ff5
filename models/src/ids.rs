//! Typed indices of the models' tables.

use meshsim_core::{EntityId, id_type};

id_type!(
    /// A cluster; also the kernel's entity of the same number.
    ClusterId
);
id_type!(
    /// A microservice of the application.
    ServiceId
);
id_type!(
    /// An endpoint (an operation) of a service, numbered over all services.
    EndpointId
);
id_type!(
    /// A pod; its number says where it runs, what it runs and which of these it is (`pod_id`).
    PodId
);
id_type!(
    /// A host whose cores the containers on it share.
    HostId
);
id_type!(
    /// An application container, numbered within its process.
    ContainerId
);
id_type!(
    /// A worker process of an application container, numbered within its process: those of a container stand together.
    WorkerId
);
id_type!(
    /// A proxy (ingress gateway or sidecar), numbered within its cluster: gateways first.
    ProxyId
);
id_type!(
    /// A pool of connections from one client to one upstream, numbered within its cluster.
    PoolId
);
id_type!(
    /// The circuit breaker of a proxy for an upstream, numbered within its cluster.
    BreakerId
);
id_type!(
    /// An upstream (Envoy's cluster): a service, numbered as such at the start, or a subset of one. One whose policy
    /// changes in a run is another one from then on.
    UpstreamId
);
id_type!(
    /// The name of a subset: equal names have equal numbers.
    SubsetId
);
id_type!(
    /// A route of a service, numbered over all services and configurations.
    RouteId
);
id_type!(
    /// The configuration of the mesh, all routes and policies, from one change of it to the next: 0 at the start.
    ConfigurationId
);
id_type!(
    /// A population of users.
    PopulationId
);
id_type!(
    /// The name of a region, a zone or a subzone: equal names have equal numbers.
    NameId
);
id_type!(
    /// A queue of callers who give up, numbered within its cluster: that of the cells, then one per population.
    QueueId
);

id_type!(
    /// The calls of one service, or of the users, to another one, numbered over the application.
    FlowId
);

impl ClusterId {
    /// The kernel's entity.
    #[must_use]
    pub const fn entity(self) -> EntityId {
        EntityId(self.0)
    }
}

impl From<EntityId> for ClusterId {
    fn from(entity: EntityId) -> Self {
        Self(entity.0)
    }
}
