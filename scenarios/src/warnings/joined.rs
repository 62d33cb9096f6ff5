//! What is so under several strategies is told once.

use super::warning::Warning;

/// Takes another strategy's warning in, if it says the same.
pub(super) fn takes_in(it: &mut Warning, other: &Warning) -> bool {
    match (it, other) {
        (
            Warning::NeverEjects { strategies, services, percent },
            Warning::NeverEjects { strategies: theirs, services: of_theirs, percent: other },
        ) if *percent == *other => {
            add(strategies, theirs);
            for (service, &count) in of_theirs {
                let most = services.entry(service.clone()).or_default();
                *most = count.max(*most);
            }
            true
        }
        (
            Warning::WithoutEffect { strategies, keys },
            Warning::WithoutEffect { strategies: theirs, keys: other },
        ) if *keys == *other => {
            add(strategies, theirs);
            true
        }
        (
            Warning::SpreadOverClusters { strategies, services, .. },
            Warning::SpreadOverClusters { strategies: theirs, services: other, .. },
        ) if *services == *other => {
            add(strategies, theirs);
            true
        }
        // One work model serves all strategies.
        (it, other) => *it == *other,
    }
}

fn add(strategies: &mut Vec<String>, others: &[String]) {
    let new: Vec<String> = others.iter().filter(|it| !strategies.contains(it)).cloned().collect();
    strategies.extend(new);
}
