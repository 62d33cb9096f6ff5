//! Manifests of Kubernetes, Istio and Liqo to a scenario, and what became of each of their fields.
//!
//! # Models
//! Files become trees of values (`yaml`), of which each reader takes what it knows (`services`, `service_entries`, `workloads`,
//! `destination_rules`, `virtual_services`, `gateway_api`, `autoscalers`, `access`, `nodes`, `liqo`, `config_maps`) and says so in the value. What no
//! manifest holds comes from options, and is an error where it is missing. When all is done the report looks at every value:
//! used; ignored and harmless, with the reason; or ignored although results hang on it, which is an error unless it is allowed.
//!
//! # Assumptions
//! Pods of one API server are told apart by the label `topology.kubernetes.io/zone` of the nodes that they require, as in
//! FLUIDOS-MESH's manifests. Effect: Deployments without it need `--cluster`.
//! Without a work model a service takes 1 ms of CPU and calls nobody. The report names each.
//!
//! # Source
//! The API references of Kubernetes 1.33, Istio 1.26, the Gateway API 1.3 and Liqo 1.0; fields and kinds as they occur in public repositories.

pub(crate) mod access;
pub(crate) mod autoscalers;
mod circumstances;
mod config_maps;
mod content;
pub(crate) mod destination_rules;
mod gateway_api;
mod harmless;
mod liqo;
mod load;
mod matters;
mod model;
mod node;
mod nodes;
mod object;
mod options;
pub(crate) mod overlay;
mod pod_life;
mod report;
mod resource_quotas;
mod scenario;
mod service_entries;
pub(crate) mod services;
pub(crate) mod sidecars;
mod telemetry;
pub(crate) mod translate;
mod users;
pub(crate) mod virtual_services;
mod work_models;
pub(crate) mod workloads;
pub(crate) mod write;
mod yaml;

#[cfg(test)]
mod tests;

pub use object::{Input, Text};
pub use options::{Link, Measured, Nodes, Options, Users};
pub use overlay::Overlay;
pub use write::BEGIN;
pub(in crate::import) use write::key as toml_key;

use crate::problem::Checked;
use meshsim_models::application::call_graph::Application;
use model::Model;
use object::{Found, Object};
use options::Amount;
use std::collections::{BTreeMap, BTreeSet};
use toml::Table;

/// What manifests come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The scenario, as TOML.
    pub scenario: String,
    /// The work model beside it, `workmodel.json`.
    pub workmodel: Option<String>,
    /// Recorded arrivals beside it, by their names.
    pub files: Vec<(String, String)>,
    /// What became of every object and field, as Markdown.
    pub report: String,
}

/// Reads manifests and writes what they come to.
///
/// # Errors
/// If a manifest cannot be read or is wrong, an option is missing, or something is ignored on which results hang and that is
/// not allowed: each with its file and line.
pub fn import(options: &Options) -> Checked<Imported> {
    let none = Overlay::default();
    let overlay = options.overlay.as_ref().unwrap_or(&none);
    let mut found = object::read(&options.inputs, &options.texts)?;
    for (index, users) in options.users.iter().enumerate() {
        if let Amount::File(path) = &users.amount {
            found.loads.insert(index, load::file(path)?);
        }
    }
    let asked = match &options.measured {
        Some(measured) => overlay.asked_over(&measured.overlay)?,
        None => overlay.clone(),
    };
    let mut read = read(options, &found, &asked)?;
    let report = report::Report::new(&found)?;
    report.judge(&options.allow)?;
    if let Some(measured) = &options.measured {
        read.tables = measured.overlay.over(read.tables)?;
    }
    read.tables = overlay.over(read.tables)?;
    Ok(Imported {
        scenario: scenario::text(&read.tables, &read.comments),
        workmodel: read.model.workmodel.clone(),
        files: [std::mem::take(&mut read.model.files), overlay.recordings.clone()].concat(),
        report: report.text(&read.model.assumed),
    })
}

/// The tables of a scenario that manifests which are texts come to, beside an overlay that is asked and not merged.
///
/// # Errors
/// As [`import`].
pub(crate) fn tables(options: &Options, beside: &Overlay) -> Checked<Table> {
    let found = object::read(&options.inputs, &options.texts)?;
    let read = read(options, &found, beside)?;
    report::Report::new(&found)?.judge(&options.allow)?;
    Ok(read.tables)
}

/// What objects come to.
struct Read<'a> {
    model: Model<'a>,
    tables: Table,
    /// What stands before tables and keys, by their paths.
    comments: BTreeMap<String, String>,
}

fn read<'a>(options: &Options, found: &'a Found, overlay: &Overlay) -> Checked<Read<'a>> {
    mark_repeated(found);
    let mut names = BTreeSet::new();
    let mut all = services::collect(&found.objects, &mut names);
    service_entries::collect(&found.objects, &mut names, &mut all);
    let mut model = Model::of(all);
    config_maps::apply(&found.objects, &mut model)?;
    work_models::apply(&found.objects, options.seed, &mut model)?;
    if options.measured.is_some() && model.workmodel.take().is_some() {
        model.application = Application::default();
        model.assumed.push("what services do is as it was measured, not as the work model says".to_owned());
    }
    destination_rules::apply(&found.objects, &mut model);
    let only = only_cluster(options, overlay, &found.objects);
    workloads::collect(&found.objects, &workloads::Around { only, overlay }, &mut model);
    autoscalers::apply(&found.objects, &mut model);
    let called = match &options.measured {
        Some(measured) => measured.called.clone(),
        None => config_maps::called(&model),
    };
    virtual_services::apply(&found.objects, &mut model, &called);
    gateway_api::apply(&found.objects, &mut model);
    access::apply(&found.objects, &mut model);
    telemetry::apply(&found.objects, &mut model);
    resource_quotas::judge(&found.objects, &model);
    nodes::apply(&found.objects, &mut model);
    liqo::apply(&found.objects, overlay, &mut model);
    circumstances::judge(options, overlay, &mut model);
    // What is wrong in a file is said before what is missing beside it.
    report::Report::new(found)?;
    let (tables, comments) = scenario::tables(options, found, overlay, &mut model)?;
    Ok(Read { model, tables, comments })
}

/// The cluster of objects that name none, if options and nodes know one alone.
fn only_cluster<'a>(options: &'a Options, overlay: &'a Overlay, objects: &'a [Object]) -> Option<&'a str> {
    let named = options.nodes.iter().map(|it| it.cluster.as_str());
    let of_files = options.inputs.iter().filter_map(|it| it.cluster.as_deref());
    let of_nodes = objects.iter().filter(|it| it.is("", "Node")).filter_map(nodes::zone);
    let of_overlay = overlay.names("clusters").map(String::as_str);
    let mut names: Vec<&str> = named.chain(of_files).chain(of_nodes).chain(of_overlay).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Objects that are there twice: what all clusters have is taken once, and what one has twice is an error.
fn mark_repeated(found: &Found) {
    let mut first: BTreeMap<(&str, &str, &str, &str, Option<&str>), &Object> = BTreeMap::new();
    for it in found.objects.iter().filter(|it| harmless::is_known(it)) {
        let is_of_a_cluster = workloads::is_workload(it) || it.group == "autoscaling" || it.is("", "Node");
        let cluster = it.cluster.as_deref().filter(|_| is_of_a_cluster);
        let key = (it.group.as_str(), it.kind.as_str(), it.namespace(), it.name.as_str(), cluster);
        let Some(known) = first.get(&key) else {
            first.insert(key, it);
            continue;
        };
        let at = known.first_line();
        if is_of_a_cluster || known.cluster == it.cluster {
            it.root.wrong(
                format!("{} is there twice", it.title()),
                format!("the first is at {at}: take one out"),
            );
        } else if it.root.says_the_same(&known.root) {
            it.root.harmless(format!("other clusters have the same, {at}"));
        } else {
            it.root.matters(format!(
                "a scenario has one for all clusters: that of {at}, which says something else"
            ));
        }
    }
}
