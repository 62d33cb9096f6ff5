//! Taints of nodes and tolerations of pods, as `key=value:Effect`.

use super::check::Check;
use crate::schema::services::Service;
use crate::schema::spanned::Spanned;
use meshsim_models::kubernetes::scheduler::node::{Effect, Taint, Toleration};

/// A taint of a node.
pub(super) fn taint(check: &mut Check<'_>, written: &Spanned<String>) -> Option<Taint> {
    let (key, value, effect) = key_value_effect(check, written, "a taint")?;
    let Some((key, effect)) = key.zip(effect) else {
        let message = format!("the taint `{}` has no key or no effect", written.get_ref());
        check.problem(message, written.span(), "write \"key=value:NoSchedule\"");
        return None;
    };
    Some(Taint { key, value: value.unwrap_or_default(), effect })
}

pub(super) fn tolerations(check: &mut Check<'_>, written: Option<&Service>) -> Vec<Toleration> {
    let written = written.map_or(&[][..], |it| &it.tolerations);
    let toleration = |it: &Spanned<String>| {
        let (key, value, effect) = key_value_effect(check, it, "a toleration")?;
        Some(Toleration { key, value, effect, lasts: None })
    };
    written.iter().filter_map(toleration).collect()
}

type KeyValueEffect = (Option<String>, Option<String>, Option<Effect>);

/// `key=value:Effect`, each of which may be missing.
fn key_value_effect(check: &mut Check<'_>, written: &Spanned<String>, what: &str) -> Option<KeyValueEffect> {
    let (name, effect) = match written.get_ref().rsplit_once(':') {
        Some((name, effect)) => (name, Some(effect)),
        None => (written.get_ref().as_str(), None),
    };
    let effect = match effect {
        None | Some("") => None,
        Some("NoSchedule") => Some(Effect::NoSchedule),
        Some("NoExecute") => Some(Effect::NoExecute),
        Some(other) => {
            let message = format!("{what} with the effect `{other}` is not simulated");
            check.problem(
                message,
                written.span(),
                "it is NoSchedule or NoExecute, as in \"key=value:NoSchedule\"",
            );
            return None;
        }
    };
    let (key, value) = match name.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (name, None),
    };
    Some(((!key.is_empty()).then(|| key.to_owned()), value, effect))
}
