//! Istio's AuthorizationPolicy: who may ask a server for what.
//!
//! # Models
//! The sidecar of the server's pod asks the policies that select it, in this order: if a DENY policy has a rule that matches
//! the request, it is denied; if there is no ALLOW policy, it is allowed; if an ALLOW policy has a rule that matches, it is
//! allowed; else it is denied. A rule matches if one of its sources and one of its operations do (none: any); all fields of
//! a source or an operation must match, one value of each field, and none of a `not` field.
//! A caller has a principal, that of its certificate, if the connection has mTLS; without it no rule that asks for principals
//! or namespaces matches, and one that asks for others than these does.
//! What is denied is answered 403 ("RBAC: access denied") by the server's sidecar, and the application sees nothing of it;
//! over TCP, of which nobody sees requests, and by a ztunnel, the connection is reset. Where paths or methods cannot be
//! seen, a DENY rule is asked without them, and an ALLOW rule that names them matches nothing.
//!
//! # Assumptions
//! - All Deployments of a Service have one service account, of the Service's name.
//! - In ambient mode the policies of a service with a waypoint hold at that (`targetRefs`), which requests from gateways do
//!   not pass; those of others at the ztunnels of their pods' nodes.
//! - Datagrams pass no proxy: nobody asks policies about them.
//! - Looking at policies takes no time beside the pass of the proxy: nobody publishes what it takes.
//!
//! # Source
//! Istio, AuthorizationPolicy ("Implicit enablement" and the order of evaluation); `pilot/pkg/security/authz/model`
//! (`StringMatcherWithPrefix`; `generator.go`), `authz/builder`. Envoy, `rbac_filter.cc` (403, "RBAC: access denied").

use super::selector::names;
use crate::ids::ServiceId;

/// Where the root namespace's gateways stand.
pub const GATEWAY_NAMESPACE: &str = "istio-system";

/// What the gateways' certificates say.
pub const GATEWAY_PRINCIPAL: &str = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account";

/// What an AuthorizationPolicy does with requests that it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Allows them, and denies what no policy allows.
    #[default]
    Allow,
    /// Denies them.
    Deny,
}

/// An AuthorizationPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationPolicy {
    /// Its namespace; absent: the root namespace, where it is for the whole mesh.
    pub namespace: Option<String>,
    /// The services whose pods it selects; none: all.
    pub services: Vec<ServiceId>,
    /// What it does.
    pub action: Action,
    /// Which requests it matches: those that one of these does.
    pub rules: Vec<Rule>,
}

/// Requests that a policy matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// From whom; none: from anybody.
    pub from: Vec<Source>,
    /// For what; none: for anything.
    pub to: Vec<Operation>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Names in certificates.
    pub principals: Field,
    /// Namespaces in these.
    pub namespaces: Field,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Methods.
    pub methods: Field,
    /// Paths, without their queries.
    pub paths: Field,
}

/// What a value is to be: one of some, and none of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Of these; none: anything.
    pub one_of: Vec<Pattern>,
    /// Not of these.
    pub none_of: Vec<Pattern>,
}

/// A text with one `*` at its beginning or end, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This.
    Exact(String),
    /// What begins so.
    Prefix(String),
    /// What ends so.
    Suffix(String),
    /// Anything that is there.
    Present,
}

/// Who asks, as its certificate says: nothing without mTLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    /// Its name.
    pub principal: Option<&'a str>,
    /// Its namespace.
    pub namespace: Option<&'a str>,
}

/// What is asked for, where the requests are seen.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, without its query.
    pub path: &'a str,
}

/// Whether policies that select a server allow a request; `asked` is absent where only connections are seen.
#[must_use]
pub fn allows<'a>(
    policies: &(impl Iterator<Item = &'a AuthorizationPolicy> + Clone),
    from: Identity<'_>,
    asked: Option<Asked<'_>>,
) -> bool {
    let of = |action| policies.clone().filter(move |it| it.action == action);
    let matched = |it: &AuthorizationPolicy| it.rules.iter().any(|rule| rule.matches(it.action, from, asked));
    if of(Action::Deny).any(matched) {
        return false;
    }
    of(Action::Allow).next().is_none() || of(Action::Allow).any(matched)
}

impl AuthorizationPolicy {
    /// Whether it selects the pods of a service in a namespace, which stand behind `front`.
    #[must_use]
    pub fn selects(&self, namespace: &str, service: ServiceId, front: ServiceId) -> bool {
        let is_here = self.namespace.as_deref().is_none_or(|it| it == namespace);
        is_here && (self.services.is_empty() || names(&self.services, service, front))
    }

    /// Whether any of its rules looks at methods or paths.
    #[must_use]
    pub fn sees_requests(&self) -> bool {
        self.rules.iter().any(|rule| !rule.to.is_empty())
    }
}

impl Rule {
    fn matches(&self, action: Action, from: Identity<'_>, asked: Option<Asked<'_>>) -> bool {
        let is_from = self.from.is_empty() || self.from.iter().any(|it| it.matches(from));
        let is_for = match asked {
            Some(asked) => self.to.is_empty() || self.to.iter().any(|it| it.matches(asked)),
            None => self.to.is_empty() || action == Action::Deny,
        };
        is_from && is_for
    }
}

impl Source {
    fn matches(&self, from: Identity<'_>) -> bool {
        self.principals.matches(from.principal) && self.namespaces.matches(from.namespace)
    }
}

impl Operation {
    fn matches(&self, asked: Asked<'_>) -> bool {
        self.methods.matches(Some(asked.method)) && self.paths.matches(Some(asked.path))
    }
}

impl Field {
    fn matches(&self, value: Option<&str>) -> bool {
        let is_among =
            |patterns: &[Pattern]| value.is_some_and(|it| patterns.iter().any(|of| of.matches(it)));
        (self.one_of.is_empty() || is_among(&self.one_of)) && !is_among(&self.none_of)
    }

    /// Whether nothing is said of it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.one_of.is_empty() && self.none_of.is_empty()
    }
}

impl Pattern {
    /// As Istio reads it: a `*` alone, or one at the beginning or at the end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match (text, text.strip_prefix('*'), text.strip_suffix('*')) {
            ("*", ..) => Self::Present,
            (_, Some(suffix), _) => Self::Suffix(suffix.to_owned()),
            (_, None, Some(prefix)) => Self::Prefix(prefix.to_owned()),
            _ => Self::Exact(text.to_owned()),
        }
    }

    /// Whether a value is so.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::Prefix(text) => value.starts_with(text.as_str()),
            Self::Suffix(text) => value.ends_with(text.as_str()),
            Self::Present => !value.is_empty(),
        }
    }
}

/// The name in the certificate of a service's pods. One that is told apart by its namespace (`SERVICE.NAMESPACE`) has its
/// plain name there.
#[must_use]
pub fn principal_of(namespace: &str, service: &str) -> String {
    format!("cluster.local/ns/{namespace}/sa/{}", plain_name(namespace, service))
}

/// The name of a service without the namespace behind it, by which several applications are told apart.
#[must_use]
pub fn plain_name<'a>(namespace: &str, service: &'a str) -> &'a str {
    let plain = service.strip_suffix(namespace).and_then(|it| it.strip_suffix('.'));
    plain.filter(|it| !it.is_empty()).unwrap_or(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(one_of: &[&str], none_of: &[&str]) -> Field {
        let patterns = |texts: &[&str]| texts.iter().map(|it| Pattern::new(it)).collect();
        Field { one_of: patterns(one_of), none_of: patterns(none_of) }
    }

    fn from(principals: Field, namespaces: Field) -> Rule {
        Rule { from: vec![Source { principals, namespaces }], to: Vec::new() }
    }

    fn to(methods: Field, paths: Field) -> Rule {
        Rule { from: Vec::new(), to: vec![Operation { methods, paths }] }
    }

    fn policy(action: Action, rules: Vec<Rule>) -> AuthorizationPolicy {
        AuthorizationPolicy { action, rules, ..AuthorizationPolicy::default() }
    }

    const WEB: Identity<'_> =
        Identity { principal: Some("cluster.local/ns/shop/sa/web"), namespace: Some("shop") };
    const GET: Asked<'_> = Asked { method: "GET", path: "/cart/list" };

    fn allowed(policies: &[&AuthorizationPolicy], who: Identity<'_>, asked: Option<Asked<'_>>) -> bool {
        allows(&policies.iter().copied(), who, asked)
    }

    /// The table of Istio's reference, "AuthorizationPolicy": DENY, then whether there is an ALLOW policy, then ALLOW.
    #[test]
    fn deny_is_asked_first_and_what_no_allow_policy_matches_is_denied() {
        let anybody = || vec![Rule::default()];
        let (allow, deny) = (policy(Action::Allow, anybody()), policy(Action::Deny, anybody()));
        let nothing = policy(Action::Allow, Vec::new());
        assert!(allowed(&[], WEB, Some(GET)));
        assert!(allowed(&[&allow], WEB, Some(GET)) && !allowed(&[&deny], WEB, Some(GET)));
        assert!(!allowed(&[&allow, &deny], WEB, Some(GET)), "deny wins");
        assert!(!allowed(&[&nothing], WEB, Some(GET)), "allow-nothing");
        assert!(allowed(&[&nothing, &allow], WEB, Some(GET)));
        let other = policy(Action::Deny, vec![to(field(&["POST"], &[]), Field::default())]);
        assert!(allowed(&[&other], WEB, Some(GET)), "a deny policy that does not match allows");
    }

    #[test]
    fn sources_go_by_certificates() {
        let only = |rule| policy(Action::Allow, vec![rule]);
        let web = only(from(field(&["cluster.local/ns/shop/sa/web"], &[]), Field::default()));
        assert!(allowed(&[&web], WEB, Some(GET)) && !allowed(&[&web], Identity::default(), Some(GET)));
        for (pattern, is_web) in
            [("*", true), ("*/sa/web", true), ("cluster.local/ns/shop/*", true), ("*/bank", false)]
        {
            let of = only(from(field(&[pattern], &[]), Field::default()));
            assert_eq!(allowed(&[&of], WEB, Some(GET)), is_web, "{pattern}");
        }
        let here = only(from(Field::default(), field(&["shop"], &[])));
        assert!(allowed(&[&here], WEB, Some(GET)) && !allowed(&[&here], Identity::default(), Some(GET)));
        // Who has no name is nobody of those that are ruled out.
        let others = only(from(field(&[], &["*/sa/web"]), Field::default()));
        assert!(!allowed(&[&others], WEB, Some(GET)) && allowed(&[&others], Identity::default(), Some(GET)));
    }

    #[test]
    fn operations_go_by_method_and_path_where_these_are_seen() {
        let rule = || to(field(&["GET", "HEAD"], &[]), field(&["/cart*"], &["*/secret"]));
        let (allow, deny) = (policy(Action::Allow, vec![rule()]), policy(Action::Deny, vec![rule()]));
        assert!(allowed(&[&allow], WEB, Some(GET)) && !allowed(&[&deny], WEB, Some(GET)));
        for asked in [
            Asked { method: "PUT", ..GET },
            Asked { path: "/", ..GET },
            Asked { path: "/cart/secret", ..GET },
        ] {
            assert!(!allowed(&[&allow], WEB, Some(asked)) && allowed(&[&deny], WEB, Some(asked)));
        }
        // Where connections alone are seen, it is denied both times.
        assert!(!allowed(&[&allow], WEB, None) && !allowed(&[&deny], WEB, None));
    }

    #[test]
    fn a_principal_is_a_service_account_in_a_namespace() {
        assert_eq!(principal_of("shop", "web"), "cluster.local/ns/shop/sa/web");
        assert_eq!(principal_of("bank", "web.bank"), "cluster.local/ns/bank/sa/web");
        assert_eq!(principal_of("bank", "bank"), "cluster.local/ns/bank/sa/bank");
    }

    #[test]
    fn a_policy_selects_by_namespace_and_service() {
        let [cart, canary, web] = [0, 1, 2].map(ServiceId);
        let of = |namespace: Option<&str>, services: &[ServiceId]| AuthorizationPolicy {
            namespace: namespace.map(ToOwned::to_owned),
            services: services.to_vec(),
            ..AuthorizationPolicy::default()
        };
        assert!(of(None, &[]).selects("shop", web, web) && of(Some("shop"), &[]).selects("shop", web, web));
        assert!(!of(Some("bank"), &[]).selects("shop", web, web));
        assert!(of(Some("shop"), &[cart]).selects("shop", canary, cart), "a version");
        assert!(of(Some("shop"), &[canary]).selects("shop", canary, cart));
        assert!(!of(Some("shop"), &[canary]).selects("shop", cart, cart));
        assert!(!of(Some("shop"), &[cart]).selects("shop", web, web));
    }
}
