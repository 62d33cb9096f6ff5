//! What was asked for by a span, as one of a few kinds.
//!
//! # Models
//! The method and the route of HTTP; where a tracer knows no route (proxies do not), the path without its query, in which what looks like an
//! identifier (digits, or eight and more letters with digits among them) is `{id}`. A method of gRPC is a path, too.
//!
//! # Assumptions
//! A part of a path that has a digit and is longer than a word with a version is an identifier. Effect: `v2` and `s3` stay; names of users do not look
//! like identifiers and make as many kinds as there are names, of which whoever reads takes the frequent ones.
//!
//! # Source
//! OpenTelemetry, semantic conventions for HTTP spans 1.23 (`http.request.method`, `http.route`, `url.path`, `url.full`), before it `http.method`,
//! `http.target`, `http.url`; for RPC spans `rpc.service`, `rpc.method` (since 1.37 the whole name). Envoy's own tags are `http.method` and `http.url`.

/// Keys that have a path or a URL, the best first.
const ROUTES: [&str; 5] = ["http.route", "url.path", "http.target", "url.full", "http.url"];

/// Such parts of a path are no identifiers if they are shorter.
const LEAST_IDENTIFIER: usize = 8;

/// What was asked for, as `GET /cart`, by the attributes of a span.
pub(super) fn operation(value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let value = |key: &str| value(key).filter(|it| !it.is_empty());
    let rpc = || match (value("rpc.service"), value("rpc.method")?) {
        (Some(service), method) => Some(format!("/{service}/{method}")),
        (None, method) => method.contains('/').then(|| format!("/{}", method.trim_start_matches('/'))),
    };
    let path = match rpc() {
        Some(path) => return Some(format!("POST {}", route(&path))),
        None => ROUTES.into_iter().find_map(value)?,
    };
    let method = value("http.request.method").or_else(|| value("http.method"));
    let method = method.map_or_else(|| "GET".to_owned(), |it| it.to_ascii_uppercase());
    Some(format!("{method} {}", route(&path)))
}

/// Method and path of a hop that a proxy logs.
pub(super) fn of_path([method, path]: [&str; 2]) -> Option<String> {
    let is_there = |text: &str| !text.is_empty() && text != "-";
    is_there(path).then(|| format!("{} {}", if is_there(method) { method } else { "GET" }, route(path)))
}

/// The path of a URL or a path, whatever identifies one thing taken out.
fn route(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path
        .split('/')
        .filter(|it| !it.is_empty())
        .map(|it| if is_identifier(it) { "{id}" } else { it })
        .collect();
    // What is no part of a path as it is sent.
    let escaped = |it: char| match it.is_whitespace() || it.is_control() {
        true => it.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
        false => it.to_string(),
    };
    format!("/{}", parts.join("/")).chars().map(escaped).collect()
}

fn is_identifier(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let others = part.bytes().any(|it| !it.is_ascii_alphanumeric() && !b"-_".contains(&it));
    digits > 0 && !others && (digits == part.len() || part.len() >= LEAST_IDENTIFIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &[(&str, &str)]) -> Option<String> {
        operation(|key| attributes.iter().find(|it| it.0 == key).map(|it| it.1.to_owned()))
    }

    #[test]
    fn what_is_asked_for_is_a_method_and_a_route() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[("http.request.method", "GET"), ("url.path", "/cart")], "GET /cart"),
            (
                &[("http.method", "POST"), ("http.url", "http://shop:80/product/OLJCESPC7Z?a=1")],
                "POST /product/{id}",
            ),
            (&[("http.route", "/user/:name"), ("http.target", "/user/ann")], "GET /user/:name"),
            (
                &[("rpc.service", "hipstershop.CartService"), ("rpc.method", "GetCart")],
                "POST /hipstershop.CartService/GetCart",
            ),
            (&[("http.url", "https://shop")], "GET /"),
            (&[("rpc.method", "a.B/Get")], "POST /a.B/Get"),
            (&[("http.request.method", "get"), ("url.path", "/my file")], "GET /my%20file"),
            (&[("http.target", "//orders/42/7d44-b2c1#end")], "GET /orders/{id}/{id}"),
        ];
        for (attributes, wanted) in cases {
            assert_eq!(of(attributes).as_deref(), Some(wanted));
        }
        assert_eq!(of(&[("http.method", "GET"), ("url.path", "")]), None);
        assert_eq!(of_path(["-", "/api/v2/s3"]).as_deref(), Some("GET /api/v2/s3"));
        assert_eq!(of_path(["GET", "-"]), None);
    }
}
