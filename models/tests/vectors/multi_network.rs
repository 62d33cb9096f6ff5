//! Istio's endpoints over several networks.

use crate::read::{flag_at, list, required, set, small_at, text, text_at, whole_at};
use meshsim_models::multi_network::endpoints::{
    NetworkDestination, NetworkEndpoint, NetworkGateway, NetworkGateways, NetworkProxy,
};
use serde_json::{Value, json};

pub(crate) fn endpoints(input: &Value) -> Value {
    let gateways = NetworkGateways::new(list(input, "gateways").iter().filter_map(|it| {
        let address = text(required(it, "address")).parse().ok()?;
        let port = u16::try_from(whole_at(it, "port").unwrap_or(0)).expect("a port");
        let network = text_at(it, "network").unwrap_or_default();
        Some(NetworkGateway { network, cluster: cluster(it), address, port })
    }));
    let proxy = required(input, "proxy");
    let speaks = |family: &str| match set(proxy, "ip_families") {
        Some(_) => list(proxy, "ip_families").iter().any(|it| text(it) == family),
        None => family == "4",
    };
    let proxy = NetworkProxy { network: network(proxy), ipv4: speaks("4"), ipv6: speaks("6") };
    let locality = |locality: &Value| {
        let given = list(locality, "endpoints");
        let endpoint = |it| NetworkEndpoint {
            network: network(it),
            cluster: cluster(it),
            has_address: !address(it).is_empty(),
            weight: small_at(it, "weight").unwrap_or(1),
            mtls: flag_at(it, "mtls").unwrap_or(true),
        };
        let seen = gateways.seen_by(&proxy, &given.iter().map(endpoint).collect::<Vec<_>>());
        let weight = seen.iter().fold(0_u32, |sum, (_, weight)| sum.wrapping_add(*weight));
        let written = |(destination, weight): &(NetworkDestination, u32)| match destination {
            NetworkDestination::Endpoint(index) => {
                json!({"address": address(&given[*index]), "weight": weight})
            }
            NetworkDestination::Gateway(address, _) => {
                json!({"address": address.to_string(), "weight": weight})
            }
        };
        let endpoints: Vec<Value> = seen.iter().map(written).collect();
        json!({"locality": locality["locality"], "endpoints": endpoints, "weight": weight})
    };
    let localities: Vec<Value> = list(input, "localities").iter().map(locality).collect();
    json!({"localities": localities, "scale": gateways.scale()})
}

fn network(of: &Value) -> Option<&str> {
    text_at(of, "network").filter(|it| !it.is_empty())
}

fn cluster(of: &Value) -> &str {
    text_at(of, "cluster").unwrap_or_default()
}

fn address(of: &Value) -> &str {
    text_at(of, "address").unwrap_or_default()
}
