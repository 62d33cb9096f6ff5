//! What tells values of a figure apart.

use std::collections::BTreeMap;

/// What tells values of a figure apart: a column of tidy tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// A cluster; of what is sent, that of the client.
    Cluster,
    /// The cluster of the pod that was chosen.
    ToCluster,
    /// A service.
    Service,
    /// An application, where there are several.
    Application,
    /// A group of users, where there are several.
    UserGroup,
    /// A kind of request, where there are several.
    RequestKind,
    /// How requests ended: by status and Envoy's flag.
    Outcome,
    /// An objective, by its number in the scenario.
    Objective,
}

impl Dimension {
    /// All, in the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Cluster,
        Self::ToCluster,
        Self::Service,
        Self::Application,
        Self::UserGroup,
        Self::RequestKind,
        Self::Outcome,
        Self::Objective,
    ];

    /// The name of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::ToCluster => "to_cluster",
            Self::Service => "service",
            Self::Application => "application",
            Self::UserGroup => "user_group",
            Self::RequestKind => "request_kind",
            Self::Outcome => "outcome",
            Self::Objective => "objective",
        }
    }
}

/// Which value of a figure: empty for all there is.
pub type Labels = BTreeMap<Dimension, String>;
