//! What a provider grants when a consumer asks for resources (a ResourceSlice).
//!
//! # Models
//! The built-in class grants whatever is asked, and the provider's defaults of what is not named. Nobody compares that with
//! what the provider has: two consumers may each be granted all of it. Other classes are decided by somebody else.
//! A cordoned consumer gets no new slice and keeps those that it has; a drained one keeps none.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/liqo-controller-manager/authentication/remoteresourceslice-controller`,
//! `handleResourcesStatus`; `deployments/liqo/values.yaml`, `offloading.defaultNodeResources`.

use crate::kubernetes::scheduler::resources::{Resource, ResourceList};

/// What a provider thinks of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// It may have more.
    Active,
    /// It may keep what it has.
    Cordoned,
    /// It may have nothing.
    Drained,
}

/// Who decides about a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Liqo itself.
    BuiltIn,
    /// A controller of the provider's own.
    Other,
}

/// What has been decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is granted.
    Accepted,
    /// It is not.
    Denied,
}

/// What a provider grants if nobody says otherwise: 4 cores, 8 GiB, 110 pods, 20 GiB of local disk.
#[must_use]
pub fn default_resources() -> ResourceList {
    let mut resources = ResourceList::new(4_000, 8 << 30);
    resources.set(Resource::PODS, 110);
    resources.set(Resource::EPHEMERAL_STORAGE, 20 << 30);
    resources
}

/// What becomes of a slice; `before` is what was decided last, absent: nothing. Absent: nobody has decided.
#[must_use]
pub fn decide(
    class: Class,
    built_in_is_enabled: bool,
    tenant: Tenant,
    before: Option<Condition>,
) -> Option<Condition> {
    match tenant {
        Tenant::Active if class == Class::Other => before,
        Tenant::Active if built_in_is_enabled => Some(Condition::Accepted),
        Tenant::Cordoned if before.is_some() => before,
        Tenant::Active | Tenant::Cordoned | Tenant::Drained => Some(Condition::Denied),
    }
}

/// What is granted of the built-in class.
#[must_use]
pub fn granted(defaults: &ResourceList, requested: &ResourceList) -> ResourceList {
    let mut granted = defaults.clone();
    for (resource, amount) in requested.iter() {
        granted.set(resource, amount);
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_is_granted_and_the_rest_by_default() {
        let mut asked = ResourceList::default();
        asked.set(Resource::CPU, 1_000_000);
        asked.set(Resource::extended(0), 2);
        let granted = granted(&default_resources(), &asked);
        let amounts = [Resource::CPU, Resource::MEMORY, Resource::PODS, Resource::extended(0)]
            .map(|it| granted.amount(it));
        assert_eq!(amounts, [1_000_000, 8 << 30, 110, 2]);
    }

    #[test]
    fn a_cordoned_consumer_keeps_what_it_has_and_a_drained_one_nothing() {
        let accepted = Some(Condition::Accepted);
        let tenants = [Tenant::Active, Tenant::Cordoned, Tenant::Drained];
        let of = |class, before| tenants.map(|tenant| decide(class, true, tenant, before));
        let denied = Some(Condition::Denied);
        assert_eq!(of(Class::BuiltIn, None), [accepted, denied, denied]);
        assert_eq!(of(Class::BuiltIn, accepted), [accepted, accepted, denied]);
        assert_eq!(of(Class::Other, None), [None, denied, denied]);
        assert_eq!(decide(Class::BuiltIn, false, Tenant::Active, None), denied);
        assert_eq!(decide(Class::Other, false, Tenant::Active, None), None);
    }
}
