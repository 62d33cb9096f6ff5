//! Laws as scenarios write them.

use crate::document::Setting;
use meshsim_models::application::service_time::ServiceTime;

/// The setting that gives a service its law.
pub(super) fn setting(service: &str, law: &ServiceTime) -> Setting {
    Setting { path: format!("services.\"{service}\".service_time"), value: literal(law) }
}

/// A law as a scenario writes it.
pub(super) fn literal(law: &ServiceTime) -> String {
    let name = law.name();
    let ms = |ms: f64| format!("\"{}ms\"", digits(ms));
    match law {
        ServiceTime::Deterministic(_) | ServiceTime::Exponential(_) => {
            format!("{{ law = \"{name}\", mean = {} }}", ms(law.mean_ms()))
        }
        ServiceTime::Gamma(it) => {
            format!("{{ law = \"{name}\", mean = {}, cv = {} }}", ms(it.mean_ms()), digits(it.cv()))
        }
        ServiceTime::LogNormal(it) => {
            format!("{{ law = \"{name}\", mean = {}, cv = {} }}", ms(it.mean_ms()), digits(it.cv()))
        }
        ServiceTime::Empirical(it) => {
            let quantiles: Vec<String> = it.quantiles_ms().iter().map(|&quantile| ms(quantile)).collect();
            format!("{{ law = \"{name}\", quantiles = [{}] }}", quantiles.join(", "))
        }
    }
}

/// A number to five or six digits, for times to the nanosecond.
fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        3
    } else if value >= 1.0 {
        4
    } else {
        6
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
