//! What the pods of each service need: requests, image, nodes, roll-outs, their start.

use super::check::Check;
use super::resources::{bytes, milli, requests};
use super::taints::tolerations;
use super::tenants;
use crate::problem::Problem;
use crate::schema::Scenario;
use crate::schema::kubernetes as typed;
use crate::schema::quantity::NumberOrText;
use crate::schema::services::Service;
use crate::schema::spanned::Spanned;
use meshsim_core::{SimDuration, Table};
use meshsim_models::application::call_graph::{Application, Service as Called};
use meshsim_models::ids::ServiceId;
use meshsim_models::kubernetes::deployment::{PodCount, Rollout};
use meshsim_models::kubernetes::scheduler::node_affinity::{NodeSelector, labels_in};
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::kubernetes::settings::{StartWhen, StartWork, WorkloadSettings};

/// The image of µBench's cell, compressed.
const DEFAULT_IMAGE_BYTES: f64 = 400e6;

/// What Istio's injection template requests for a sidecar.
const SIDECAR_REQUESTS: (u64, u64) = (100, 128 << 20);

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
) -> Table<ServiceId, WorkloadSettings> {
    let sidecar = match &scenario.mesh.sidecar.requests {
        Some(written) => requests(check, written),
        None => ResourceList::new(SIDECAR_REQUESTS.0, SIDECAR_REQUESTS.1),
    };
    let default_image = bytes(check, scenario.pods.image_size.as_ref(), "image_size", DEFAULT_IMAGE_BYTES);
    let mut images: Vec<String> = Vec::new();
    let mut workload = |service: &Called| {
        let written = scenario.services.get(&service.name).map(Spanned::get_ref);
        let (image, image_bytes) = image(check, written, &mut images).unwrap_or((0, default_image));
        WorkloadSettings {
            application: application_requests(check, scenario, service, written),
            sidecar: sidecar.clone(),
            image,
            image_bytes,
            node_selector: node_selector(check, scenario, service),
            tolerations: tolerations(check, written),
            rollout: written.map_or_else(Rollout::default, |it| rollout(check, it)),
            start: written.and_then(|it| it.start.as_ref()).map(|it| start(check, it.get_ref())),
        }
    };
    application.services.iter().map(&mut workload).collect()
}

/// Labels of nodes, if any are asked for.
fn node_selector(check: &mut Check<'_>, scenario: &Scenario, service: &Called) -> Option<NodeSelector> {
    let written = scenario.services.get(&service.name)?;
    let term = labels_in(&written.get_ref().node_selector);
    if let Some(invalid) = term.iter().find(|it| !it.is_valid()) {
        let (key, values) = (&invalid.key, invalid.values.join("`, `"));
        let message = format!(
            "`{}` asks for nodes with the label `{key}` of `{values}`, which none can have",
            service.name
        );
        let help = "write `key = [\"value\", ...]` of letters, digits, `-`, `_` and `.`, at most 63 of them";
        check.problem(message, written.span(), help);
    }
    (!term.is_empty()).then(|| vec![term])
}

fn application_requests(
    check: &mut Check<'_>,
    scenario: &Scenario,
    service: &Called,
    written: Option<&Service>,
) -> ResourceList {
    let mut list = ResourceList::default();
    // As Kubernetes does, a limit stands in for a request that is not written.
    if let Some(cores) = service.cpu_request.or(service.cpu_limit) {
        list.set(Resource::CPU, milli(cores));
    }
    if let Some((request, limit)) = service.cpu_request.zip(service.cpu_limit)
        && request.0 > limit.0
    {
        let name = &service.name;
        let message = format!("pods of `{name}` request {} cores and may use {} at most", request.0, limit.0);
        let written = written.and_then(|it| it.resources.requests.cpu.as_ref()).map(Spanned::span);
        let location = written.and_then(|span| check.document.location(span));
        let help = "a request is at most the limit: Kubernetes refuses others".to_owned();
        check.problems.push(Problem { message, location, help: Some(help) });
    }
    let own = written.and_then(|it| it.resources.requests.memory.as_ref());
    let of_all = scenario.application.memory_request.as_ref();
    let tenant = scenario.tenant(service.tenant);
    let memory = own.or(tenants::value(tenant, |it| it.memory_request.as_ref(), of_all));
    if memory.is_some() {
        list.set(Resource::MEMORY, bytes(check, memory, "a memory request", 0.0) as u64);
    }
    list
}

/// The number and size of an image of its own; the common one is number 0.
fn image(check: &mut Check<'_>, written: Option<&Service>, images: &mut Vec<String>) -> Option<(u32, f64)> {
    let image = written?.image.as_ref()?;
    let name = image.name.get_ref();
    let known = images.iter().position(|other| other == name);
    let index = known.unwrap_or_else(|| {
        images.push(name.clone());
        images.len() - 1
    });
    Some((index as u32 + 1, bytes(check, Some(&image.size), "an image", DEFAULT_IMAGE_BYTES)))
}

fn rollout(check: &mut Check<'_>, written: &Service) -> Rollout {
    let default = Rollout::default();
    let mut count = |value: Option<&Spanned<NumberOrText>>, key: &str, default: PodCount, most: u32| {
        let Some(value) = value else { return default };
        let number = match value.get_ref() {
            NumberOrText::Number(number) if number.fract() == 0.0 && (0.0..=1e6).contains(number) => {
                Some(PodCount::Pods(*number as u32))
            }
            NumberOrText::Text(text) => text
                .strip_suffix('%')
                .and_then(|percent| percent.trim().parse::<u32>().ok())
                .filter(|percent| *percent <= most)
                .map(PodCount::Percent),
            NumberOrText::Number(_) => None,
        };
        number.unwrap_or_else(|| {
            let message = format!(
                "{key} = {} is neither a number of pods nor a percentage up to {most}",
                value.get_ref()
            );
            check.problem(message, value.span(), format!("write {key} = 1 or {key} = \"25%\""));
            default
        })
    };
    let typed = &written.rolling_update;
    let max_surge = count(typed.max_surge.as_ref(), "max_surge", default.max_surge, 1_000);
    let max_unavailable =
        count(typed.max_unavailable.as_ref(), "max_unavailable", default.max_unavailable, 100);
    let is_none = |it| matches!(it, PodCount::Pods(0) | PodCount::Percent(0));
    if let Some(written) = typed.max_unavailable.as_ref()
        && is_none(max_surge)
        && is_none(max_unavailable)
    {
        let message = "max_surge and max_unavailable are both 0: no pod could ever be replaced";
        check.problem(message, written.span(), "one of them is at least 1, or \"1%\"");
    }
    Rollout { max_surge, max_unavailable }
}

/// CPU that an application burns when it starts.
fn start(check: &mut Check<'_>, written: &typed::Start) -> StartWork {
    let cores = written.cpu.get_ref().0.0;
    if !(0.001..=1_000.0).contains(&cores) {
        let message = format!("a start that wants {cores} cores is out of range");
        check.problem(message, written.cpu.span(), "it is \"1m\" to \"1000\"");
    }
    let lasts = check.cost(Some(&written.lasts), "for", SimDuration::ZERO);
    let when = match written.until {
        typed::StartUntil::Ready => StartWhen::UntilReady,
        typed::StartUntil::AfterReady => StartWhen::AfterReady,
    };
    StartWork { cores, lasts, when }
}
