//! The draws of a calibration, as settings of the scenario.

use super::check::Check;
use crate::document::Setting;
use crate::schema::Scenario;

/// Draws of the values that a calibration fitted, each a list of settings.
pub(super) fn resolve(check: &mut Check<'_>, scenario: &Scenario) -> Vec<Vec<Setting>> {
    let Some(written) = &scenario.calibration else { return Vec::new() };
    let (keys, draws) = (&written.get_ref().keys, &written.get_ref().draws);
    if keys.get_ref().is_empty() || keys.get_ref().iter().any(|key| key.trim().is_empty()) {
        check.problem(
            "the calibration has a key without a name, or none",
            keys.span(),
            "name what was fitted",
        );
    }
    for draw in draws.iter().filter(|draw| draw.get_ref().len() != keys.get_ref().len()) {
        let message = format!("a draw has {} values", draw.get_ref().len());
        check.problem(message, draw.span(), format!("one for each of the {} keys", keys.get_ref().len()));
    }
    let setting = |(path, value): (&String, &String)| Setting { path: path.clone(), value: value.clone() };
    draws.iter().map(|draw| keys.get_ref().iter().zip(draw.get_ref()).map(setting).collect()).collect()
}
