//! The services, their call graph, and what their work costs.

use super::check::Check;
use super::ranges::{bounded, bounded_u32, patience, spread};
use super::{WorkModels, endpoints, law, resources, services, tenants, versions};
use crate::import::mubench::{self, WorkModel};
use crate::problem::{Checked, Problem};
use crate::schema::services::Service;
use crate::schema::spanned::Spanned;
use crate::schema::{self, Scenario};
use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::Application;
use meshsim_models::application::internal_service::CellCosts;
use meshsim_models::ids::ServiceId;
use meshsim_models::world::description::{CellSettings, DEFAULT_KEEP_ALIVE};
use std::collections::BTreeMap;

/// Most endpoints in cycles of calls: the expected calls between them are a dense matrix.
const IN_CYCLES_MAX: usize = 2_000;

/// Reads the work models and takes what the services say, and checks the graph. What of a work model has no effect is told
/// beside it.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    workmodels: &WorkModels,
) -> Checked<(Application, Vec<Problem>)> {
    let own = tenants::own_services(check, scenario);
    let (mut application, warnings) = of_workmodels(check, scenario, workmodels, &own)?;
    tenants::refuse_homeless(check, scenario, &own, &application);
    if workmodels.is_empty() || !own.is_empty() {
        application = endpoints::resolve(check, scenario, application, &own);
    }
    application.tenants = scenario.applications.keys().cloned().collect();
    let names: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
    versions::refuse_wrong(check, scenario, &names);
    let between_cycles = application.between_cycles().len();
    if between_cycles > IN_CYCLES_MAX {
        let message = format!("{between_cycles} endpoints stand in cycles of calls, or between them");
        let help = format!("at most {IN_CYCLES_MAX} may: take out calls back to a caller");
        return Err(check.document.problem(message, 0..1).help(help).into());
    }
    if let Some(cycle) = application.unbounded_cycle() {
        let names: Vec<&str> =
            cycle.services.iter().map(|&id| application.services[id].name.as_str()).collect();
        let message = format!(
            "the calls {} feed themselves: each generation of calls is {:.3} times as large as the one before",
            names.join(" -> "),
            cycle.spectral_radius
        );
        let of_service = || scenario.services.get(*names.first()?).map(Spanned::span);
        let span = scenario.workmodels().next().map(|(_, path)| path.span()).or_else(of_service);
        check.problem(message, span.unwrap_or(0..1), "lower a probability until it is below 1");
    }
    pool_sizes(check, scenario, &mut application);
    for service in application.services.iter_mut() {
        let tenant = scenario.tenant(service.tenant);
        let written = scenario.services.get(&service.name).map(|it| &it.get_ref().resources);
        let of_all = scenario.application.cpu_limit.as_ref();
        let common = tenants::value(tenant, |it| it.cpu_limit.as_ref(), of_all);
        for limit in [common, written.and_then(|it| it.limits.cpu.as_ref())].into_iter().flatten() {
            service.cpu_limit = Some(resources::cpu_limit(check, limit));
        }
        let own = written.and_then(|it| it.requests.cpu.as_ref());
        let of_all = scenario.application.cpu_request.as_ref();
        if let Some(request) = own.or(tenants::value(tenant, |it| it.cpu_request.as_ref(), of_all)) {
            resources::cores(check, request, "a CPU request");
            service.cpu_request = Some(request.get_ref().0);
        }
    }
    Ok((application, warnings))
}

/// How many connections to a service the processes of its callers keep.
fn pool_sizes(check: &mut Check<'_>, scenario: &Scenario, application: &mut Application) {
    let ids: Vec<ServiceId> = application.services.ids().collect();
    for id in ids {
        let name = &application.services[id].name;
        let Some(service) = scenario.services.get(name).map(Spanned::get_ref) else { continue };
        let Some(size) = &service.pool_size else { continue };
        if !application.services.ids().any(|other| application.calls(other, id)) {
            let message = format!("pool_size has no effect: no service calls `{name}`");
            check.problem(message, size.span(), "take it out: it is the pool of those who call");
        }
        if let Some(protocol) =
            service.protocol.as_ref().filter(|it| services::protocol(*it.get_ref()).shares_connections())
        {
            let message = format!("pool_size has no effect: calls to `{name}` share a connection");
            check.problem(message, protocol.span(), "take it out, or write protocol = \"http1\" or \"tcp\"");
        }
        application.services[id].pool_size = bounded_u32(check, Some(size), "pool_size", 1, 100_000);
    }
}

/// The services of the work models, with the laws that take the place of their functions.
fn of_workmodels(
    check: &mut Check<'_>,
    scenario: &Scenario,
    workmodels: &WorkModels,
    own: &BTreeMap<String, u16>,
) -> Checked<(Application, Vec<Problem>)> {
    let mut warnings = Vec::new();
    let mut read: Vec<(&str, WorkModel)> = Vec::new();
    for (tenant, text) in workmodels {
        read.push((tenant, mubench::read(text)?));
    }
    let names: Vec<Vec<String>> = read
        .iter()
        .map(|(_, it)| it.application.services.iter().map(|it| it.name.clone()).collect())
        .collect();
    let mut application = Application::default();
    for (index, (tenant, model)) in read.into_iter().enumerate() {
        let others = names.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, it)| it);
        let others: Vec<&str> = others.chain(own.keys()).map(String::as_str).collect();
        let WorkModel { application: mut part, warnings: of_model, without_function } = model;
        warnings.extend(of_model);
        let name = |name: &str| tenants::qualified(name, tenant, &others);
        // A law says all of what a function would.
        let has_law = |service: &str| {
            scenario.services.get(&name(service)).is_some_and(|it| it.get_ref().service_time.is_some())
        };
        let unknown = without_function.into_iter().filter(|(service, _)| !has_law(service));
        check.problems.extend(unknown.map(|(_, problem)| problem));
        part.services.iter_mut().for_each(|service| service.name = name(&service.name));
        let number = scenario.applications.keys().position(|it| it == tenant).unwrap_or(0);
        application.append(&part, number as u16);
    }
    versions::add_to(&mut application, scenario);
    for service in &application.services {
        // A name that no service has is reported with what the mesh is told.
        let Some(written) = scenario.services.get(&service.name) else { continue };
        refuse_beside_workmodel(check, written.get_ref());
        let front = versions::version_of(scenario, &service.name).and_then(|it| scenario.services.get(it));
        let of_front = front.and_then(|it| it.get_ref().service_time.as_ref());
        let law = written.get_ref().service_time.as_ref().or(of_front);
        application.endpoints[service.endpoint].service_time =
            law.and_then(|it| law::resolve(check, it, "service_time"));
    }
    Ok((application, warnings))
}

/// What a work model says is not said again.
fn refuse_beside_workmodel(check: &mut Check<'_>, written: &Service) {
    let keys = [
        ("endpoints", written.endpoints.values().next().map(Spanned::span)),
        ("workers", written.workers.as_ref().map(Spanned::span)),
        ("threads", written.threads.as_ref().map(Spanned::span)),
        ("wait", written.wait.as_ref().map(Spanned::span)),
        ("external", written.external.as_ref().map(Spanned::span)),
    ];
    let help = "change it there, or take the work model out and say it of every service here";
    check.refuse(keys, help, |key| format!("the work model says the {key} of services"));
}

/// Costs of the cells of a work model, which nothing else has.
fn refuse_costs(check: &mut Check<'_>, cell: &schema::Cell) {
    let times = [
        ("request", &cell.request),
        ("response", &cell.response),
        ("body_per_kb", &cell.body_per_kb),
        ("pi_per_digit", &cell.pi_per_digit),
        ("pi_per_digit_squared", &cell.pi_per_digit_squared),
        ("memory_per_kb", &cell.memory_per_kb),
        ("memory_per_operation", &cell.memory_per_operation),
        ("disk_per_block", &cell.disk_per_block),
        ("disk_per_kb", &cell.disk_per_kb),
        ("disk_sync", &cell.disk_sync),
        ("disk_sync_per_kb", &cell.disk_sync_per_kb),
        ("call", &cell.call),
        ("group", &cell.group),
    ];
    let times = times.into_iter().map(|(key, it)| (key, it.as_ref().map(Spanned::span)));
    let spread = cell.speed_spread.as_ref().map(Spanned::span);
    let help = "take it out: what endpoints cost is their service_time";
    check.refuse(times.chain([("speed_spread", spread)]), help, |key| {
        format!("cell.{key} is of the services of a work model, and there is none")
    });
}

/// What the cells' work costs.
pub(super) fn cell(check: &mut Check<'_>, scenario: &Scenario) -> CellSettings {
    let cell = &scenario.cell;
    let mut default = CellSettings::default();
    if scenario.workmodels().next().is_none() {
        refuse_costs(check, cell);
        default.keep_alive = DEFAULT_KEEP_ALIVE;
    }
    let costs = default.costs;
    let mut ms = |value: Option<&schema::Duration>, key: &str, default_ms: f64| match value {
        None => default_ms,
        Some(_) => check.cost(value, key, SimDuration::ZERO).as_millis_f64(),
    };
    CellSettings {
        costs: CellCosts {
            request_ms: ms(cell.request.as_ref(), "request", costs.request_ms),
            response_ms: ms(cell.response.as_ref(), "response", costs.response_ms),
            body_ms_per_kb: ms(cell.body_per_kb.as_ref(), "body_per_kb", costs.body_ms_per_kb),
            pi_ms_per_digit: ms(cell.pi_per_digit.as_ref(), "pi_per_digit", costs.pi_ms_per_digit),
            pi_ms_per_digit_squared: ms(
                cell.pi_per_digit_squared.as_ref(),
                "pi_per_digit_squared",
                costs.pi_ms_per_digit_squared,
            ),
            memory_ms_per_kb: ms(cell.memory_per_kb.as_ref(), "memory_per_kb", costs.memory_ms_per_kb),
            memory_ms_per_operation: ms(
                cell.memory_per_operation.as_ref(),
                "memory_per_operation",
                costs.memory_ms_per_operation,
            ),
            disk_ms_per_block: ms(cell.disk_per_block.as_ref(), "disk_per_block", costs.disk_ms_per_block),
            disk_ms_per_kb: ms(cell.disk_per_kb.as_ref(), "disk_per_kb", costs.disk_ms_per_kb),
            disk_sync_ms: ms(cell.disk_sync.as_ref(), "disk_sync", costs.disk_sync_ms),
            disk_sync_ms_per_kb: ms(
                cell.disk_sync_per_kb.as_ref(),
                "disk_sync_per_kb",
                costs.disk_sync_ms_per_kb,
            ),
            call_ms: ms(cell.call.as_ref(), "call", costs.call_ms),
            group_ms: ms(cell.group.as_ref(), "group", costs.group_ms),
            cpu_scale: bounded(check, cell.cpu_scale.as_ref(), "a CPU scale", costs.cpu_scale, 0.0, 1e3),
        },
        speed_spread: spread(check, cell.speed_spread.as_ref(), default.speed_spread),
        keep_alive: check.duration(cell.keep_alive.as_ref(), "keep_alive", default.keep_alive, 0),
        http2_keep_alive: check.duration(cell.keep_alive.as_ref(), "keep_alive", default.http2_keep_alive, 0),
        client_timeout: patience(check, cell.client_timeout.as_ref(), "client_timeout"),
    }
}
