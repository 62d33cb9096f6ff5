//! Who speaks mTLS with whom, and whose requests are refused: resolved once, for every caller and endpoint.
//!
//! # Models
//! The pods of a service have sidecars unless it, or its namespace, is left out of the injection, or it is outside the
//! clusters. Two sidecars, or a gateway and one, speak mTLS with each other unless the server's PeerAuthentication
//! disables it (`istiod/peer_authentication`); all others speak plain text, which a STRICT server resets. What a caller may
//! ask for is what `istiod/authorization_policy` says of its certificate.
//!
//! # Source
//! Istio, "Automatic mutual TLS"; the rules are cited where they are kept.

use super::description::{DataPlane, Description};
use crate::application::call_graph::{Endpoint, Protocol};
use crate::envoy::route::split_path;
use crate::ids::{EndpointId, ServiceId};
use crate::istiod::authorization_policy::{
    Asked, GATEWAY_NAMESPACE, GATEWAY_PRINCIPAL, Identity, allows, principal_of,
};
use crate::istiod::peer_authentication::{MutualTls, mode_of};
use meshsim_core::{Id, Table};

/// Who has a sidecar, who speaks mTLS, and what is refused.
#[derive(Debug)]
pub struct Access {
    /// By service: whether its pods have sidecars.
    injected: Table<ServiceId, bool>,
    /// By service: whether connections to it have mTLS, if they come from a proxy.
    encrypted: Table<ServiceId, bool>,
    /// By service: whether its sidecars reset plain text.
    strict: Table<ServiceId, bool>,
    /// Whether proxies ever send or take plain text in a mesh that encrypts.
    some_is_plain: bool,
    /// Whether anything is ever refused where it comes in.
    guards: bool,
    /// By caller, the users last, and endpoint: whether policies allow it; empty if there are none.
    allowed: Vec<bool>,
    endpoints: usize,
}

impl Access {
    /// As a world is described.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let services = &description.services;
        let plane = description.mesh.data_plane;
        let injected: Table<ServiceId, bool> = services.ids().map(|id| description.is_injected(id)).collect();
        let mode = |id: ServiceId| {
            let (policies, front) = (&description.peer_authentications, description.front_of(id));
            mode_of(policies, description.namespace_of(id), id, front)
        };
        // No proxy takes datagrams.
        let stands_before = |id: ServiceId| injected[id] && services[id].protocol != Protocol::Udp;
        let is_sent_plainly = |id: ServiceId| !description.mesh.mtls || services[id].plain_text;
        let is_encrypted =
            |id: ServiceId| stands_before(id) && !is_sent_plainly(id) && mode(id) != MutualTls::Disable;
        let encrypted: Table<ServiceId, bool> = services.ids().map(is_encrypted).collect();
        let is_strict = |id: ServiceId| stands_before(id) && mode(id) == MutualTls::Strict;
        let strict: Table<ServiceId, bool> = services.ids().map(is_strict).collect();
        let speaks_plainly = services.ids().any(|id| !injected[id] || is_sent_plainly(id));
        let resets = speaks_plainly && strict.iter().any(|it| *it);
        let speaks_by_proxies = |id: ServiceId| services[id].protocol != Protocol::Udp;
        let some_is_plain = plane == DataPlane::Sidecar
            && description.mesh.mtls
            && services.ids().any(|id| !injected[id] || (speaks_by_proxies(id) && !encrypted[id]));
        let mut access = Self {
            injected,
            encrypted,
            strict,
            some_is_plain,
            guards: false,
            allowed: Vec::new(),
            endpoints: description.application.endpoints.len(),
        };
        if plane != DataPlane::None && !description.authorization_policies.is_empty() {
            let mut waypoints: Table<ServiceId, bool> = services.iter().map(|_| false).collect();
            description.waypoints().for_each(|it| waypoints[it] = true);
            let callers = services.ids().map(Some).chain([None]);
            access.allowed =
                callers.flat_map(|caller| access.decisions(description, &waypoints, caller)).collect();
        }
        let denies = access.allowed.iter().any(|it| !it);
        if !denies {
            access.allowed.clear();
        }
        access.guards = resets || (denies && plane == DataPlane::Ambient);
        access
    }

    /// What a caller may ask for, by endpoint.
    fn decisions(
        &self,
        description: &Description,
        waypoints: &Table<ServiceId, bool>,
        caller: Option<ServiceId>,
    ) -> Vec<bool> {
        let is_ambient = description.mesh.data_plane == DataPlane::Ambient;
        let name = |id: ServiceId| {
            let front = description.front_of(id);
            principal_of(description.namespace_of(front), &description.application.services[front].name)
        };
        let principal = caller.map_or_else(|| GATEWAY_PRINCIPAL.to_owned(), name);
        let namespace = caller.map_or(GATEWAY_NAMESPACE, |id| description.namespace_of(id));
        let application = &description.application;
        let decide = |(_, endpoint): (EndpointId, &Endpoint)| {
            let service = endpoint.service;
            let settings = &description.services[service];
            let is_guarded = if is_ambient { !settings.external } else { self.injected[service] };
            if !is_guarded || settings.protocol == Protocol::Udp {
                return true;
            }
            let front = description.front_of(service);
            let policies = description.authorization_policies.iter();
            let policies =
                policies.filter(|it| it.selects(description.namespace_of(service), service, front));
            let is_known = is_ambient || self.is_encrypted(caller, service);
            let from = match is_known {
                true => Identity { principal: Some(&principal), namespace: Some(namespace) },
                false => Identity::default(),
            };
            let sees_requests =
                if is_ambient { waypoints[front] } else { settings.protocol != Protocol::Tcp };
            let (path, _) = split_path(&endpoint.path);
            allows(&policies, from, sees_requests.then_some(Asked { method: &endpoint.method, path }))
        };
        application.endpoints.enumerate().map(decide).collect()
    }

    /// Whether the pods of a service have sidecars.
    #[must_use]
    #[inline]
    pub fn is_injected(&self, service: ServiceId) -> bool {
        self.injected[service]
    }

    /// Whether proxies speak mTLS to the pods of a service, in a mesh of sidecars.
    #[must_use]
    #[inline]
    pub fn has_mtls(&self, service: ServiceId) -> bool {
        self.encrypted[service]
    }

    /// Whether proxies ever send or take plain text in a mesh of sidecars that encrypts.
    #[must_use]
    #[inline]
    pub const fn some_is_plain(&self) -> bool {
        self.some_is_plain
    }

    /// Whether what a service, or a gateway, sends to the pods of another one has mTLS.
    #[must_use]
    pub fn is_encrypted(&self, caller: Option<ServiceId>, called: ServiceId) -> bool {
        self.encrypted[called] && caller.is_none_or(|caller| self.injected[caller])
    }

    /// Whether anything is ever refused where connections come in.
    #[must_use]
    #[inline]
    pub const fn guards(&self) -> bool {
        self.guards
    }

    /// Whether a server's sidecar resets what this caller sends, because it is plain text.
    #[must_use]
    pub fn resets(&self, caller: Option<ServiceId>, called: ServiceId) -> bool {
        self.strict[called] && !self.is_encrypted(caller, called)
    }

    /// Whether policies ever deny a request.
    #[must_use]
    #[inline]
    pub const fn denies(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Whether policies allow a caller's request.
    #[must_use]
    pub fn allows(&self, caller: Option<ServiceId>, endpoint: EndpointId) -> bool {
        let callers = self.allowed.len() / self.endpoints.max(1);
        let row = caller.map_or(callers.saturating_sub(1), Id::index) * self.endpoints;
        self.allowed.get(row + endpoint.index()).is_none_or(|allowed| *allowed)
    }
}
