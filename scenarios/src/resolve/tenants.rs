//! Several applications, each a tenant's: which services are whose.
//!
//! # Models
//! A tenant has a work model, or some of the scenario's own services. Where a service of a work model is named as one of
//! another tenant is, it is known as `SERVICE.TENANT`, as Kubernetes has it with a namespace per tenant.

use super::check::Check;
use super::versions::version_of;
use crate::schema::spanned::Spanned;
use crate::schema::{Scenario, Tenant};
use meshsim_models::application::call_graph::Application;
use std::collections::BTreeMap;

/// The services of its own that each tenant has, by their names: the tenant's number.
pub(super) fn own_services(check: &mut Check<'_>, scenario: &Scenario) -> BTreeMap<String, u16> {
    let mut tenants = BTreeMap::new();
    if scenario.applications.len() > usize::from(u16::MAX) {
        check.problem("there are too many applications", 0..1, format!("at most {} are simulated", u16::MAX));
        return tenants;
    }
    if let Some(path) = scenario.application.workmodel.as_ref().filter(|_| !scenario.applications.is_empty())
    {
        let help = "give it an application of its own: [applications.NAME] workmodel = \"FILE.json\"";
        check.problem("there are several applications, and this is none of them", path.span(), help);
    }
    let known: Vec<&str> = scenario.services.keys().map(String::as_str).collect();
    for (number, (name, it)) in (0..).zip(&scenario.applications) {
        let tenant = it.get_ref();
        if name.is_empty() || name.contains('.') {
            let help = "a point stands between a service and its application, as in \"front.shop\"";
            check.problem(format!("an application is named `{name}`"), it.span(), help);
        }
        match (&tenant.services, &tenant.workmodel) {
            (Some(services), Some(_)) => {
                let help = "take one of them out; a second application may have what is left";
                check.problem(format!("`{name}` has a work model and services"), services.span(), help);
            }
            (None, None) => {
                let help = "write services = [\"front\", ...] or workmodel = \"FILE.json\"";
                check.problem(format!("nothing says what `{name}` is made of"), it.span(), help);
            }
            _ => {}
        }
        for service in tenant.services.iter().flat_map(Spanned::get_ref) {
            if check.reference(service.get_ref(), service.span(), known.iter().copied(), "service").is_none()
            {
                continue;
            }
            if tenants.insert(service.get_ref().clone(), number).is_some() {
                let message = format!("`{}` is listed twice", service.get_ref());
                check.problem(message, service.span(), "a service belongs to one application");
            }
        }
    }
    // Versions of a service are whose the service is.
    for name in scenario.services.keys() {
        if let Some(&number) = version_of(scenario, name).and_then(|front| tenants.get(front)) {
            tenants.entry(name.clone()).or_insert(number);
        }
    }
    tenants
}

/// What a work model's service of a tenant is called, where others have services of these names.
pub(super) fn qualified(name: &str, tenant: &str, others: &[&str]) -> String {
    if others.contains(&name) { format!("{name}.{tenant}") } else { name.to_owned() }
}

/// Every service that the scenario tells of itself belongs to a tenant, if there are some.
pub(super) fn refuse_homeless(
    check: &mut Check<'_>,
    scenario: &Scenario,
    own: &BTreeMap<String, u16>,
    application: &Application,
) {
    if scenario.applications.is_empty() {
        return;
    }
    for (name, service) in &scenario.services {
        if !own.contains_key(name) && application.service_named(name).is_none() {
            let first = scenario.applications.keys().next().map_or("", String::as_str);
            let message = format!("`{name}` belongs to no application");
            let help = format!("add it to the services of one, as [applications.{first}]");
            check.problem(message, service.span(), help);
        }
    }
}

/// A value of a service's tenant, or that of all.
pub(super) fn value<'a, T>(
    tenant: Option<&'a Tenant>,
    own: impl Fn(&'a Tenant) -> Option<&'a Spanned<T>>,
    of_all: Option<&'a Spanned<T>>,
) -> Option<&'a Spanned<T>> {
    tenant.and_then(own).or(of_all)
}
