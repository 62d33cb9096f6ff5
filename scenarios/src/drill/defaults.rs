//! What holds in a drill where a scenario says nothing of what steers its clusters.
//!
//! # Models
//! Without a table `[istiod]` istiod takes no time; a drill asks what takes time, so its defaults hold there: one in each
//! cluster.

use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::world::description::{DataPlane, Description};

/// Adds what a description does not say, and says so.
pub(super) fn add(description: &mut Description) -> Vec<String> {
    let mut notes = Vec::new();
    if description.istiod.is_none() && description.mesh.data_plane != DataPlane::None {
        description.istiod = Some(IstiodSettings::default());
        notes.push(
            "the scenario has no [istiod]: its defaults hold here (debounce of 100 ms, 2 cores, one in each \
             cluster), so pushes take time"
                .to_owned(),
        );
    }
    notes
}
