//! Things that make a result doubtful: a closed list, each with what to do.

mod after_run;
mod before_run;
mod farther_first;
mod federation;
mod joined;
mod spread;
mod warning;

pub use after_run::after_run;
pub use before_run::{before_run, before_runs};
pub use warning::{Finding, Warning};
