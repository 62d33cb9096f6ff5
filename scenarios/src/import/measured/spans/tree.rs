//! Which spans stand above which.

use crate::traces::Span;
use crate::traces::model::Side;

/// Parents stand in the same request; so many steps at most, should they go round.
const MOST_STEPS: usize = 10_000;

/// Spans by their parents.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a>(pub(super) &'a [Span]);

impl Tree<'_> {
    /// The spans of clients and gateways above a span, up to the nearest server's, the nearest first; and that server's.
    pub(super) fn above(self, index: usize) -> (Vec<usize>, Option<usize>) {
        let mut clients = Vec::new();
        let mut at = self.0[index].parent;
        for _ in 0..self.0.len().min(MOST_STEPS) {
            let Some(parent) = at.map(|it| it as usize) else { break };
            match self.0[parent].side {
                Side::Server => return (clients, Some(parent)),
                Side::Client | Side::Gateway => clients.push(parent),
                Side::Other => {}
            }
            at = self.0[parent].parent;
        }
        (clients, None)
    }

    /// The outermost server's span of the same answer.
    pub(super) fn outer(self, index: usize) -> usize {
        let mut at = index;
        for _ in 0..self.0.len().min(MOST_STEPS) {
            match self.above(at) {
                (clients, Some(server))
                    if clients.is_empty() && self.0[server].service == self.0[at].service =>
                {
                    at = server;
                }
                _ => return at,
            }
        }
        index
    }
}
