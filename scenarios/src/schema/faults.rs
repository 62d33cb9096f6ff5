//! What goes wrong with pods, links and the rest of the infrastructure, as it is typed.

use super::Duration;
use super::quantity::{NumberOrText, Quantity, Unit};
use super::spanned::Spanned;
use meshsim_core::SimDuration;
use meshsim_models::units::BitsPerSecond;
use schemars::JsonSchema;
use serde::Deserialize;
use std::str::FromStr;

/// Something that goes wrong.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, from the start of the run.
    ///
    /// Range: 0s to the end of the run.
    pub at: Duration,
    /// How long it lasts, or comes again; to the end if absent.
    ///
    /// Default: to the end. Range: 1ns to 10 years.
    #[serde(rename = "for")]
    pub lasts: Option<Duration>,
    /// Whose pods.
    pub service: Option<Spanned<String>>,
    /// Where.
    pub cluster: Option<Spanned<String>>,
    /// In place of pods: which link.
    pub link: Option<Spanned<String>>,
    /// In place of pods: which node, by its cluster's name and its number there, from 1.
    pub node: Option<Spanned<String>>,
    /// In place of pods: the gateway of which cluster.
    pub gateway: Option<Spanned<String>>,
    /// In place of pods: the gateway of Liqo's tunnels of which cluster.
    pub tunnel_gateway: Option<Spanned<String>>,
    /// In place of pods: the istiod of which cluster.
    pub istiod: Option<Spanned<String>>,
    /// In place of pods: the API server of which cluster.
    pub api_server: Option<Spanned<String>>,
    /// Of a link: only what goes to this end of it.
    ///
    /// Default: both ways.
    pub toward: Option<Spanned<String>>,
    /// Of a link that is degraded: how much longer the way is, one way.
    ///
    /// Default: 0s. Range: 1ns to 10 years.
    pub delay: Option<Duration>,
    /// Of a link that is degraded: the share of the segments that are lost, beside its own.
    ///
    /// Default: 0. Range: 0 to below 1.
    pub loss: Option<Spanned<NumberOrText>>,
    /// Of a link that is degraded: its rate.
    ///
    /// Default: the link's. Range: 1bit/s to 1000Tbit/s.
    pub bandwidth: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// Which of them; all if absent.
    ///
    /// Default: all of them.
    pub pod: Option<Spanned<u32>>,
    /// What it is.
    pub kind: Spanned<Kind>,
    /// Of errors: the share of the calls.
    ///
    /// Default: 1. Range: 0 to 1.
    pub share: Option<Spanned<f64>>,
    /// Of errors: the status.
    ///
    /// Range: 500 to 599.
    pub status: Option<Spanned<u16>>,
    /// Of slowness: how many times as long everything takes.
    ///
    /// Default: 1. Range: 0.001 to 1000000.
    pub factor: Option<Spanned<f64>>,
    /// Of a crash that comes again: how long the pod answers each time.
    ///
    /// Default: it crashes once. Range: 1ms to 10 years.
    pub runs: Option<Duration>,
    /// Of a fault that comes again by chance: mean time from a repair to the next failure.
    ///
    /// Default: it happens once. Range: 1s to 10 years.
    pub mtbf: Option<Duration>,
    /// Of a fault that comes again by chance: mean time to its repair.
    ///
    /// Default: it happens once. Range: 1s to 10 years.
    pub mttr: Option<Duration>,
    /// How long it takes until proxies are told.
    ///
    /// Default: 1s; 30s of a blackhole. Range: 0s to 10 years, or never.
    pub seen_after: Option<Spanned<Quantity<SeenAfter>>>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is dead.
    Crash,
    /// What is sent to it and what it sends is swallowed.
    Blackhole,
    /// It is not ready.
    Unready,
    /// It answers with errors.
    Errors,
    /// It is slow.
    Slow,
    /// Of a link: it swallows packets, and new connections are refused at once. Of a gateway or a control plane: it does
    /// not work.
    Down,
    /// Of a link: it is worse than it should be.
    Degraded,
    /// Of a cluster or a node: nothing is heard of it.
    Lost,
    /// Of a cluster: it is cut off from all others, and goes on.
    Isolated,
    /// Of a node: its pods are evicted.
    Drained,
}

impl Kind {
    /// How it is written.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A length of time, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAfter(pub Option<SimDuration>);

impl Unit for SeenAfter {
    const UNIT: &'static str = "a time with its unit, as in \"30s\", or \"never\"";
}

impl FromStr for SeenAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "never" => Ok(Self(None)),
            other => {
                let parsed: Result<SimDuration, _> = other.parse();
                parsed.map(|it| Self(Some(it))).map_err(|error| format!("{error}; or write \"never\""))
            }
        }
    }
}
