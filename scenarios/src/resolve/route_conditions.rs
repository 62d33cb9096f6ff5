//! Which requests a block of a route takes.

use super::check::Check;
use super::route_blocks::Block;
use crate::schema::Scenario;
use crate::schema::services::StringMatch;
use crate::schema::spanned::Spanned;
use meshsim_models::application::call_graph::Application;
use meshsim_models::envoy::route::{Conditions, FieldMatch, ValueMatch, split_path};
use regex::Regex;
use std::collections::BTreeMap;

pub(super) fn resolve(
    check: &mut Check<'_>,
    (scenario, application): (&Scenario, &Application),
    block: &Block<'_>,
) -> Conditions {
    let endpoints = || application.endpoints.iter();
    let paths = || -> Vec<&str> { endpoints().map(|it| path_of(&it.path)).collect() };
    let methods = || -> Vec<&str> { endpoints().map(|it| it.method.as_str()).collect() };
    let path = block.uri.and_then(|it| value(check, "uri", it, false, &paths));
    let method = block.method.and_then(|it| value(check, "method", it, false, &methods));
    let mut headers = fields(check, "header", block.headers, false, |name| values_of_header(scenario, name));
    headers.extend(fields(check, "header", block.without_headers, true, |name| {
        values_of_header(scenario, name)
    }));
    for header in &mut headers {
        header.name = header.name.to_lowercase();
    }
    let query = fields(check, "parameter", block.query_params, false, |name| {
        let queries =
            endpoints().filter_map(|it| it.path.split_once('?')).flat_map(|(_, query)| query.split('&'));
        let pairs = queries.map(|it| it.split_once('=').unwrap_or((it, "")));
        pairs.filter(|(parameter, _)| *parameter == name).map(|(_, value)| value).collect()
    });
    Conditions { path, method, headers, query }
}

/// A path without its query.
pub(super) fn path_of(path: &str) -> &str {
    split_path(path).0
}

/// The values of a header in the requests of any users: nobody else sends headers.
fn values_of_header<'a>(scenario: &'a Scenario, name: &str) -> Vec<&'a str> {
    let users = scenario.users.values().flat_map(|it| &it.get_ref().headers);
    users.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

fn fields<'a>(
    check: &mut Check<'_>,
    what: &str,
    written: &BTreeMap<String, Spanned<StringMatch>>,
    invert: bool,
    known: impl Fn(&str) -> Vec<&'a str>,
) -> Vec<FieldMatch> {
    let mut all = Vec::new();
    for (name, it) in written {
        let value = value(check, &format!("{what} `{name}`"), it, true, &|| known(name));
        all.extend(value.map(|value| FieldMatch { name: name.clone(), value, invert }));
    }
    all
}

/// What a value is compared with; a regular expression stands for those of the known values that it matches.
fn value<'a>(
    check: &mut Check<'_>,
    what: &str,
    written: &Spanned<StringMatch>,
    may_be_absent: bool,
    known: &dyn Fn() -> Vec<&'a str>,
) -> Option<ValueMatch> {
    match written.get_ref() {
        StringMatch { exact: Some(value), prefix: None, regex: None, present: None } => {
            Some(ValueMatch::Exact(value.clone()))
        }
        StringMatch { exact: None, prefix: Some(value), regex: None, present: None } => {
            Some(ValueMatch::Prefix(value.clone()))
        }
        StringMatch { exact: None, prefix: None, regex: Some(regex), present: None } => {
            let matched = matched(check, what, regex, known())?;
            Some(ValueMatch::OneOf(matched))
        }
        StringMatch { exact: None, prefix: None, regex: None, present: Some(true) } if may_be_absent => {
            Some(ValueMatch::Present)
        }
        StringMatch { exact: None, prefix: None, regex: None, present: Some(false) } if may_be_absent => {
            let help = "write present = true under without_headers, or under headers";
            check.problem(format!("{what} is compared with present = false"), written.span(), help);
            None
        }
        _ => {
            let one_of = "write one of { exact = \"beta\" }, { prefix = \"b\" }, { regex = \"b.*\" }";
            let help =
                if may_be_absent { format!("{one_of}, {{ present = true }}") } else { one_of.to_owned() };
            check.problem(format!("{what} is not compared with one thing"), written.span(), help);
            None
        }
    }
}

/// Those of these values that a regular expression matches as a whole.
fn matched(
    check: &mut Check<'_>,
    what: &str,
    regex: &Spanned<String>,
    known: Vec<&str>,
) -> Option<Vec<String>> {
    match Regex::new(&format!("^(?:{})$", regex.get_ref())) {
        Ok(whole) => {
            let mut matched: Vec<String> =
                known.into_iter().filter(|it| whole.is_match(it)).map(ToOwned::to_owned).collect();
            matched.sort();
            matched.dedup();
            Some(matched)
        }
        Err(error) => {
            let message =
                format!("{what} is compared with `{}`, which is no regular expression", regex.get_ref());
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            check.problem(
                message,
                regex.span(),
                format!("{why}; it is RE2's syntax, without back references"),
            );
            None
        }
    }
}
