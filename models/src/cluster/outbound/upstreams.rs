//! What the proxies of a cluster know of what they call, by proxy and upstream; made at the first call.

use crate::envoy::upstream::Upstream;
use crate::ids::{ProxyId, UpstreamId};
use meshsim_core::Id;

/// A slot for each proxy and upstream.
#[derive(Clone, Debug)]
pub struct Upstreams {
    slots: Vec<Option<Box<Upstream>>>,
    of_each: usize,
}

impl Upstreams {
    /// Nobody has called anything.
    #[must_use]
    pub(super) fn new(proxies: usize, upstreams: usize) -> Self {
        Self { slots: vec![None; proxies * upstreams], of_each: upstreams }
    }

    /// What a proxy knows of an upstream, if it has called it.
    #[must_use]
    #[inline]
    pub fn get(&self, proxy: ProxyId, upstream: UpstreamId) -> Option<&Upstream> {
        self.slots[proxy.index() * self.of_each + upstream.index()].as_deref()
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, proxy: ProxyId, upstream: UpstreamId) -> Option<&mut Upstream> {
        self.slots[proxy.index() * self.of_each + upstream.index()].as_deref_mut()
    }

    /// The same of one through which an endpoint was chosen.
    ///
    /// # Panics
    /// If none was.
    #[inline]
    pub(super) fn known_mut(&mut self, proxy: ProxyId, upstream: UpstreamId) -> &mut Upstream {
        self.get_mut(proxy, upstream).expect("an endpoint was chosen through it")
    }

    /// The slot for it.
    pub(super) fn slot_mut(&mut self, proxy: ProxyId, upstream: UpstreamId) -> &mut Option<Box<Upstream>> {
        &mut self.slots[proxy.index() * self.of_each + upstream.index()]
    }

    /// There are so many proxies from now on.
    pub(super) fn make_room(&mut self, proxies: usize) {
        self.slots.resize(proxies * self.of_each, None);
    }

    /// A proxy starts anew and knows nothing: takes what it knew.
    pub(super) fn forget(&mut self, proxy: ProxyId) -> impl Iterator<Item = Box<Upstream>> {
        self.slots[proxy.index() * self.of_each..][..self.of_each].iter_mut().filter_map(Option::take)
    }

    /// All that are known.
    pub fn iter(&self) -> impl Iterator<Item = &Upstream> {
        self.slots.iter().flatten().map(|it| &**it)
    }
}
