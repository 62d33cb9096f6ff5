//! What pods request and nodes have.
//!
//! # Models
//! A pod requests what its containers request together. For scores that ask how full a node is, a
//! container that says nothing of CPU or memory counts as 100m and 200 MiB; one that says 0 counts
//! as 0. A node adds up both over its pods.
//!
//! # Assumptions
//! No init containers, no pod overhead, no resources of the whole pod.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/util/pod_resources.go`, `pkg/scheduler/framework/types.go`
//! (`Requested`, `NonZeroRequested`), `plugins/noderesources/resource_allocation.go`.

/// CPU that a container counts as if it does not say (thousandths of a core).
pub const DEFAULT_MILLI_CPU_REQUEST: u64 = 100;
/// Memory that a container counts as if it does not say (bytes).
pub const DEFAULT_MEMORY_REQUEST: u64 = 200 * 1024 * 1024;

/// A resource: CPU (thousandths of a core), memory and local disk (bytes), pods, or an extended one
/// (pieces), which the caller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource(usize);

/// Amounts of resources, each of which may be unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceList(Vec<Option<u64>>);

/// What a pod requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRequests {
    /// As its containers say.
    pub requested: ResourceList,
    /// The same with the defaults for CPU and memory.
    pub non_zero: ResourceList,
}

/// What a node has, and what its pods request of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeResources {
    /// What pods may request together.
    pub allocatable: ResourceList,
    /// How many pods it may have.
    pub allowed_pods: u64,
    pods: u64,
    requested: PodRequests,
}

/// A resource that a score looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightedResource {
    /// Which.
    pub resource: Resource,
    /// How much it counts.
    pub weight: u64,
}

/// Whose requests a score adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// As containers say.
    AsSaid,
    /// With defaults for CPU and memory.
    NonZero,
}

/// What a node has of a resource, and what would be requested of it with the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// What it has; not 0.
    pub allocatable: u64,
    /// What would be requested.
    pub requested: u64,
}

/// CPU and memory, both of weight 1: what the default scores look at.
pub const DEFAULT_RESOURCES: [WeightedResource; 2] = [
    WeightedResource { resource: Resource::CPU, weight: 1 },
    WeightedResource { resource: Resource::MEMORY, weight: 1 },
];

impl Resource {
    /// Thousandths of a core.
    pub const CPU: Self = Self(0);
    /// Bytes.
    pub const MEMORY: Self = Self(1);
    /// Bytes.
    pub const EPHEMERAL_STORAGE: Self = Self(2);
    /// Pieces.
    pub const PODS: Self = Self(3);

    /// The n-th extended resource, from 0.
    #[must_use]
    pub const fn extended(n: usize) -> Self {
        Self(4 + n)
    }

    /// Whether it is one.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        self.0 > Self::PODS.0
    }
}

impl ResourceList {
    /// So much CPU (thousandths of a core) and memory (bytes).
    #[must_use]
    pub fn new(milli_cpu: u64, memory: u64) -> Self {
        Self(vec![Some(milli_cpu), Some(memory)])
    }

    /// How much of a resource, if it is set.
    #[must_use]
    pub fn get(&self, resource: Resource) -> Option<u64> {
        self.0.get(resource.0).copied().flatten()
    }

    /// How much of a resource; 0 if it is not set.
    #[must_use]
    pub fn amount(&self, resource: Resource) -> u64 {
        self.get(resource).unwrap_or(0)
    }

    /// Sets how much of a resource.
    pub fn set(&mut self, resource: Resource, amount: u64) {
        if self.0.len() <= resource.0 {
            self.0.resize(resource.0 + 1, None);
        }
        self.0[resource.0] = Some(amount);
    }

    /// The resources that are set, with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, u64)> {
        let set = |(n, amount): (usize, &Option<u64>)| amount.map(|amount| (Resource(n), amount));
        self.0.iter().enumerate().filter_map(set)
    }

    fn add(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.set(resource, self.amount(resource) + amount);
        }
    }

    fn remove(&mut self, other: &Self) {
        for (resource, amount) in other.iter() {
            self.set(resource, self.amount(resource) - amount);
        }
    }
}

impl PodRequests {
    /// Those of a pod with these containers.
    #[must_use]
    pub fn of<'a>(containers: impl IntoIterator<Item = &'a ResourceList>) -> Self {
        let mut pod = Self::default();
        let defaults =
            [(Resource::CPU, DEFAULT_MILLI_CPU_REQUEST), (Resource::MEMORY, DEFAULT_MEMORY_REQUEST)];
        for container in containers {
            pod.requested.add(container);
            pod.non_zero.add(container);
            for (resource, default) in defaults {
                if container.get(resource).is_none() {
                    pod.non_zero.set(resource, pod.non_zero.amount(resource) + default);
                }
            }
        }
        pod
    }

    /// By one way of adding up.
    #[must_use]
    pub const fn by(&self, requests: Requests) -> &ResourceList {
        match requests {
            Requests::AsSaid => &self.requested,
            Requests::NonZero => &self.non_zero,
        }
    }
}

impl NodeResources {
    /// A node without pods; Kubernetes' default for `allowed_pods` is 110.
    #[must_use]
    pub fn new(allocatable: ResourceList, allowed_pods: u64) -> Self {
        Self { allocatable, allowed_pods, pods: 0, requested: PodRequests::default() }
    }

    /// A pod is bound to it.
    pub fn add(&mut self, pod: &PodRequests) {
        self.pods += 1;
        self.requested.requested.add(&pod.requested);
        self.requested.non_zero.add(&pod.non_zero);
    }

    /// A pod of it ended.
    pub fn remove(&mut self, pod: &PodRequests) {
        self.pods -= 1;
        self.requested.requested.remove(&pod.requested);
        self.requested.non_zero.remove(&pod.non_zero);
    }

    /// Pods that are bound to it.
    #[must_use]
    pub const fn pods(&self) -> u64 {
        self.pods
    }

    /// What they request.
    #[must_use]
    pub const fn requested(&self) -> &PodRequests {
        &self.requested
    }

    /// What a score sees of a resource with the pod on the node: nothing if the node has none of it,
    /// or if it is an extended one that the pod does not ask for.
    #[must_use]
    pub fn with(&self, pod: &PodRequests, resource: Resource, requests: Requests) -> Option<Allocation> {
        let asked = pod.by(requests).amount(resource);
        if asked == 0 && resource.is_extended() {
            return None;
        }
        let allocatable = self.allocatable.get(resource).filter(|amount| *amount > 0)?;
        Some(Allocation { allocatable, requested: self.requested.by(requests).amount(resource) + asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_does_not_say_has_a_default_but_zero_is_said() {
        let mut cpu_only = ResourceList::default();
        cpu_only.set(Resource::CPU, 500);
        let pod = PodRequests::of([&cpu_only, &ResourceList::default(), &ResourceList::new(0, 0)]);
        assert_eq!(pod.requested.amount(Resource::CPU), 500);
        assert_eq!(pod.requested.amount(Resource::MEMORY), 0);
        assert_eq!(pod.non_zero.amount(Resource::CPU), 600);
        assert_eq!(pod.non_zero.amount(Resource::MEMORY), 2 * DEFAULT_MEMORY_REQUEST);
    }

    #[test]
    fn a_node_gives_back_what_a_pod_took() {
        let pod = PodRequests::of([&ResourceList::new(250, 1_000)]);
        let mut node = NodeResources::new(ResourceList::new(1_000, 4_000), 110);
        node.add(&pod);
        node.add(&pod);
        node.remove(&pod);
        assert_eq!((node.pods(), node.requested()), (1, &pod));
    }
}
