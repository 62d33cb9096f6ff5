//! What runs: applications, and the server that runs their services.

use super::quantity::{Duration, Quantity};
use super::spanned::Spanned;
use meshsim_models::units::{Bytes, Cores};
use schemars::JsonSchema;
use serde::Deserialize;

/// The services.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Path of a µBench work model, seen from the scenario; absent: `services` say what they do.
    ///
    /// Source: µBench's workmodel.json.
    pub workmodel: Option<Spanned<String>>,
    /// The namespace of its services, where they name none.
    ///
    /// Default: default. Source: Kubernetes.
    pub namespace: Option<Spanned<String>>,
    /// CPU limit of every pod, instead of the work model's.
    ///
    /// Default: the work model's, or none. Range: above 0.
    pub cpu_limit: Option<Spanned<Quantity<Cores>>>,
    /// CPU request of every pod's application, instead of the work model's.
    ///
    /// Default: the work model's, or none. Range: 0 or more.
    pub cpu_request: Option<Spanned<Quantity<Cores>>>,
    /// Memory request of every pod's application.
    ///
    /// Default: none. Range: 0 or more.
    pub memory_request: Option<Spanned<Quantity<Bytes>>>,
}

/// An application of several.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its services, of those that `services` tells of.
    pub services: Option<Spanned<Vec<Spanned<String>>>>,
    /// Path of a µBench work model that says them, seen from the scenario.
    pub workmodel: Option<Spanned<String>>,
    /// CPU limit of its pods, instead of the work model's.
    ///
    /// Default: the work model's, or none. Range: above 0.
    pub cpu_limit: Option<Spanned<Quantity<Cores>>>,
    /// CPU request of its pods' application, likewise.
    ///
    /// Default: the work model's, or none. Range: 0 or more.
    pub cpu_request: Option<Spanned<Quantity<Cores>>>,
    /// Memory request of its pods' application.
    ///
    /// Default: none. Range: 0 or more.
    pub memory_request: Option<Spanned<Quantity<Bytes>>>,
}

/// The server that runs a service, and what its work costs in CPU time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Multiplies every cost.
    ///
    /// Default: 1. Range: 0 to 1000. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub cpu_scale: Option<Spanned<f64>>,
    /// Accepting, parsing, dispatching a request.
    ///
    /// Default: 1.8ms. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub request: Option<Duration>,
    /// Writing a response.
    ///
    /// Default: 0.8ms. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub response: Option<Duration>,
    /// A kB of random body.
    ///
    /// Default: 0.5ms. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub body_per_kb: Option<Duration>,
    /// A digit of pi, linear part.
    ///
    /// Default: 5us. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub pi_per_digit: Option<Duration>,
    /// A digit of pi, quadratic part.
    ///
    /// Default: 46ns. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub pi_per_digit_squared: Option<Duration>,
    /// A kB of a list in memory.
    ///
    /// Default: 33ns. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub memory_per_kb: Option<Duration>,
    /// An element of it that is replaced.
    ///
    /// Default: 370ns. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub memory_per_operation: Option<Duration>,
    /// A block that is written and read.
    ///
    /// Default: 4us. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub disk_per_block: Option<Duration>,
    /// A kB of these blocks.
    ///
    /// Default: 3.7us. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub disk_per_kb: Option<Duration>,
    /// Waiting until what was written is on the disk.
    ///
    /// Default: 0.5ms. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub disk_sync: Option<Duration>,
    /// The same, per kB.
    ///
    /// Default: 0.6us. Range: 0s to 1h. Source: derived from the loader's own steps on another machine.
    pub disk_sync_per_kb: Option<Duration>,
    /// The client's side of an external call.
    ///
    /// Default: 2.4ms. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub call: Option<Duration>,
    /// Starting a group.
    ///
    /// Default: 0.4ms. Range: 0s to 1h. Source: measured on µBench's cell (Python 3.8, gunicorn 20.1) on an AMD
    /// EPYC core.
    pub group: Option<Duration>,
    /// Coefficient of variation of CPU time at equal work.
    ///
    /// Default: 0. Range: 0 to 10.
    pub speed_spread: Option<Spanned<f64>>,
    /// For how long an idle connection is kept: gunicorn's 2 s, and for ever over HTTP/2, if absent.
    ///
    /// Default: 2s with a work model, 75s without one, for ever over HTTP/2. Range: 0s to 10 years. Source:
    /// gunicorn's default; nginx's keepalive_timeout.
    pub keep_alive: Option<Duration>,
    /// How long it waits for the answer to a call.
    ///
    /// Default: none. Range: 1ms to 10 years. Source: µBench passes none to Python's requests.
    pub client_timeout: Option<Duration>,
}
