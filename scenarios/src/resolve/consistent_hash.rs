//! What requests are hashed by.

use super::check::Check;
use crate::schema::spanned::Spanned;
use crate::schema::traffic::{self, Cookie};
use meshsim_core::SimDuration;
use meshsim_models::envoy::session_affinity::{ConsistentHash, HashAlgorithm, HashPolicy};

pub(super) fn resolve(
    check: &mut Check<'_>,
    hash: &Spanned<traffic::ConsistentHash>,
) -> Option<ConsistentHash> {
    let (span, hash) = (hash.span(), hash.get_ref());
    let mut policies = Vec::new();
    policies.extend(name(check, hash.http_header_name.as_ref(), "http_header_name").map(HashPolicy::Header));
    policies.extend(hash.http_cookie.as_ref().map(|it| cookie(check, it)));
    if let Some(source) = &hash.use_source_ip {
        if *source.get_ref() {
            policies.push(HashPolicy::SourceIp);
        } else {
            check.problem(
                "use_source_ip = false hashes nothing",
                source.span(),
                "take it out, or make it true",
            );
        }
    }
    let parameter = hash.http_query_parameter_name.as_ref();
    policies.extend(name(check, parameter, "http_query_parameter_name").map(HashPolicy::QueryParameter));
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        check.problem("ring_hash and maglev are given together", span.clone(), "take one out");
    }
    let ring = |it: &traffic::RingHash| HashAlgorithm::RingHash {
        minimum_ring_size: it.minimum_ring_size.unwrap_or(0),
    };
    let maglev = |it: &traffic::Maglev| HashAlgorithm::Maglev { table_size: it.table_size.unwrap_or(0) };
    let algorithm = hash.ring_hash.as_ref().map(ring).or(hash.maglev.as_ref().map(maglev));
    if policies.len() != 1 {
        let help = "write one of http_header_name, http_cookie, use_source_ip, http_query_parameter_name";
        check.problem(format!("consistent_hash hashes {} things", policies.len()), span.clone(), help);
    }
    let resolved = ConsistentHash {
        policy: policies.pop()?,
        algorithm,
        minimum_ring_size: hash.minimum_ring_size.unwrap_or(0),
    };
    for problem in resolved.problems() {
        let problem =
            problem.replace("tableSize", "table_size").replace("minimumRingSize", "minimum_ring_size");
        check.problem(format!("consistent_hash: {problem}"), span.clone(), "Istio refuses it otherwise");
    }
    Some(resolved)
}

/// A name in lower case, as HTTP/2 and the users have it.
fn name(check: &mut Check<'_>, name: Option<&Spanned<String>>, key: &str) -> Option<String> {
    let name = name?;
    if name.get_ref().is_empty() {
        check.problem(format!("{key} is empty"), name.span(), "write a name");
    }
    Some(name.get_ref().to_lowercase())
}

fn cookie(check: &mut Check<'_>, cookie: &Cookie) -> HashPolicy {
    let ttl = cookie.ttl.as_ref().map(|ttl| check.duration(Some(ttl), "ttl", SimDuration::ZERO, 0));
    HashPolicy::Cookie { name: cookie.name.clone(), ttl, path: cookie.path.clone().unwrap_or_default() }
}
