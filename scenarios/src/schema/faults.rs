//! What goes wrong with pods and links, as it is typed.

use super::Duration;
use super::quantity::Quantity;
use meshsim_core::SimDuration;
use serde::Deserialize;
use std::str::FromStr;
use toml::Spanned;

/// Something that goes wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, from the start of the run.
    pub at: Duration,
    /// How long it lasts, or comes again; to the end if absent.
    #[serde(rename = "for")]
    pub lasts: Option<Duration>,
    /// Whose pods.
    pub service: Option<Spanned<String>>,
    /// Where.
    pub cluster: Option<Spanned<String>>,
    /// Of black holes, in place of pods: which link.
    pub link: Option<Spanned<String>>,
    /// Which of them; all if absent.
    pub pod: Option<Spanned<u32>>,
    /// What it is.
    pub kind: Spanned<Kind>,
    /// Of errors: the share of the calls.
    pub share: Option<Spanned<f64>>,
    /// Of errors: the status.
    pub status: Option<Spanned<u16>>,
    /// Of slowness: how many times as long everything takes.
    pub factor: Option<Spanned<f64>>,
    /// Of a crash that comes again: how long the pod answers each time.
    pub runs: Option<Duration>,
    /// Of a fault that comes again by chance: mean time from a repair to the next failure.
    pub mtbf: Option<Duration>,
    /// Of a fault that comes again by chance: mean time to its repair.
    pub mttr: Option<Duration>,
    /// How long it takes until proxies are told.
    pub seen_after: Option<Spanned<Quantity<SeenAfter>>>,
}

/// What is wrong with a pod, or a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
}

/// A length of time, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAfter(pub Option<SimDuration>);

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
