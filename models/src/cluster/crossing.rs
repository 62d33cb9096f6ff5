//! What is on its way out of a pod or through a cluster.

use super::message::{Request, Reset, Response};
use crate::network::tcp::Transfer;

/// What is on its way within the cluster.
#[derive(Clone, Copy, Debug)]
pub enum Crossing {
    /// To a pod.
    Request(Request),
    /// To a client.
    Response(Response),
    /// To a client.
    Reset(Reset),
}

/// An answer that is being sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    pub(super) response: Response,
    /// The rounds still to be sent; none has been if nothing is there.
    pub(super) transfer: Option<Transfer>,
}
