//! The network: links between clusters, and what TCP makes of them.

pub mod link;
pub mod link_state;
pub mod path;
pub mod retransmission;
pub mod tcp;
pub mod ways;
