//! Who may ask whom for what, and which servers take plain text.

use super::check::Check;
use crate::schema::Scenario;
use crate::schema::access::{self as typed, Action as Does, Mode};
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::authorization_policy::{
    Action, AuthorizationPolicy, Field, GATEWAY_NAMESPACE, GATEWAY_PRINCIPAL, Operation, Pattern, Rule,
    Source, principal_of,
};
use meshsim_models::istiod::peer_authentication::{MutualTls, PORT, PeerAuthentication};
use meshsim_models::world::description::{DEFAULT_NAMESPACE, DataPlane, MeshSettings, ServiceSettings};
use std::collections::BTreeSet;

/// What policies may name.
struct Known<'a> {
    services: Vec<&'a str>,
    settings: &'a Table<ServiceId, ServiceSettings>,
    namespaces: BTreeSet<&'a str>,
    principals: BTreeSet<String>,
    mesh: &'a MeshSettings,
}

/// The AuthorizationPolicies and the PeerAuthentications.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    settings: &Table<ServiceId, ServiceSettings>,
    mesh: &MeshSettings,
) -> (Vec<AuthorizationPolicy>, Vec<PeerAuthentication>) {
    let namespaces: BTreeSet<&str> = settings.iter().map(namespace).collect();
    let principals = settings.enumerate().map(|(id, it)| {
        let front = it.version_of.unwrap_or(id);
        principal_of(namespace(it), &application.services[front].name)
    });
    let known = Known {
        services: application.services.iter().map(|it| it.name.as_str()).collect(),
        settings,
        principals: principals.chain([GATEWAY_PRINCIPAL.to_owned()]).collect(),
        namespaces,
        mesh,
    };
    for (name, it) in &scenario.namespaces {
        let span = it.get_ref().injection.span();
        known.namespace(check, name, span);
    }
    let policies = &scenario.authorization_policies;
    let policies = policies.iter().map(|(name, it)| policy(check, &known, name, it)).collect();
    let authentications = scenario.peer_authentications.iter();
    let authentications: Vec<PeerAuthentication> =
        authentications.map(|(name, it)| authentication(check, &known, name, it)).collect();
    refuse_twice(check, scenario, &authentications);
    (policies, authentications)
}

fn namespace(settings: &ServiceSettings) -> &str {
    settings.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

/// The namespace that a service says, or its tenant's.
pub(super) fn namespace_of<'a>(
    scenario: &'a Scenario,
    application: &'a Application,
    id: ServiceId,
) -> Option<&'a str> {
    let service = &application.services[id];
    let own = scenario.services.get(&service.name).and_then(|it| it.get_ref().namespace.as_ref());
    let tenant = || application.tenants.get(usize::from(service.tenant)).map(String::as_str);
    // The default is not said.
    let common = || {
        let said = scenario.application.namespace.as_ref().map(|it| it.get_ref().as_str());
        said.filter(|it| *it != DEFAULT_NAMESPACE)
    };
    own.map(|it| it.get_ref().as_str()).or_else(tenant).or_else(common)
}

/// Whether the pods of a service are left out of the injection: its own word stands before its namespace's.
pub(super) fn is_left_out(scenario: &Scenario, application: &Application, id: ServiceId) -> bool {
    let service = scenario.services.get(&application.services[id].name).map(Spanned::get_ref);
    let own = service.and_then(|it| it.sidecar.as_ref()).map(|it| *it.get_ref());
    let namespace = namespace_of(scenario, application, id).unwrap_or(DEFAULT_NAMESPACE);
    let of_namespace = scenario.namespaces.get(namespace).map(|it| *it.get_ref().injection.get_ref());
    !own.or(of_namespace).unwrap_or(true)
}

impl Known<'_> {
    /// A namespace that a service is in.
    fn namespace(&self, check: &mut Check<'_>, name: &str, span: std::ops::Range<usize>) {
        check.reference(name, span, self.namespaces.iter().copied(), "namespace with a service in it:");
    }

    /// The services that a policy selects, all in its namespace.
    fn services(
        &self,
        check: &mut Check<'_>,
        written: &[Spanned<String>],
        namespace: Option<&Spanned<String>>,
    ) -> Vec<ServiceId> {
        let mut found = Vec::new();
        for name in written {
            let services = self.services.iter().copied();
            let Some(index) = check.reference(name.get_ref(), name.span(), services, "service") else {
                continue;
            };
            let service = ServiceId::from_index(index);
            let own = self::namespace(&self.settings[service]);
            if let Some(other) = namespace.filter(|it| it.get_ref() != own) {
                let message = format!("`{}` is in namespace `{own}`", name.get_ref());
                let help = format!("a policy of `{}` selects pods there alone", other.get_ref());
                check.problem(message, name.span(), help);
            }
            if self.settings[service].external {
                let help = "take it out: no proxy stands before it";
                check.problem(format!("`{}` is outside the clusters", name.get_ref()), name.span(), help);
            }
            found.push(service);
        }
        found
    }

    /// Patterns, each of which something that there is matches.
    fn patterns<'k>(
        &self,
        check: &mut Check<'_>,
        written: &[Spanned<String>],
        known: &(impl Iterator<Item = &'k str> + Clone),
        what: &str,
    ) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for it in written {
            let text = it.get_ref().as_str();
            let pattern = Pattern::new(text);
            if text.is_empty() || has_inner_star(text) {
                let help = "write a text, one with * at its beginning or at its end, or \"*\"";
                check.problem(format!("`{text}` is no {what}"), it.span(), help);
            } else if !known.clone().any(|value| pattern.matches(value)) {
                match pattern {
                    Pattern::Exact(_) => {
                        check.reference(text, it.span(), known.clone(), what);
                    }
                    _ => {
                        let all: Vec<&str> = known.clone().collect();
                        let help = format!("there are {}", all.join(", "));
                        check.problem(format!("there is no {what} like `{text}`"), it.span(), help);
                    }
                }
            }
            patterns.push(pattern);
        }
        patterns
    }

    fn source(&self, check: &mut Check<'_>, written: &Spanned<typed::Source>) -> Source {
        let fields = written.get_ref();
        let principals = || self.principals.iter().map(String::as_str);
        let namespaces = || self.namespaces.iter().copied().chain([GATEWAY_NAMESPACE]);
        let source = Source {
            principals: Field {
                one_of: self.patterns(check, &fields.principals, &principals(), "principal"),
                none_of: self.patterns(check, &fields.not_principals, &principals(), "principal"),
            },
            namespaces: Field {
                one_of: self.patterns(check, &fields.namespaces, &namespaces(), "namespace"),
                none_of: self.patterns(check, &fields.not_namespaces, &namespaces(), "namespace"),
            },
        };
        if source.principals.is_empty() && source.namespaces.is_empty() {
            let help =
                "write principals, not_principals, namespaces or not_namespaces, or take from out: anybody";
            check.problem("a source names nobody", written.span(), help);
        }
        source
    }
}

fn policy(
    check: &mut Check<'_>,
    known: &Known<'_>,
    name: &str,
    written: &Spanned<typed::AuthorizationPolicy>,
) -> AuthorizationPolicy {
    let fields = written.get_ref();
    if let Some(namespace) = &fields.namespace {
        known.namespace(check, namespace.get_ref(), namespace.span());
    }
    let action = match fields.action {
        Some(Does::Deny) => Action::Deny,
        Some(Does::Allow) | None => Action::Allow,
    };
    if action == Action::Deny && fields.rules.is_empty() {
        let help = "write rules = [{}] to deny everything";
        check.problem(format!("the policy `{name}` denies nothing"), written.span(), help);
    }
    let services = known.services(check, &fields.services, fields.namespace.as_ref());
    let policy = AuthorizationPolicy {
        namespace: fields.namespace.as_ref().map(|it| it.get_ref().clone()),
        services,
        action,
        rules: fields.rules.iter().map(|it| rule(check, known, it.get_ref())).collect(),
    };
    refuse_unseen(check, known, name, written, &policy);
    policy
}

/// A ztunnel sees no requests: what a policy asks of them would deny everything there.
fn refuse_unseen(
    check: &mut Check<'_>,
    known: &Known<'_>,
    name: &str,
    written: &Spanned<typed::AuthorizationPolicy>,
    policy: &AuthorizationPolicy,
) {
    if known.mesh.data_plane != DataPlane::Ambient || !policy.sees_requests() {
        return;
    }
    let selected = known
        .settings
        .enumerate()
        .filter(|(id, it)| policy.selects(namespace(it), *id, it.version_of.unwrap_or(*id)) && !it.external);
    let unseen = selected.map(|(id, it)| (id, it.version_of.unwrap_or(id)));
    let unseen = unseen.filter(|(_, front)| !known.settings[*front].waypoint);
    for (id, _) in unseen.take(1) {
        let service = known.services[id.index()];
        let message = format!("the policy `{name}` looks at requests to `{service}`, which has no waypoint");
        let help = format!(
            "write services.{service}.waypoint = true, or select others: a ztunnel sees connections alone, and would \
             deny all of them"
        );
        check.problem(message, written.span(), help);
    }
}

fn rule(check: &mut Check<'_>, known: &Known<'_>, written: &typed::Rule) -> Rule {
    let empty = |span, what: &str, check: &mut Check<'_>| {
        check.problem(
            format!("a rule with an empty `{what}` matches nothing"),
            span,
            "take it out, or fill it",
        );
    };
    let mut rule = Rule::default();
    if let Some(from) = &written.from {
        if from.get_ref().is_empty() {
            empty(from.span(), "from", check);
        }
        rule.from = from.get_ref().iter().map(|it| known.source(check, it)).collect();
    }
    if let Some(to) = &written.to {
        if to.get_ref().is_empty() {
            empty(to.span(), "to", check);
        }
        rule.to = to.get_ref().iter().map(|it| operation(check, it)).collect();
    }
    rule
}

/// Whether a star stands elsewhere than at one of the ends, where alone it means anything.
fn has_inner_star(text: &str) -> bool {
    let rest = text.strip_suffix('*').or_else(|| text.strip_prefix('*')).unwrap_or(text);
    rest.contains('*')
}

fn operation(check: &mut Check<'_>, written: &Spanned<typed::Operation>) -> Operation {
    let fields = written.get_ref();
    let patterns = |texts: &[Spanned<String>]| texts.iter().map(|it| Pattern::new(it.get_ref())).collect();
    for path in fields.paths.iter().chain(&fields.not_paths) {
        let text = path.get_ref().as_str();
        if !text.starts_with(['/', '*']) || text.contains('?') || has_inner_star(text) {
            let help = "write it as in \"/cart/add\", \"/cart/*\" or \"*/list\", without its query";
            check.problem(format!("`{text}` is no path"), path.span(), help);
        }
    }
    for method in fields.methods.iter().chain(&fields.not_methods) {
        let text = method.get_ref().as_str();
        if has_inner_star(text) || !text.contains('*') {
            check.reference(text, method.span(), super::endpoints::METHODS, "method of HTTP");
        }
    }
    let operation = Operation {
        methods: Field { one_of: patterns(&fields.methods), none_of: patterns(&fields.not_methods) },
        paths: Field { one_of: patterns(&fields.paths), none_of: patterns(&fields.not_paths) },
    };
    if operation.methods.is_empty() && operation.paths.is_empty() {
        let help = "write methods, not_methods, paths or not_paths, or take to out: anything";
        check.problem("an operation names nothing", written.span(), help);
    }
    operation
}

fn authentication(
    check: &mut Check<'_>,
    known: &Known<'_>,
    name: &str,
    written: &Spanned<typed::PeerAuthentication>,
) -> PeerAuthentication {
    let fields = written.get_ref();
    if let Some(namespace) = &fields.namespace {
        known.namespace(check, namespace.get_ref(), namespace.span());
    }
    if fields.mtls.is_none() && fields.port_level_mtls.is_empty() {
        let help = "write mtls = { mode = \"STRICT\" }";
        check.problem(format!("`{name}` says nothing"), written.span(), help);
    }
    let services = known.services(check, &fields.services, fields.namespace.as_ref());
    if !fields.services.is_empty() && fields.namespace.is_none() {
        let help = "write its namespace: one that selects pods holds in its own namespace";
        check.problem(format!("`{name}` selects services of no namespace"), fields.services[0].span(), help);
    }
    let mut mode_of_port = None;
    for (port, mtls) in &fields.port_level_mtls {
        if *port != PORT.to_string() {
            let help = format!("all services listen on {PORT}");
            check.problem(format!("nobody listens on port {port}"), mtls.span(), help);
        }
        if fields.services.is_empty() {
            let help = "write services = [...]: Istio takes ports of policies with a selector alone";
            check.problem(format!("`{name}` names a port and selects no service"), mtls.span(), help);
        }
        mode_of_port = Some(mode(check, known, mtls));
    }
    PeerAuthentication {
        namespace: fields.namespace.as_ref().map(|it| it.get_ref().clone()),
        services,
        mode: fields.mtls.as_ref().map(|it| mode(check, known, it)),
        mode_of_port,
    }
}

fn mode(check: &mut Check<'_>, known: &Known<'_>, written: &Spanned<typed::Mtls>) -> MutualTls {
    match written.get_ref().mode {
        Mode::Strict => {
            if !known.mesh.mtls && known.mesh.data_plane == DataPlane::Sidecar {
                let help = "take one of them out: nobody could reach these servers";
                check.problem("servers are STRICT and mesh.mtls is false", written.span(), help);
            }
            MutualTls::Strict
        }
        Mode::Permissive => MutualTls::Permissive,
        Mode::Disable => MutualTls::Disable,
    }
}

/// Of two policies for the same Istio takes the older, and files have no age.
fn refuse_twice(check: &mut Check<'_>, scenario: &Scenario, all: &[PeerAuthentication]) {
    let names: Vec<&String> = scenario.peer_authentications.keys().collect();
    for (index, it) in all.iter().enumerate() {
        let same = |other: &&PeerAuthentication| {
            let both = it.services.iter().any(|service| other.services.contains(service));
            it.namespace == other.namespace && (both || (it.services.is_empty() && other.services.is_empty()))
        };
        let Some(first) = all[..index].iter().position(|other| same(&other)) else { continue };
        let message = format!("`{}` and `{}` are for the same pods", names[first], names[index]);
        let span = scenario.peer_authentications[names[index]].span();
        check.problem(message, span, "take one out: Istio takes the older one alone");
    }
}
