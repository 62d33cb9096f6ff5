//! A scenario's tables with every value where it holds: what is said once for all is said of each.
//!
//! The same scenario may be written in several ways, and an import chooses one of them. So both sides are brought into this form
//! before they are compared, and objects are written from it.

use crate::import::manifests::translate::{find, put, take};
use meshsim_models::units::Cores;
use meshsim_models::world::description::{Description, Federation};
use toml::{Table, Value};

/// Writes out what a scenario says; `description` is what that or an equal one comes to.
pub(super) fn written_out(mut all: Table, description: &Description) -> Table {
    if find(&all, "application.workmodel").is_some() {
        put(&mut all, "application.workmodel", text("workmodel.json"));
    }
    if find(&all, "mesh.data_plane").is_none() {
        put(&mut all, "mesh.data_plane", text("sidecar"));
    }
    policies(&mut all, description);
    faults(&mut all);
    namespaces(&mut all, description);
    resources(&mut all, description);
    own_pods(&mut all, description);
    clusters(&mut all, description);
    autoscalers(&mut all, description);
    let of_all = [
        "mesh.traffic_policy",
        "application.cpu_request",
        "application.cpu_limit",
        "application.memory_request",
        "application.namespace",
        "hpa",
        "liqo.slice",
    ];
    of_all.iter().for_each(|path| take(&mut all, path));
    // What says the default, or nothing.
    if find(&all, "pods.pre_stop").and_then(Value::as_str) == Some("0s") {
        take(&mut all, "pods.pre_stop");
    }
    for (_, service) in all.get_mut("services").and_then(Value::as_table_mut).into_iter().flatten() {
        let Some(service) = service.as_table_mut() else { continue };
        if service.get("routes").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            service.remove("routes");
        }
    }
    // Of other strategies, which are not exported.
    take(&mut all, "run.baseline");
    all
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Whether anything is written under the name of a service.
fn of_service<'t>(all: &'t Table, service: &str, path: &str) -> Option<&'t Value> {
    find(all.get("services")?.get(service)?.as_table()?, path)
}

/// Puts a value of a service, whose name may have dots.
fn put_of(all: &mut Table, table: &str, name: &str, path: &str, value: Value) {
    let tables = all.entry(table).or_insert_with(|| Value::Table(Table::new()));
    if let Some(Value::Table(own)) =
        tables.as_table_mut().map(|it| it.entry(name).or_insert_with(|| Value::Table(Table::new())))
    {
        put(own, path, value);
    }
}

/// The mesh's DestinationRule holds for services without one of their own.
fn policies(all: &mut Table, description: &Description) {
    let Some(of_mesh) = find(all, "mesh.traffic_policy").cloned() else { return };
    for (id, service) in description.application.services.enumerate() {
        let is_said = ["traffic_policy", "subsets", "version_of"]
            .iter()
            .any(|it| of_service(all, &service.name, it).is_some());
        let is_seen = description.services[id].protocol.without_requests() != Some("udp");
        if !is_said && is_seen {
            let mut policy = of_mesh.clone();
            if let (Some("tcp"), Value::Table(policy)) =
                (description.services[id].protocol.without_requests(), &mut policy)
            {
                // What a rule for all says of requests is nothing to who speaks TCP, and a rule of its own may not say it.
                for path in ["connection_pool.http", "retry_budget", "load_balancer.consistent_hash"] {
                    take(policy, path);
                }
            }
            put_of(all, "services", &service.name, "traffic_policy", policy);
        }
    }
}

/// Of how many requests a fault is: of all, which Istio has said.
fn faults(all: &mut Table) {
    for (_, service) in all.get_mut("services").and_then(Value::as_table_mut).into_iter().flatten() {
        let routes = service.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten();
        for fault in routes.filter_map(|it| it.get_mut("fault")?.as_table_mut()) {
            for (_, kind) in fault.iter_mut() {
                if let Some(kind) = kind.as_table_mut() {
                    kind.entry("percentage").or_insert(Value::Float(100.0));
                }
            }
        }
    }
}

/// The namespace of services that name none.
fn namespaces(all: &mut Table, description: &Description) {
    let Some(of_all) = find(all, "application.namespace").cloned() else { return };
    for service in &description.application.services {
        if of_service(all, &service.name, "namespace").is_none() {
            put_of(all, "services", &service.name, "namespace", of_all.clone());
        }
    }
}

fn resources(all: &mut Table, description: &Description) {
    for (id, service) in description.application.services.enumerate() {
        if description.services[id].external {
            continue;
        }
        let tenant = description.application.tenants.get(usize::from(service.tenant));
        let of_tenant =
            tenant.and_then(|it| all.get("applications")?.get(it)?.get("memory_request").cloned());
        let memory = of_service(all, &service.name, "resources.requests.memory").cloned();
        let memory = memory.or(of_tenant).or_else(|| find(all, "application.memory_request").cloned());
        let of_all = |path: &str| find(all, path).cloned();
        let values = [
            ("resources.requests.cpu", of_all("application.cpu_request").or(service.cpu_request.map(cores))),
            ("resources.limits.cpu", of_all("application.cpu_limit").or(service.cpu_limit.map(cores))),
            ("resources.requests.memory", memory),
        ];
        for (path, value) in values {
            if let Some(value) = value.filter(|_| of_service(all, &service.name, path).is_none()) {
                put_of(all, "services", &service.name, path, value);
            }
        }
    }
    for (_, tenant) in all.get_mut("applications").and_then(Value::as_table_mut).into_iter().flatten() {
        for key in ["cpu_request", "cpu_limit", "memory_request"] {
            tenant.as_table_mut().and_then(|it| it.remove(key));
        }
    }
}

/// Where pods of some services come and go in a way of their own, it is said of each service how its pods do.
fn own_pods(all: &mut Table, description: &Description) {
    const KEYS: [&str; 5] = [
        "pods.termination_grace_period",
        "pods.pre_stop",
        "pods.readiness_probe.enabled",
        "pods.readiness_probe.initial_delay",
        "pods.readiness_probe.period",
    ];
    let all_services = description.application.services.enumerate();
    let inside = all_services.filter(|(id, _)| !description.services[*id].external);
    let services: Vec<&String> = inside.map(|(_, it)| &it.name).collect();
    if !services.iter().any(|it| of_service(all, it, "pods").is_some()) {
        return;
    }
    for key in KEYS {
        let Some(of_all) = find(all, key).cloned() else { continue };
        for service in &services {
            if of_service(all, service, key).is_none() {
                put_of(all, "services", service, key, of_all.clone());
            }
        }
        take(all, key);
    }
}

/// As Kubernetes writes an amount of CPU.
fn cores(cores: Cores) -> Value {
    let milli = cores.0 * 1e3;
    match (milli - milli.round()).abs() < 1e-9 {
        true => text(&format!("{}m", milli.round())),
        false => text(&cores.0.to_string()),
    }
}

/// Services by their names and their numbers of pods.
fn clusters(all: &mut Table, description: &Description) {
    let services = description.application.services.enumerate();
    let inside: Vec<(&str, u32)> = services
        .filter(|(id, _)| !description.services[*id].external)
        .map(|(_, it)| (it.name.as_str(), it.replicas))
        .collect();
    for (_, cluster) in all.get_mut("clusters").and_then(Value::as_table_mut).into_iter().flatten() {
        let Some(cluster) = cluster.as_table_mut() else { continue };
        let mut named: Vec<String> = match cluster.get("services") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => inside.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        named.sort();
        let mut replicas = match cluster.remove("replicas") {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        };
        for name in &named {
            let usual = inside.iter().find(|(known, _)| known == name).map_or(1, |(_, replicas)| *replicas);
            replicas.entry(name.clone()).or_insert(Value::Integer(i64::from(usual)));
        }
        replicas.retain(|name, _| named.iter().any(|it| it == name));
        cluster.insert("services".to_owned(), Value::Array(named.into_iter().map(Value::String).collect()));
        if !replicas.is_empty() {
            cluster.insert("replicas".to_owned(), Value::Table(replicas));
        }
    }
}

/// An autoscaler of each Deployment that has one, now or later.
fn autoscalers(all: &mut Table, description: &Description) {
    let mut found = Vec::new();
    for it in &description.deployments {
        let service = &description.application.services[it.service].name;
        let cluster = &description.clusters[it.cluster].name;
        let own = all.get("clusters").and_then(|it| it.get(cluster)?.get("hpa")?.get(service));
        let written = [own, of_service(all, service, "hpa"), all.get("hpa")];
        let mut merged = Table::new();
        for table in written.into_iter().flatten().filter_map(Value::as_table) {
            for (key, value) in table {
                merged.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let is_there = merged.remove("enabled") != Some(Value::Boolean(false));
        if is_there && !merged.is_empty() && !description.services[it.service].external {
            found.push((cluster.clone(), service.clone(), merged));
        }
    }
    for (_, cluster) in all.get_mut("clusters").and_then(Value::as_table_mut).into_iter().flatten() {
        cluster.as_table_mut().and_then(|it| it.remove("hpa"));
    }
    for (_, service) in all.get_mut("services").and_then(Value::as_table_mut).into_iter().flatten() {
        service.as_table_mut().and_then(|it| it.remove("hpa"));
    }
    for (cluster, service, hpa) in found {
        let tables =
            all.get_mut("clusters").and_then(|it| it.get_mut(&cluster)).and_then(Value::as_table_mut);
        let Some(tables) = tables else { continue };
        let hpas = tables.entry("hpa").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(hpas) = hpas {
            hpas.insert(service, Value::Table(hpa));
        }
    }
}

/// Writes out what each provider grants, where all do it alike or links alone say who peers, and whose pods may run elsewhere.
pub(super) fn federation(all: &mut Table, description: &Description) {
    let Some(Federation::Liqo(settings)) = &description.federation else { return };
    let of_all = find(all, "liqo.slice").and_then(Value::as_table).cloned().unwrap_or_default();
    let enforcement = find(all, "liqo.enforcement").cloned();
    for it in &settings.peerings {
        for (key, cluster) in [("consumer", it.consumer), ("provider", it.provider)] {
            put_of(all, "peerings", &it.name, key, text(&description.clusters[cluster].name));
        }
        let own = all["peerings"].get(&it.name).and_then(|it| it.get("slice")?.as_table()).cloned();
        let mut slice = of_all.clone();
        slice.extend(own.unwrap_or_default());
        for (key, value) in slice {
            put_of(all, "peerings", &it.name, &format!("slice.{key}"), value);
        }
        if all["peerings"].get(&it.name).is_some_and(|it| it.get("enforcement").is_none())
            && let Some(enforcement) = &enforcement
        {
            put_of(all, "peerings", &it.name, "enforcement", enforcement.clone());
        }
    }
    take(all, "liqo.enforcement");
    if let Some(offloading) = &settings.offloading {
        let mut names: Vec<&str> = offloading
            .services
            .iter()
            .map(|it| description.application.services[*it].name.as_str())
            .collect();
        names.sort_unstable();
        put(all, "liqo.offloading.services", Value::Array(names.into_iter().map(text).collect()));
        if find(all, "liqo.offloading.pod_offloading_strategy").is_none() {
            put(all, "liqo.offloading.pod_offloading_strategy", text("LocalAndRemote"));
        }
    }
}
