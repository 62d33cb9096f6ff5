use super::*;
use meshsim_core::random::{Address, bernoulli, uniform_index};

fn link(between: [u32; 2], round_trip: u64, loss: f64) -> LinkSpec {
    LinkSpec {
        name: format!("{between:?}"),
        between: between.map(ClusterId),
        round_trip: SimDuration::from_nanos(round_trip),
        jitter: SimDuration::ZERO,
        bits_per_second: 1e9 + f64::from(between[0]) * 7.0 + f64::from(between[1]),
        mtu: 1400 + (between[0] * 3 + between[1]) % 100,
        tunnel_overhead: (between[0] * 5 + between[1]) % 11,
        loss,
    }
}

/// All pairs, by relaxing over every cluster in turn: how ways were once found, and what they are held against.
fn all_pairs(n: usize, links: &[LinkSpec]) -> Vec<Option<(Way, u32, ClusterId)>> {
    let mut routes: Vec<Option<(Way, u32, ClusterId)>> = vec![None; n * n];
    for (number, link) in links.iter().enumerate() {
        for [from, to] in [link.between, [link.between[1], link.between[0]]] {
            let known = &mut routes[from.index() * n + to.index()];
            if known.is_none_or(|(known, ..)| link.round_trip < known.path.round_trip) {
                *known = Some((Way::of(link), number as u32, to));
            }
        }
    }
    for via in 0..n {
        for from in (0..n).filter(|&from| from != via) {
            let Some((first, link, next)) = routes[from * n + via] else { continue };
            for to in (0..n).filter(|&to| to != from && to != via) {
                let Some((second, ..)) = routes[via * n + to] else { continue };
                let way = second.after(Some(first));
                let known = &mut routes[from * n + to];
                if known.is_none_or(|(known, ..)| way.path.round_trip < known.path.round_trip) {
                    *known = Some((way, link, next));
                }
            }
        }
    }
    routes
}

fn holds(n: usize, links: &[LinkSpec], what: &str) {
    let (ways, twin) = (Ways::new(n, links), all_pairs(n, links));
    for (from, to) in (0..n).flat_map(|from| (0..n).map(move |to| (from, to))).filter(|(a, b)| a != b) {
        let [a, b] = [from, to].map(ClusterId::from_index);
        let got = ways.route(a, b);
        let Some((way, link, next)) = twin[from * n + to] else {
            assert!(got.is_none(), "{what}: {from} to {to}");
            continue;
        };
        let got = got.unwrap_or_else(|| panic!("{what}: no way from {from} to {to}"));
        assert_eq!((got.path, got.link, got.next), (way.path, link, next), "{what}: {from} to {to}");
        assert!((got.loss - way.loss).abs() < 1e-12, "{what}: loss from {from} to {to}");
        assert_eq!(ways.ports(a)[got.port as usize], got.link, "{what}: port from {from} to {to}");
    }
}

#[test]
fn ways_are_those_of_all_pairs_over_random_links() {
    for seed in 0..400 {
        let mut rng = Address::root(seed, 0).draw(0);
        let n = 2 + uniform_index(&mut rng, 9);
        let count = uniform_index(&mut rng, 2 * n);
        let lossy = bernoulli(&mut rng, 0.5);
        let links: Vec<LinkSpec> = (0..count)
            .map(|_| {
                let a = uniform_index(&mut rng, n);
                let b = (a + 1 + uniform_index(&mut rng, n - 1)) % n;
                // Few lengths: many ways are equally long.
                let round_trip = 2 * (1 + uniform_index(&mut rng, 3) as u64);
                let loss = if lossy { uniform_index(&mut rng, 3) as f64 / 10.0 } else { 0.0 };
                link([a as u32, b as u32], round_trip, loss)
            })
            .collect();
        holds(n, &links, &format!("seed {seed}"));
    }
}

#[test]
fn the_nearest_of_some_is_the_least_of_all_ways() {
    for seed in 0..200 {
        let mut rng = Address::root(seed, 1).draw(0);
        let n = 2 + uniform_index(&mut rng, 9);
        let links: Vec<LinkSpec> = (0..uniform_index(&mut rng, 2 * n))
            .map(|_| {
                let a = uniform_index(&mut rng, n);
                let b = (a + 1 + uniform_index(&mut rng, n - 1)) % n;
                link([a as u32, b as u32], 2 * (1 + uniform_index(&mut rng, 3) as u64), 0.0)
            })
            .collect();
        let ways = Ways::new(n, &links);
        let some: Vec<ClusterId> =
            (0..n).filter(|_| bernoulli(&mut rng, 0.4)).map(ClusterId::from_index).collect();
        let nearest = ways.nearest(&links, some.iter().copied());
        for from in (0..n).map(ClusterId::from_index) {
            let round_trip = |to| match to == from {
                true => Some(SimDuration::ZERO),
                false => ways.route(from, to).map(|it| it.path.round_trip),
            };
            let least = some.iter().filter_map(|&to| Some((round_trip(to)?, to))).min();
            assert_eq!(nearest[from], least, "seed {seed}, {from:?}");
        }
    }
}

#[test]
fn ways_are_those_of_all_pairs_in_stars_trees_chains_and_rings() {
    let star: Vec<_> = (1..12).map(|edge| link([edge, 0], 10 * u64::from(edge), 0.1)).collect();
    let tree: Vec<_> = (1..16).map(|it| link([it, (it - 1) / 2], 6 + u64::from(it % 3), 0.0)).collect();
    let chain: Vec<_> = (1..9).map(|it| link([it - 1, it], 4, 0.01)).collect();
    let ring: Vec<_> = (0..8).map(|it| link([it, (it + 1) % 8], 4, 0.0)).collect();
    // A ring with a star on each of its clusters.
    let mut stars = ring.clone();
    stars.extend((8..32).map(|it| link([it, it % 8], 6, 0.0)));
    // Two trees that nothing joins.
    let apart: Vec<_> = [[0, 1], [1, 2], [3, 4], [4, 5]].map(|between| link(between, 8, 0.0)).into();
    let full: Vec<_> =
        (0..9).flat_map(|a| (0..a).map(move |b| link([a, b], 2 + u64::from(a % 2), 0.0))).collect();
    for (what, n, links) in [
        ("star", 12, star),
        ("tree", 16, tree),
        ("chain", 9, chain),
        ("ring", 8, ring),
        ("ring of stars", 32, stars),
        ("apart", 6, apart),
        ("full", 9, full),
        ("nothing", 3, Vec::new()),
    ] {
        holds(n, &links, what);
    }
}

#[test]
fn nothing_is_kept_per_pair_of_a_star() {
    let star: Vec<_> = (1..2_000).map(|edge| link([edge, 0], 10, 0.0)).collect();
    let ways = Ways::new(2_000, &star);
    assert_eq!(ways.core.len(), 1);
    assert_eq!(ways.route(ClusterId(7), ClusterId(1_999)).map(|it| it.next), Some(ClusterId(0)));
    assert_eq!(ways.ports(ClusterId(0)).len(), 1_999);
}
