//! What no manifest holds: machines, links, users. It is asked for by the name of its option, and never assumed.

use super::object::{Input, Text};
use super::overlay::Overlay;
use crate::problem::{Checked, Problem, Problems, clip};
use meshsim_core::SimDuration;
use meshsim_models::units::{BitsPerSecond, Cores, PerSecond};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is imported, and what is said beside it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the scenario is called.
    pub name: String,
    /// Where the manifests are.
    pub inputs: Vec<Input>,
    /// Manifests that are no files.
    pub texts: Vec<Text>,
    /// `--overlay`: what no manifest can say.
    pub overlay: Option<Overlay>,
    /// `--nodes`: machines of clusters.
    pub nodes: Vec<Nodes>,
    /// `--link`: links between clusters.
    pub links: Vec<Link>,
    /// `--users`: load.
    pub users: Vec<Users>,
    /// `--property`: what properties of JMeter are.
    pub properties: BTreeMap<String, String>,
    /// `--seed`: of what µBench's generators draw.
    pub seed: u64,
    /// `--allow`: what may be left out although results hang on it.
    pub allow: Vec<String>,
    /// What was measured of the services: it says what they do and what users request, in place of a work model.
    pub measured: Option<Measured>,
}

/// What was measured of the services that manifests describe.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// It, as tables of a scenario.
    pub(in crate::import) overlay: Overlay,
    /// The services.
    pub(in crate::import) services: Vec<String>,
    /// Those of them that others call.
    pub(in crate::import) called: BTreeSet<String>,
    /// The clusters whose users request something.
    pub(in crate::import) clusters: Vec<String>,
}

/// Equal machines of a cluster, as in `cloud=2x16`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    pub(in crate::import) cluster: String,
    pub(in crate::import) count: usize,
    /// Of each, as it is written.
    pub(in crate::import) cores: String,
}

/// A link, as in `cloud:edge1=160ms` or `cloud:edge1=160ms,1Gbit/s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub(in crate::import) between: [String; 2],
    pub(in crate::import) rtt: String,
    pub(in crate::import) bandwidth: Option<String>,
}

/// Users, as in `edge1=50/s`, `edge1:s0=50/s` or `edge1=plan.jmx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    pub(super) cluster: String,
    pub(super) service: Option<String>,
    pub(super) amount: Amount,
}

/// How much users request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// At this rate, as it is written.
    Rate(String),
    /// As the file of a load generator says.
    File(PathBuf),
}

/// What files of load generators end with.
const FILES: [&str; 4] = ["jmx", "json", "js", "ts"];

/// A cluster has at most so many machines of an option.
const NODES_MAX: usize = 10_000;

impl Nodes {
    /// Reads `NAME=COUNTxCORES`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Checked<Self> {
        let parsed = || {
            let (cluster, machines) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
            let (count, cores) = machines.split_once('x')?;
            let count = count.parse().ok().filter(|it| (1..=NODES_MAX).contains(it))?;
            cores.parse::<Cores>().ok().filter(|it| it.0 > 0.0)?;
            Some(Self { cluster: cluster.to_owned(), count, cores: cores.to_owned() })
        };
        parsed().ok_or_else(|| wrong("--nodes", text, "write CLUSTER=COUNTxCORES, as in cloud=2x16"))
    }
}

impl Link {
    /// Reads `A:B=RTT` or `A:B=RTT,RATE`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Checked<Self> {
        let parsed = || {
            let (ends, values) = text.split_once('=')?;
            let (a, b) = ends.split_once(':').filter(|(a, b)| !a.is_empty() && !b.is_empty() && a != b)?;
            let (rtt, bandwidth) =
                values.split_once(',').map_or((values, None), |(rtt, rate)| (rtt, Some(rate)));
            rtt.parse::<SimDuration>().ok().filter(|it| *it > SimDuration::ZERO)?;
            if let Some(rate) = bandwidth {
                rate.parse::<BitsPerSecond>().ok().filter(|it| it.0 > 0.0)?;
            }
            let between = [a, b].map(str::to_owned);
            Some(Self { between, rtt: rtt.to_owned(), bandwidth: bandwidth.map(str::to_owned) })
        };
        parsed().ok_or_else(|| {
            wrong(
                "--link",
                text,
                "write A:B=ROUND_TRIP, as in cloud:edge1=160ms, or with its rate, cloud:edge1=160ms,1Gbit/s",
            )
        })
    }
}

impl Users {
    /// Reads `CLUSTER=RATE` or `CLUSTER:SERVICE=RATE`, with a file in place of the rate if a load generator has it.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Checked<Self> {
        let parsed = || {
            let (whose, rate) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
            let is_file = rate
                .rsplit_once('.')
                .is_some_and(|(_, it)| FILES.contains(&it.to_ascii_lowercase().as_str()));
            let amount = match rate.parse::<PerSecond>() {
                Ok(amount) if amount.0 > 0.0 => Amount::Rate(rate.to_owned()),
                _ if is_file => Amount::File(PathBuf::from(rate)),
                _ => return None,
            };
            let (cluster, service) =
                whose.split_once(':').map_or((whose, None), |(a, b)| (a, Some(b.to_owned())));
            Some(Self { cluster: cluster.to_owned(), service, amount })
        };
        parsed().ok_or_else(|| {
            let help = "write CLUSTER=RATE, as in edge1=50/s, or CLUSTER:SERVICE=RATE, or with a file of k6, JMeter or µBench in \
                        place of the rate";
            wrong("--users", text, help)
        })
    }
}

fn wrong(option: &str, text: &str, help: &str) -> Problems {
    Problem::new(format!("{option} `{}` is not understood", clip(text))).help(help).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_say_what_would_be_right() {
        let link = Link::parse("cloud:edge1=160ms,1Gbit/s").unwrap();
        assert_eq!((link.rtt.as_str(), link.bandwidth.as_deref()), ("160ms", Some("1Gbit/s")));
        assert_eq!(Link::parse("cloud:edge1=160ms").unwrap().bandwidth, None);
        assert_eq!(Nodes::parse("cloud=2x16").unwrap().count, 2);
        assert_eq!(Users::parse("edge1:s0=50/s").unwrap().service.as_deref(), Some("s0"));
        for text in ["cloud=160ms", "a:a=1ms", "a:b=1", "a:b=1ms,fast", ":b=1ms", ""] {
            assert!(Link::parse(text).unwrap_err().to_string().contains("cloud:edge1=160ms"), "{text}");
        }
        for text in ["cloud=2", "cloud=0x4", "cloud=2x0", "=2x16", "cloud=2xmany"] {
            assert!(Nodes::parse(text).unwrap_err().to_string().contains("cloud=2x16"), "{text}");
        }
        let file = Users::parse("edge1=load/plan.jmx").unwrap().amount;
        assert_eq!(file, Amount::File(PathBuf::from("load/plan.jmx")));
        for text in ["edge1", "edge1=50", "=50/s"] {
            assert!(Users::parse(text).unwrap_err().to_string().contains("edge1=50/s"), "{text}");
        }
    }
}
