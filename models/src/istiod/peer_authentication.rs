//! Istio's PeerAuthentication: whether a server's sidecar takes plain text.
//!
//! # Models
//! STRICT takes connections with mTLS alone: whoever speaks plain text is reset, for no filter chain of the listener
//! matches it. PERMISSIVE, the default, takes both; DISABLE takes plain text alone, and istiod tells clients so, whose
//! sidecars then send plain text (auto mTLS), as they do to pods without a sidecar.
//! A policy for workloads of a namespace stands before that of their namespace, which stands before the mesh's; one
//! that says nothing (UNSET) leaves it to the next. A mode for a port stands before that of its policy. Of several for
//! the same the first holds, which is the oldest.
//!
//! # Assumptions
//! - Services listen on one port, [`PORT`].
//! - Plain text is as long on the wire as what is encrypted: TLS records are 22 bytes of 16 kB. What it saves is the handshake
//!   and what encryption adds to the passes of both proxies (`mesh.mtls_cost`), which is little: on kept connections mTLS was
//!   measured at 0.08 ms at most for the two together (Envoy 1.40, 1 kB).
//!
//! # Source
//! Istio, PeerAuthentication; `pilot/pkg/security/authn/policy_applier.go`, `ComposePeerAuthentication`;
//! `networking/core/cluster_tls.go` (auto mTLS).

use super::selector::names;
use crate::ids::ServiceId;

/// Where all pods listen.
pub const PORT: u16 = 8080;

/// What a server takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MutualTls {
    /// mTLS alone.
    Strict,
    /// mTLS and plain text.
    #[default]
    Permissive,
    /// Plain text alone.
    Disable,
}

/// A PeerAuthentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerAuthentication {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    pub namespace: Option<String>,
    /// The services whose pods it selects; none: all.
    pub services: Vec<ServiceId>,
    /// `mtls.mode`; absent: UNSET.
    pub mode: Option<MutualTls>,
    /// `portLevelMtls` of [`PORT`].
    pub mode_of_port: Option<MutualTls>,
}

/// What holds for the pods of a service in a namespace, which stand behind `front`.
#[must_use]
pub fn mode_of(
    policies: &[PeerAuthentication],
    namespace: &str,
    service: ServiceId,
    front: ServiceId,
) -> MutualTls {
    let selects = |it: &PeerAuthentication| names(&it.services, service, front);
    let is_here = |it: &PeerAuthentication| it.namespace.as_deref() == Some(namespace);
    let of_workload = policies.iter().find(|it| selects(it) && is_here(it));
    let of_namespace = policies.iter().find(|it| it.services.is_empty() && is_here(it));
    let of_mesh = policies.iter().find(|it| it.services.is_empty() && it.namespace.is_none());
    of_workload
        .and_then(|it| it.mode_of_port)
        .or_else(|| [of_workload, of_namespace, of_mesh].into_iter().flatten().find_map(|it| it.mode))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CART: ServiceId = ServiceId(1);

    fn policy(
        namespace: Option<&str>,
        services: &[ServiceId],
        mode: Option<MutualTls>,
    ) -> PeerAuthentication {
        PeerAuthentication {
            namespace: namespace.map(ToOwned::to_owned),
            services: services.to_vec(),
            mode,
            mode_of_port: None,
        }
    }

    #[test]
    fn the_nearest_policy_that_says_something_holds() {
        let mesh = policy(None, &[], Some(MutualTls::Strict));
        let shop = policy(Some("shop"), &[], Some(MutualTls::Disable));
        let unset = policy(Some("shop"), &[CART], None);
        let of = |policies: &[PeerAuthentication], namespace| mode_of(policies, namespace, CART, CART);
        assert_eq!(of(&[], "shop"), MutualTls::Permissive);
        assert_eq!(of(std::slice::from_ref(&mesh), "shop"), MutualTls::Strict);
        assert_eq!(of(&[mesh.clone(), shop.clone()], "shop"), MutualTls::Disable);
        assert_eq!(of(&[mesh.clone(), shop.clone()], "bank"), MutualTls::Strict);
        assert_eq!(of(&[mesh.clone(), unset.clone(), shop.clone()], "shop"), MutualTls::Disable);
        let own = policy(Some("shop"), &[CART], Some(MutualTls::Permissive));
        assert_eq!(of(&[mesh.clone(), shop.clone(), own], "shop"), MutualTls::Permissive);
        let of_port = PeerAuthentication { mode_of_port: Some(MutualTls::Strict), ..unset };
        assert_eq!(of(&[shop, of_port.clone()], "shop"), MutualTls::Strict);
        // Those of a service hold for its versions; those of another namespace do not.
        assert_eq!(mode_of(std::slice::from_ref(&of_port), "shop", ServiceId(7), CART), MutualTls::Strict);
        assert_eq!(mode_of(&[of_port], "bank", CART, CART), MutualTls::Permissive);
        // The first of the same scope is the oldest.
        let two = [policy(None, &[], Some(MutualTls::Disable)), mesh];
        assert_eq!(of(&two, "shop"), MutualTls::Disable);
    }
}
