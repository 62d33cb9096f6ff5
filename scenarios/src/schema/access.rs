//! Namespaces, and who may ask whom for what: what AuthorizationPolicies and PeerAuthentications are typed as.

use super::BTreeMap;
use serde::Deserialize;
use toml::Spanned;

/// A namespace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Whether its pods get sidecars (the label `istio-injection`).
    pub injection: Spanned<bool>,
}

/// An AuthorizationPolicy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationPolicy {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    pub namespace: Option<Spanned<String>>,
    /// The services whose pods it selects; absent: all.
    #[serde(default)]
    pub services: Vec<Spanned<String>>,
    /// What it does.
    pub action: Option<Action>,
    /// Which requests it matches.
    #[serde(default)]
    pub rules: Vec<Spanned<Rule>>,
}

/// What a policy does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Allows it.
    Allow,
    /// Denies it.
    Deny,
}

/// Requests that a policy matches.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// From whom.
    pub from: Option<Spanned<Vec<Spanned<Source>>>>,
    /// For what.
    pub to: Option<Spanned<Vec<Spanned<Operation>>>>,
}

/// Who asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Names in certificates.
    #[serde(default)]
    pub principals: Vec<Spanned<String>>,
    /// Names that it must not be.
    #[serde(default)]
    pub not_principals: Vec<Spanned<String>>,
    /// Namespaces.
    #[serde(default)]
    pub namespaces: Vec<Spanned<String>>,
    /// Namespaces that it must not be.
    #[serde(default)]
    pub not_namespaces: Vec<Spanned<String>>,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Methods.
    #[serde(default)]
    pub methods: Vec<Spanned<String>>,
    /// Methods that it must not be.
    #[serde(default)]
    pub not_methods: Vec<Spanned<String>>,
    /// Paths.
    #[serde(default)]
    pub paths: Vec<Spanned<String>>,
    /// Paths that it must not be.
    #[serde(default)]
    pub not_paths: Vec<Spanned<String>>,
}

/// A PeerAuthentication.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerAuthentication {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    pub namespace: Option<Spanned<String>>,
    /// The services whose pods it selects; absent: all.
    #[serde(default)]
    pub services: Vec<Spanned<String>>,
    /// What they take.
    pub mtls: Option<Spanned<Mtls>>,
    /// What they take at a port.
    #[serde(default)]
    pub port_level_mtls: BTreeMap<String, Spanned<Mtls>>,
}

/// What servers take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// mTLS, plain text, or both.
    pub mode: Mode,
}

/// mTLS, plain text, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// mTLS alone.
    Strict,
    /// Both.
    Permissive,
    /// Plain text alone.
    Disable,
}
