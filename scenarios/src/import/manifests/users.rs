//! Users: what options and files of load generators say of them, and what they request.

use super::config_maps;
use super::load::{self, Load};
use super::model::{Model, Service};
use super::object::Found;
use super::options::{Amount, Options, Users};
use super::report::Report;
use super::translate::put;
use crate::problem::{Checked, Problem};
use meshsim_models::application::call_graph::DEFAULT_ENDPOINT;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Who requests what: what gateways lead to, unless the option or the file of a load generator says it.
pub(super) fn add(all: &mut Table, options: &Options, found: &Found, model: &mut Model<'_>) -> Checked<()> {
    let mut tables = Table::new();
    let loads: BTreeMap<usize, Load> =
        found.loads.iter().map(|(index, it)| (*index, load::read(it, &options.properties))).collect();
    // What is wrong in a file is said before what it comes to.
    Report::new(found)?;
    let ends: Option<Vec<_>> = loads.values().map(Load::end).collect();
    let end = ends.and_then(|it| it.into_iter().max()).filter(|_| !loads.is_empty());
    for (index, it) in options.users.iter().enumerate() {
        match (&it.amount, loads.get(&index)) {
            (Amount::Rate(rate), _) => {
                let service = service_of(model, it, &[])?;
                let keys = Table::from_iter([("rate".to_owned(), Value::String(rate.clone()))]);
                add_users(&mut tables, &it.cluster, "", service, keys)?;
            }
            (Amount::File(_), Some(load)) => {
                for group in &load.groups {
                    let service = service_of(model, it, &group.services)?;
                    add_users(&mut tables, &it.cluster, &group.name, service, group.keys(end))?;
                }
            }
            (Amount::File(_), None) => {}
        }
    }
    if let Some(end) = end {
        put(all, "run.duration", Value::String(end.to_string()));
    }
    for load in loads.into_values() {
        model.assumed.extend(load.assumed);
        model.files.extend(load.files);
    }
    model.files.dedup();
    if !tables.is_empty() {
        all.insert("users".to_owned(), Value::Table(tables));
    }
    Ok(())
}

/// A population under the name of its cluster, or with what tells it from others behind that.
fn add_users(
    tables: &mut Table,
    cluster: &str,
    group: &str,
    requested: Requested,
    keys: Table,
) -> Checked<()> {
    let (key, value, service) = match requested {
        Requested::Service(name) => ("service", Value::String(name.clone()), name),
        Requested::Journey(names) => {
            let step = |name: &String| {
                let request = format!("{name}.{DEFAULT_ENDPOINT}");
                Value::Table(Table::from_iter([("request".to_owned(), Value::String(request))]))
            };
            ("journey", Value::Array(names.iter().map(step).collect()), names.join("-"))
        }
    };
    let mut name = match group.is_empty() {
        true => cluster.to_owned(),
        false => format!("{cluster}-{}", group.replace('.', "-")),
    };
    if tables.contains_key(&name) && group.is_empty() {
        name = format!("{cluster}-{service}");
    }
    let mut table = Table::from_iter([
        ("cluster".to_owned(), Value::String(cluster.to_owned())),
        (key.to_owned(), value),
    ]);
    table.extend(keys);
    if tables.insert(name.clone(), Value::Table(table)).is_some() {
        let problem = Problem::new(format!("--users says twice what the users of `{name}` request"));
        return Err(problem.help("add the rates up").into());
    }
    Ok(())
}

/// What a population requests.
enum Requested {
    Service(String),
    /// The services of each step.
    Journey(Vec<String>),
}

/// What users request: what the option says, else what their file names, else what gateways lead to.
fn service_of(model: &Model<'_>, users: &Users, named: &[String]) -> Checked<Requested> {
    let of_work_model = model.application.services.iter().map(|it| it.name.as_str());
    let known: BTreeSet<&str> =
        model.services.iter().map(|it| it.name.as_str()).chain(of_work_model).collect();
    let silent = silent(model);
    if let Some(name) = &users.service {
        let why = match (known.contains(name.as_str()), silent.get(name.as_str())) {
            (true, None) => return Ok(Requested::Service(name.clone())),
            (true, Some(protocol)) => format!("which speaks {protocol}: users send requests of HTTP"),
            (false, _) => "which is no service".to_owned(),
        };
        let problem = Problem::new(format!("--users names `{name}`, {why}"));
        let known: Vec<&str> = known.into_iter().filter(|it| !silent.contains_key(it)).collect();
        return Err(problem.help(said_of(&known)).into());
    }
    let are_known = !named.is_empty() && named.iter().all(|it| known.contains(it.as_str()));
    match named {
        [one] if are_known => Ok(Requested::Service(one.clone())),
        [_, _, ..] if are_known => Ok(Requested::Journey(named.to_vec())),
        _ => requested(model, &users.cluster).map(Requested::Service),
    }
}

/// Services in whose protocol nobody sends requests, with that.
fn silent<'m>(model: &'m Model<'_>) -> BTreeMap<&'m str, &'m str> {
    let spoken = |it: &'m Service<'_>| Some((it.name.as_str(), it.table.get("protocol")?.as_str()?));
    model.services.iter().filter_map(spoken).filter(|(_, it)| ["tcp", "udp"].contains(it)).collect()
}

/// Whom users may name.
fn said_of(known: &[&str]) -> String {
    match known {
        [] => "import the services that call it, too".to_owned(),
        known => format!("there are {}", known.join(", ")),
    }
}

fn requested(model: &Model<'_>, cluster: &str) -> Checked<String> {
    let running: BTreeSet<&str> =
        model.workloads.iter().map(|it| model.services[it.service].name.as_str()).collect();
    let entries = || {
        let called = config_maps::called(model);
        let all = model.application.services.iter().map(|it| it.name.as_str());
        all.filter(|it| !called.contains(*it)).collect()
    };
    let candidates: Vec<&str> = match (model.ingress.as_slice(), running.is_empty()) {
        ([], true) => entries(),
        ([], false) => running.into_iter().collect(),
        (ingress, _) => ingress.iter().map(|it| model.services[*it].name.as_str()).collect(),
    };
    let silent = silent(model);
    let spoken: Vec<&str> = candidates.into_iter().filter(|it| !silent.contains_key(it)).collect();
    match spoken.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] if !silent.is_empty() => {
            let why = format!("no service here takes requests of HTTP, which the users of `{cluster}` send");
            let help = "import the services that call these, too, and name one: --users CLUSTER:SERVICE=50/s; what a port speaks is in its name";
            Err(Problem::new(why).help(help).into())
        }
        several => {
            let why = if model.ingress.is_empty() {
                "no gateway says"
            } else {
                "gateways lead to several services"
            };
            let problem = Problem::new(format!("{why} which service the users of `{cluster}` request"));
            let example = several.first().copied().unwrap_or("SERVICE");
            let known = several.join(", ");
            Err(problem.help(format!("write --users {cluster}:{example}=50/s; there are {known}")).into())
        }
    }
}
