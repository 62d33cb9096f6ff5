//! Namespaces, and who may ask whom for what: what AuthorizationPolicies and PeerAuthentications are typed as.

use super::BTreeMap;
use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// A namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Whether its pods get sidecars (the label `istio-injection`).
    ///
    /// Source: Istio's label istio-injection.
    pub injection: Spanned<bool>,
}

/// An AuthorizationPolicy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationPolicy {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    ///
    /// Default: the whole mesh. Source: Istio's AuthorizationPolicy.
    pub namespace: Option<Spanned<String>>,
    /// The services whose pods it selects; absent: all.
    ///
    /// Default: all. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub services: Vec<Spanned<String>>,
    /// What it does.
    ///
    /// Default: ALLOW. Source: Istio's AuthorizationPolicy.
    pub action: Option<Action>,
    /// Which requests it matches.
    ///
    /// Default: none: nothing matches. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub rules: Vec<Spanned<Rule>>,
}

/// What a policy does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Allows it.
    Allow,
    /// Denies it.
    Deny,
}

/// Requests that a policy matches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// From whom.
    ///
    /// Default: anybody. Source: Istio's AuthorizationPolicy.
    pub from: Option<Spanned<Vec<Spanned<Source>>>>,
    /// For what.
    ///
    /// Default: anything. Source: Istio's AuthorizationPolicy.
    pub to: Option<Spanned<Vec<Spanned<Operation>>>>,
}

/// Who asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Names in certificates.
    ///
    /// Default: any. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub principals: Vec<Spanned<String>>,
    /// Names that it must not be.
    ///
    /// Default: none. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub not_principals: Vec<Spanned<String>>,
    /// Namespaces.
    ///
    /// Default: any. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub namespaces: Vec<Spanned<String>>,
    /// Namespaces that it must not be.
    ///
    /// Default: none. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub not_namespaces: Vec<Spanned<String>>,
}

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Methods.
    ///
    /// Default: any. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub methods: Vec<Spanned<String>>,
    /// Methods that it must not be.
    ///
    /// Default: none. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub not_methods: Vec<Spanned<String>>,
    /// Paths.
    ///
    /// Default: any. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub paths: Vec<Spanned<String>>,
    /// Paths that it must not be.
    ///
    /// Default: none. Source: Istio's AuthorizationPolicy.
    #[serde(default)]
    pub not_paths: Vec<Spanned<String>>,
}

/// A PeerAuthentication.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerAuthentication {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    ///
    /// Default: the whole mesh. Source: Istio's PeerAuthentication.
    pub namespace: Option<Spanned<String>>,
    /// The services whose pods it selects; absent: all.
    ///
    /// Default: all. Source: Istio's PeerAuthentication.
    #[serde(default)]
    pub services: Vec<Spanned<String>>,
    /// What they take.
    ///
    /// Default: as above it, else PERMISSIVE. Source: Istio's PeerAuthentication.
    pub mtls: Option<Spanned<Mtls>>,
    /// What they take at a port.
    ///
    /// Default: mtls. Source: Istio's PeerAuthentication.
    #[serde(default)]
    pub port_level_mtls: BTreeMap<String, Spanned<Mtls>>,
}

/// What servers take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// mTLS, plain text, or both.
    pub mode: Mode,
}

/// mTLS, plain text, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// mTLS alone.
    Strict,
    /// Both.
    Permissive,
    /// Plain text alone.
    Disable,
}
