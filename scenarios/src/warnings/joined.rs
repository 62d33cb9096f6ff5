//! What is so under several strategies is told once.

use super::warning::{Finding, Warning};

/// Takes another strategy's warning in, if it says the same.
pub(super) fn takes_in(it: &mut Warning, other: &Warning) -> bool {
    let is_same = match (&mut it.finding, &other.finding) {
        (
            Finding::NeverEjects { services, percent },
            Finding::NeverEjects { services: of_theirs, percent: other },
        ) if *percent == *other => {
            for (service, &count) in of_theirs {
                let most = services.entry(service.clone()).or_default();
                *most = count.max(*most);
            }
            true
        }
        // Where it is so is an example.
        (
            Finding::SpreadOverClusters { services, .. },
            Finding::SpreadOverClusters { services: other, .. },
        ) => *services == *other,
        (finding, other) => *finding == *other,
    };
    if is_same {
        let new: Vec<String> =
            other.strategies.iter().filter(|name| !it.strategies.contains(name)).cloned().collect();
        it.strategies.extend(new);
    }
    is_same
}
