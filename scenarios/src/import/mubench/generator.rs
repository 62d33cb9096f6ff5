//! µBench's generators: a service graph and a work model, drawn from their parameters.
//!
//! # Models
//! A graph: services one by one, each called by an earlier one, which is drawn by weights `d^power + zero_appeal` (d: services
//! that it calls already); calls are dealt out to `external_service_groups` groups in ascending order of the called; each service
//! may have a database, drawn by weights. A work model: of each service a function, drawn by probabilities among those for
//! services or those for databases (by the prefix of the name), unless it is overridden.
//!
//! # Assumptions
//! µBench draws from a generator that nobody seeds. Here a seed says what is drawn. Effect: the same recipe, another graph.
//!
//! # Source
//! µBench, `ServiceGraphGenerator/ServiceGraphGenerator.py` (igraph's `Barabasi` with m = 1, directed, edges reversed),
//! `WorkModelGenerator/WorkModelGenerator.py`.

use meshsim_core::elementary::pow;
use meshsim_core::random::{Address, Draw, uniform};
use serde_json::{Map, Value as Json, json};

/// Services at most, as of a work model.
const SERVICES_MAX: u64 = 2_000;

/// Keys of a function that become those of its service.
const OF_SERVICE: [&str; 7] =
    ["workers", "threads", "replicas", "cpu-limits", "cpu-requests", "memory-limits", "memory-requests"];

/// What a draw is for; numbers in place of the simulator's own purposes, for nothing is simulated here.
const PARENT: u32 = 0;
const PROBABILITY: u32 = 1;
const DATABASE: u32 = 2;
const FUNCTION: u32 = 3;

/// The service graph of `ServiceGraphParameters`.
///
/// # Errors
/// What is wrong in them.
pub(crate) fn service_graph(parameters: &Json, seed: u64) -> Result<Map<String, Json>, String> {
    let number = |key: &str, default: Option<f64>| {
        let value = parameters.get(key).map_or(default, Json::as_f64);
        value.filter(|it| it.is_finite() && *it >= 0.0).ok_or(format!("`{key}` is a number, zero or more"))
    };
    let count = |key: &str, most: u64| {
        let value = parameters.get(key).and_then(Json::as_u64).filter(|it| (1..=most).contains(it));
        value.ok_or(format!("`{key}` is a whole number from 1 to {most}"))
    };
    let vertices = count("vertices", SERVICES_MAX)? as usize;
    let groups = count("external_service_groups", 65_535)? as usize;
    let length = count("seq_len", 1_000_000_000)?;
    let (power, appeal) = (number("power", None)?, number("zero_appeal", None)?);
    let mut called: Vec<Vec<usize>> = vec![Vec::new(); vertices];
    for vertex in 1..vertices {
        let weight = |of: &Vec<usize>| pow(of.len() as f64, power) + appeal;
        let weights: Vec<f64> = called[..vertex].iter().map(weight).collect();
        let parent = chosen(&mut draw(seed, vertex, PARENT), &weights);
        called[parent].push(vertex);
    }
    let probability = parameters.get("service_probability");
    let model = probability.and_then(|it| it.get("model")?.as_str());
    let constant = probability.and_then(|it| it.get("params")?.get("value")?.as_f64());
    if constant.is_some_and(|it| !(0.0..=1.0).contains(&it)) {
        return Err("`service_probability.params.value` is from 0 to 1".to_owned());
    }
    let databases: Vec<(&String, f64)> = match parameters.get("dbs") {
        None => Vec::new(),
        Some(all) => all
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, weight)| weight.as_f64().filter(|it| *it >= 0.0).map(|it| (name, it)))
            .collect::<Option<_>>()
            .ok_or("`dbs` are probabilities by the names of databases")?,
    };
    let mut graph = Map::new();
    let mut used: Vec<&String> = Vec::new();
    for (vertex, calls) in called.iter().enumerate() {
        let mut rng = draw(seed, vertex, PROBABILITY);
        let mut dealt: Vec<(Vec<String>, Map<String, Json>)> = Vec::new();
        for (position, callee) in calls.iter().enumerate() {
            let group = position % groups;
            if dealt.len() == group {
                dealt.push((Vec::new(), Map::new()));
            }
            let name = format!("s{callee}");
            let probability = match (model, constant) {
                (Some("random"), _) => (uniform(&mut rng) * 1e3).round() / 1e3,
                (Some("const"), Some(value)) => value,
                (None, _) => 1.0,
                _ => return Err("`service_probability.model` is const, with a value, or random".to_owned()),
            };
            dealt[group].1.insert(name.clone(), json!(probability));
            dealt[group].0.push(name);
        }
        let groups = dealt.into_iter().map(|(services, probabilities)| {
            json!({ "seq_len": length, "services": services, "probabilities": probabilities })
        });
        let mut groups: Vec<Json> = groups.collect();
        if !databases.is_empty() {
            let weights: Vec<f64> = databases.iter().map(|(_, weight)| *weight).collect();
            let database = databases[chosen(&mut draw(seed, vertex, DATABASE), &weights)].0;
            if database != "nodb" {
                groups.push(json!({ "seq_len": 1, "services": [database] }));
                if !used.contains(&database) {
                    used.push(database);
                }
            }
        }
        graph.insert(format!("s{vertex}"), json!({ "external_services": groups }));
    }
    for database in used {
        graph.insert(database.clone(), json!({ "external_services": [] }));
    }
    Ok(graph)
}

/// The work model of a graph and of `WorkModelParameters`, and what of it is left out.
///
/// # Errors
/// What is wrong in them.
pub(crate) fn work_model(
    graph: &Map<String, Json>,
    parameters: &Json,
    seed: u64,
) -> Result<Map<String, Json>, String> {
    let value = |key: &str| parameters.get(key).and_then(|it| it.get("value"));
    let prefix = value("databases_prefix").and_then(Json::as_str).unwrap_or("sdb");
    let method = value("request_method").and_then(Json::as_str).unwrap_or("rest");
    let all = parameters.as_object().ok_or("`WorkModelParameters` is an object")?;
    let is_function = |it: &&Json| it.get("type").and_then(Json::as_str) == Some("function");
    let functions: Vec<(&String, &Json)> = all
        .iter()
        .filter(|(_, it)| is_function(it))
        .filter_map(|(name, it)| Some((name, it.get("value")?)))
        .collect();
    let of = |recipient: &str| -> Vec<(&String, &Json)> {
        let is_for = |it: &&(&String, &Json)| it.1.get("recipient").and_then(Json::as_str) == Some(recipient);
        functions.iter().filter(is_for).copied().collect()
    };
    let for_services = of("service");
    let for_databases = if of("database").is_empty() { for_services.clone() } else { of("database") };
    let mut model = Map::new();
    for (index, (name, service)) in graph.iter().enumerate() {
        let candidates = if name.starts_with(prefix) { &for_databases } else { &for_services };
        let overridden = value("override").and_then(|it| it.get(name)?.get("function_id")?.as_str());
        let function = match overridden {
            Some(wanted) => for_services.iter().find(|(id, _)| *id == wanted).ok_or(format!(
                "`override` of `{name}` names `{wanted}`, which is no function of services"
            ))?,
            None => {
                let weight = |it: &(&String, &Json)| it.1.get("probability").and_then(Json::as_f64);
                let weights: Option<Vec<f64>> = candidates.iter().map(weight).collect();
                let weights = weights
                    .filter(|all| all.iter().all(|it| *it >= 0.0) && all.iter().sum::<f64>() > 0.0)
                    .ok_or(format!("functions for `{name}` have no probabilities, or none above 0"))?;
                &candidates[chosen(&mut draw(seed, index, FUNCTION), &weights)]
            }
        };
        let (id, function) = function;
        let (Some(called), Some(parameters)) =
            (function.get("name").and_then(Json::as_str), function.get("parameters"))
        else {
            return Err(format!("function `{id}` has no name or no parameters"));
        };
        let mut own = service.as_object().cloned().unwrap_or_default();
        own.insert("internal_service".to_owned(), json!({ called: parameters }));
        own.insert("request_method".to_owned(), json!(method));
        let taken =
            OF_SERVICE.iter().filter_map(|key| Some(((*key).to_owned(), function.get(*key)?.clone())));
        own.extend(taken);
        model.insert(name.clone(), Json::Object(own));
    }
    Ok(model)
}

fn draw(seed: u64, index: usize, purpose: u32) -> Draw {
    Address::root(seed, 0).child(index as u64).draw(purpose)
}

/// Which of several is drawn, by weights; the last if they sum to nothing.
fn chosen(rng: &mut Draw, weights: &[f64]) -> usize {
    let mut left = uniform(rng) * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        if left <= *weight {
            return index;
        }
        left -= weight;
    }
    weights.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::mubench::read;
    use crate::problem::SourceText;
    use std::sync::Arc;

    fn graph(vertices: usize, power: f64, appeal: f64, more: Json) -> Json {
        let mut all = json!({ "vertices": vertices, "external_service_groups": 2, "power": power, "seq_len": 100, "zero_appeal": appeal });
        let Json::Object(more) = more else { panic!("{more} is no object") };
        all.as_object_mut().unwrap().extend(more);
        all
    }

    /// Of two services in one tree the third one's parent is drawn by 1^power + appeal against appeal.
    #[test]
    fn parents_are_drawn_by_how_many_they_call() {
        let parameters = graph(3, 1.0, 3.0, json!({}));
        let of_first = (0..20_000).filter(|seed| {
            let drawn = service_graph(&parameters, *seed).unwrap();
            drawn["s1"]["external_services"].as_array().unwrap().is_empty()
        });
        // (1 + 3) / (1 + 3 + 3), within four standard errors.
        let share = of_first.count() as f64 / 20_000.0;
        assert!((share - 4.0 / 7.0).abs() < 0.014, "{share}");
    }

    #[test]
    fn a_tree_of_so_many_services_has_databases_by_their_weights() {
        let more = json!({ "service_probability": { "model": "const", "params": { "value": 0.5 } }, "dbs": { "nodb": 0.2, "sdb1": 0.8, "sdb2": 0.0 } });
        let drawn = service_graph(&graph(500, 0.05, 3.25, more), 7).unwrap();
        assert_eq!(drawn.len(), 501);
        let text = Json::Object(drawn.clone()).to_string();
        let databases = text.matches("\"services\":[\"sdb1\"]").count();
        assert!((360..=440).contains(&databases), "{databases}");
        assert!(!text.contains("sdb2"));
        let calls: usize = drawn
            .values()
            .flat_map(|it| it["external_services"].as_array().unwrap())
            .map(|it| it["services"].as_array().unwrap().len())
            .sum();
        assert_eq!(calls, 499 + databases);
        assert!(drawn.values().all(|it| it["external_services"].as_array().unwrap().len() <= 3));
    }

    #[test]
    fn the_work_model_is_one_of_mubench() {
        let drawn = service_graph(&graph(20, 0.05, 3.25, json!({ "dbs": { "sdb1": 1 } })), 1).unwrap();
        let parameters = json!({
            "f0": { "type": "function", "value": { "name": "compute_pi", "recipient": "service", "probability": 0, "parameters": {} } },
            "f1": { "type": "function", "value": { "name": "loader", "recipient": "service", "probability": 1,
                "parameters": { "mean_response_size": 11 }, "workers": 4, "replicas": 2, "cpu-limits": "1000m" } },
            "f2": { "type": "function", "value": { "name": "loader", "recipient": "database", "probability": 1, "parameters": {} } },
            "override": { "type": "metadata", "value": { "s0": { "function_id": "f0" } } },
        });
        let model = work_model(&drawn, &parameters, 1).unwrap();
        assert!(model["s0"]["internal_service"]["compute_pi"].is_object());
        assert_eq!((&model["s1"]["replicas"], &model["s1"]["cpu-limits"]), (&json!(2), &json!("1000m")));
        assert!(model["sdb1"].get("replicas").is_none());
        let source = SourceText { name: "w".into(), text: Json::Object(model).to_string() };
        assert_eq!(read(&Arc::new(source)).unwrap().application.services.len(), 21);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (parameters, expected) in [
            (json!({}), "`vertices`"),
            (graph(0, 1.0, 1.0, json!({})), "`vertices` is a whole number from 1"),
            (graph(2, -1.0, 1.0, json!({})), "`power`"),
            (
                graph(2, 1.0, 1.0, json!({ "service_probability": { "model": "x" } })),
                "is const, with a value, or random",
            ),
            (graph(2, 1.0, 1.0, json!({ "dbs": { "a": -1 } })), "`dbs` are probabilities"),
        ] {
            let error = service_graph(&parameters, 1).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = work_model(&service_graph(&graph(2, 1.0, 1.0, json!({})), 1).unwrap(), &json!({}), 1)
            .unwrap_err();
        assert!(error.contains("functions for `s0` have no probabilities"), "{error}");
    }
}
