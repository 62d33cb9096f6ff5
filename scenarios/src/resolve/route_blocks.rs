//! The alternatives of routes: each block of `match` takes requests by itself, and its route says what becomes of them.
//!
//! # Source
//! Istio `route.go`, `BuildHTTPRoutesForVirtualService`: an Envoy route for each `HTTPMatchRequest`, in their order, so a
//! prefix is rewritten as the first block says that takes the request.

use super::check::Check;
use crate::schema::services::{Route, RouteMatch, StringMatch};
use crate::schema::spanned::Spanned;
use std::collections::BTreeMap;
use std::fmt;

/// Conditions as they are written: a block of a route, or the route's own.
pub(super) struct Block<'a> {
    pub(super) route: &'a Spanned<Route>,
    pub(super) number: BlockNumber,
    pub(super) uri: Option<&'a Spanned<StringMatch>>,
    pub(super) method: Option<&'a Spanned<StringMatch>>,
    pub(super) headers: &'a BTreeMap<String, Spanned<StringMatch>>,
    pub(super) without_headers: &'a BTreeMap<String, Spanned<StringMatch>>,
    pub(super) query_params: &'a BTreeMap<String, Spanned<StringMatch>>,
}

/// Which route of a service, and which block of `match` in it, if it has that; from 0. Shown as it is reached in the file.
#[derive(Clone, Copy)]
pub(super) struct BlockNumber {
    pub(super) route: usize,
    pub(super) block: Option<usize>,
}

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.route)?;
        self.block.map_or(Ok(()), |block| write!(f, ".match.{block}"))
    }
}

impl BlockNumber {
    /// As it is spoken of, counted from 1.
    pub(super) fn named(self) -> String {
        let of_block = self.block.map(|block| format!("block {} of ", block + 1)).unwrap_or_default();
        format!("{of_block}route {}", self.route + 1)
    }
}

/// All blocks of some routes, in the order in which requests are held against them.
pub(super) fn of(routes: &[Spanned<Route>]) -> impl Iterator<Item = Block<'_>> {
    routes.iter().enumerate().flat_map(|(route, written)| of_route(route, written))
}

/// The blocks of a route.
pub(super) fn of_route(number: usize, route: &Spanned<Route>) -> Vec<Block<'_>> {
    let fields = route.get_ref();
    let Some(blocks) = &fields.r#match else {
        return vec![Block {
            route,
            number: BlockNumber { route: number, block: None },
            uri: fields.uri.as_ref(),
            method: fields.method.as_ref(),
            headers: &fields.headers,
            without_headers: &fields.without_headers,
            query_params: &fields.query_params,
        }];
    };
    let blocks = blocks.get_ref().iter().enumerate();
    blocks.map(|(block, it)| of_match(route, number, block, it.get_ref())).collect()
}

fn of_match<'a>(route: &'a Spanned<Route>, number: usize, block: usize, fields: &'a RouteMatch) -> Block<'a> {
    Block {
        route,
        number: BlockNumber { route: number, block: Some(block) },
        uri: fields.uri.as_ref(),
        method: fields.method.as_ref(),
        headers: &fields.headers,
        without_headers: &fields.without_headers,
        query_params: &fields.query_params,
    }
}

impl Block<'_> {
    /// Whether it takes all requests.
    pub(super) fn takes_all(&self) -> bool {
        let asks_of_fields =
            [self.headers, self.without_headers, self.query_params].iter().any(|it| !it.is_empty());
        !asks_of_fields && self.uri.is_none() && self.method.is_none()
    }
}

/// Refuses a `match` without a block, or beside conditions of the route's own.
pub(super) fn check(check: &mut Check<'_>, route: &Route) {
    let Some(blocks) = &route.r#match else { return };
    if blocks.get_ref().is_empty() {
        let help =
            "take it out, and the route takes everything, or write match = [{ uri = { prefix = \"/a\" } }]";
        check.problem("a match has no block", blocks.span(), help);
    }
    let first = |it: &BTreeMap<String, Spanned<StringMatch>>| it.values().next().map(Spanned::span);
    let beside = [
        ("uri", route.uri.as_ref().map(Spanned::span)),
        ("method", route.method.as_ref().map(Spanned::span)),
        ("headers", first(&route.headers)),
        ("without_headers", first(&route.without_headers)),
        ("query_params", first(&route.query_params)),
    ];
    let help = "write it in each block of match that it is for";
    check.refuse(beside, help, |key| format!("a route has a match and {key}"));
}
