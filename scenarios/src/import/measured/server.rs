//! A Prometheus that is asked, or what answers as one does (Thanos, Mimir, Cortex, VictoriaMetrics).
//!
//! # Assumptions
//! It is reached without TLS, as by `kubectl port-forward`; an `https://` address is refused with the two ways around it.
//!
//! # Source
//! Prometheus, "HTTP API" (`/api/v1/query`, and what it answers to what it cannot do); Grafana Mimir, "Authentication and authorization"
//! (`X-Scope-OrgID`).

use super::answers::{Answers, Body};
use super::queries::{self, Query};
use crate::problem::{Checked, Problem, Problems, clip};
use std::time::Duration;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer is at most so large (bytes).
const LARGEST: u64 = 256 << 20;

/// A server that answers queries.
#[derive(Debug)]
pub struct Server {
    base: String,
    /// Of the address, as they stand there.
    parameters: String,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
}

impl Server {
    /// By its address, with parameters if it wants some, and headers of requests, `NAME: VALUE` or `@FILE` with one a line.
    ///
    /// # Errors
    /// If the address is none of HTTP, or a header is none or cannot be read.
    pub fn new(url: &str, headers: &[String]) -> Checked<Self> {
        let wrong = |what: &str, help: &str| {
            let shown = clip(url.rsplit_once('@').map_or(url, |(_, host)| host));
            Checked::Err(Problem::new(format!("--prometheus `{shown}` {what}")).help(help).into())
        };
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        if url.starts_with("https://") {
            return wrong(
                "is behind TLS, which meshsim does not speak",
                "`kubectl port-forward` brings it to http://localhost:9090; or save its answers with curl: `meshsim import --queries` \
                 prints what to ask, --metrics FILE reads them",
            );
        }
        let Some(host) = base.strip_prefix("http://").filter(|it| !it.is_empty() && !url.contains('#'))
        else {
            return wrong("is no http:// address", "name a server as in http://localhost:9090");
        };
        if host.split('/').next().is_some_and(|it| it.contains('@')) {
            return wrong(
                "has a name and a password in its address",
                "say them in a header: --header \"Authorization: Basic $(printf NAME:PASSWORD | base64)\"",
            );
        }
        let mut all = Vec::new();
        for it in headers {
            match it.strip_prefix('@') {
                None => all.push(header(it)?),
                Some(path) => {
                    let text = crate::scenario::read_text(std::path::Path::new(path))?;
                    let lines = text.lines().filter(|it| !it.trim().is_empty());
                    all.extend(lines.map(header).collect::<Checked<Vec<_>>>()?);
                }
            }
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { base, parameters: parameters.to_owned(), headers: all, agent })
    }

    /// Asks for all that is to be known, at a moment (s since 1970) over a window before it.
    ///
    /// # Errors
    /// If it cannot be reached, or answers something else.
    pub fn answers(&self, at: f64, window: &str) -> Checked<Answers> {
        let ask = |query: Query| {
            let expression = query.over(window);
            self.answer(&expression, at).map(|body| (expression, body))
        };
        queries::ALL.into_iter().map(ask).collect::<Checked<_>>().map(Answers::new)
    }

    fn answer(&self, expression: &str, at: f64) -> Checked<Body> {
        let cannot = |why: &str, help: &str| {
            let problem = Problem::new(format!("Prometheus at {} does not answer: {why}", self.base));
            Problems::from(problem.help(help))
        };
        let unreached = |error: &ureq::Error| match error {
            ureq::Error::Timeout(_) => {
                let help = "ask for a shorter --window, or when it has less to do";
                cannot(&format!("it took more than {} s", PATIENCE.as_secs()), help)
            }
            ureq::Error::BodyExceedsLimit(_) => {
                let help = "ask for a Prometheus of fewer clusters, or for a shorter --window";
                cannot(&format!("an answer has more than {} MiB", LARGEST >> 20), help)
            }
            _ => cannot(&error.to_string(), "is it the right address, and does it run?"),
        };
        let question =
            if self.parameters.is_empty() { String::new() } else { format!("?{}", self.parameters) };
        let mut request = self.agent.get(format!("{}/api/v1/query{question}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.query("query", expression).query("time", format!("{at:.3}"));
        let mut response = request.call().map_err(|error| unreached(&error))?;
        let text = response.body_mut().with_config().limit(LARGEST).read_to_string();
        let text = text.map_err(|error| unreached(&error))?;
        // What it cannot do it says in JSON, under whatever status.
        let status = response.status();
        match serde_json::from_str::<Body>(&text) {
            Ok(body) if status.is_success() || body.error().is_some() => Ok(body),
            _ if matches!(status.as_u16(), 401 | 403) => Err(cannot(
                &format!("HTTP {status}"),
                "say who asks: --header \"Authorization: Bearer TOKEN\", or --header @FILE with such lines",
            )),
            _ if status.as_u16() == 404 => Err(cannot(
                &format!("HTTP {status}"),
                "the address ends where /api/v1/query begins, as in http://localhost:9090/prometheus",
            )),
            _ if !status.is_success() => {
                Err(cannot(&format!("HTTP {status}"), "is it up, and what stands before it?"))
            }
            Ok(_) => Err(cannot("its answer has neither data nor an error", "is it a Prometheus?")),
            Err(_) if text.trim_start().starts_with('<') => Err(cannot(
                "its answer is a page of HTML",
                "is that somebody else's address, or must one log in there?",
            )),
            Err(error) => {
                Err(cannot(&format!("its answer is none of Prometheus: {error}"), "is it a Prometheus?"))
            }
        }
    }
}

impl Answers {
    /// Asks a server that wants no headers.
    ///
    /// # Errors
    /// As [`Server::answers`].
    pub fn ask(url: &str, at: f64, window: &str) -> Checked<Self> {
        Server::new(url, &[])?.answers(at, window)
    }
}

/// A header of requests.
fn header(text: &str) -> Checked<(String, String)> {
    let parsed = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let is_name = |it: &str| {
        !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let is_value = |it: &str| !it.is_empty() && it.chars().all(|it| (' '..='~').contains(&it));
    match parsed {
        Some((name, value)) if is_name(name) && is_value(value) => Ok((name.to_owned(), value.to_owned())),
        // Not what it says: it may be a secret.
        _ => Err(Problem::new("a --header is no header")
            .help("write --header \"NAME: VALUE\", as HTTP has it")
            .into()),
    }
}
