//! What depends on localities: `localityLbSetting`, as Istio's validation takes it.

use super::check::Check;
use super::ranges::bounded_u32;
use crate::schema::spanned::Spanned;
use crate::schema::traffic::{self, LocalityLbSetting};
use meshsim_models::istiod::distribute::Distribute;
use meshsim_models::istiod::locality_priority::Failover;
use meshsim_models::istiod::locality_setting::{LocalitySetting, REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL};
use std::ops::Range;

pub(super) fn resolve(check: &mut Check<'_>, setting: &Spanned<LocalityLbSetting>) -> LocalitySetting {
    let (span, setting) = (setting.span(), setting.get_ref());
    let failover = setting.failover.iter().filter_map(|it| failover(check, it)).collect();
    let distribute = setting.distribute.iter().map(|it| distribute(check, it)).collect();
    refuse_combinations(check, setting, span);
    for label in setting.failover_priority.iter().filter(|label| label.get_ref().is_empty()) {
        check.problem(
            "a label of failover_priority is empty",
            label.span(),
            "write \"KEY\" or \"KEY=VALUE\"",
        );
    }
    LocalitySetting {
        enabled: setting.enabled,
        failover,
        failover_priority: setting.failover_priority.iter().map(|it| it.get_ref().clone()).collect(),
        distribute,
    }
}

/// What Istio does not take together.
fn refuse_combinations(check: &mut Check<'_>, setting: &LocalityLbSetting, span: Range<usize>) {
    if !setting.distribute.is_empty() {
        let other = if !setting.failover.is_empty() {
            "failover"
        } else if !setting.failover_priority.is_empty() {
            "failover_priority"
        } else {
            return;
        };
        let message = format!("distribute and {other} are given together");
        return check.problem(message, span, "take one out: Istio refuses both");
    }
    if setting.failover.is_empty() {
        return;
    }
    for label in &setting.failover_priority {
        if [REGION_LABEL, ZONE_LABEL, SUBZONE_LABEL].contains(&label.get_ref().as_str()) {
            let message =
                format!("failover and the label {} of failover_priority are given", label.get_ref());
            check.problem(message, label.span(), "take one out: Istio refuses both");
        }
    }
}

fn failover(check: &mut Check<'_>, rule: &Spanned<traffic::Failover>) -> Option<Failover> {
    let traffic::Failover { from, to } = rule.get_ref();
    let help = "write { from = \"region1\", to = \"region2\" }";
    if let Some(bad) = [from, to].into_iter().find(|it| it.is_empty() || it.contains(['/', '*'])) {
        check.problem(format!("failover: `{bad}` is not a region"), rule.span(), help);
        return None;
    }
    if from == to {
        check.problem(format!("failover from `{from}` to itself"), rule.span(), help);
        return None;
    }
    Some(Failover { from: from.clone(), to: to.clone() })
}

fn distribute(check: &mut Check<'_>, rule: &Spanned<traffic::Distribute>) -> Distribute {
    let traffic::Distribute { from, to } = rule.get_ref();
    if from.get_ref().is_empty() {
        check.problem(
            "distribute: `from` is empty",
            from.span(),
            "write a locality, as in \"region1/zone1/*\"",
        );
    }
    let weights: Vec<(String, u32)> = to
        .iter()
        .map(|(to, weight)| (to.clone(), bounded_u32(check, Some(weight), "a weight", 1, 100).unwrap_or(1)))
        .collect();
    let sum: u64 = to.values().map(|weight| u64::from(*weight.get_ref())).sum();
    if sum != 100 {
        let message = format!("distribute: the weights of `{}` make {sum}", from.get_ref());
        check.problem(message, rule.span(), "they make 100");
    }
    Distribute { from: from.get_ref().clone(), to: weights }
}
