//! What the proxies of a cluster know of what they call, by proxy and upstream; made at the first call.

use crate::envoy::upstream::Upstream;
use crate::few_of_many::FewOfMany;
use crate::ids::{ProxyId, UpstreamId};
use meshsim_core::Id;

/// A slot for each proxy and upstream.
#[derive(Clone, Debug)]
pub struct Upstreams {
    slots: FewOfMany<Option<Box<Upstream>>>,
    of_each: usize,
}

impl Upstreams {
    /// Nobody has called anything.
    #[must_use]
    pub(super) fn new(proxies: usize, upstreams: usize) -> Self {
        Self { slots: FewOfMany::new(proxies * upstreams, None), of_each: upstreams }
    }

    /// What a proxy knows of an upstream, if it has called it.
    #[must_use]
    #[inline]
    pub fn get(&self, proxy: ProxyId, upstream: UpstreamId) -> Option<&Upstream> {
        self.slots.get(proxy.index() * self.of_each + upstream.index()).as_deref()
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, proxy: ProxyId, upstream: UpstreamId) -> Option<&mut Upstream> {
        self.slots.get_mut(proxy.index() * self.of_each + upstream.index()).as_deref_mut()
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
        self.slots.get_mut(proxy.index() * self.of_each + upstream.index())
    }

    /// There are so many proxies from now on.
    pub(super) fn make_room(&mut self, proxies: usize) {
        self.slots.grow(proxies * self.of_each);
    }

    /// A proxy starts anew and knows nothing: takes what it knew.
    pub(super) fn forget(&mut self, proxy: ProxyId) -> impl Iterator<Item = Box<Upstream>> {
        let first = proxy.index() * self.of_each;
        self.slots.take(first..first + self.of_each).flatten()
    }

    /// All that are known, with whose they are.
    pub fn iter(&self) -> impl Iterator<Item = (ProxyId, UpstreamId, &Upstream)> {
        let of = |number| (number / self.of_each, number % self.of_each);
        let known = self.slots.iter().filter_map(move |(number, it)| Some((of(number), it.as_deref()?)));
        known.map(|((proxy, id), it)| (ProxyId::from_index(proxy), UpstreamId::from_index(id), it))
    }
}
