//! Users who move to another cluster's gateway, by a time line that is known from the start.
//!
//! # Models
//! A move takes a share of the users that are at one cluster to another, one after the other at equal
//! distances over its duration. Who moves, and in which order, is drawn once per user: a larger share
//! takes the same users and more. What a user requests, and when, does not depend on where it is: so
//! request k is the same request, at the same time, with other moves or none.
//!
//! A user that has moved connects to the new gateway; one that comes back connects anew. What is under
//! way when its user moves is answered over the gateway that took it in.
//!
//! # Assumptions
//! - A user whose earlier move is still to come when a move begins is not among those that it takes.
//! - Cookies stay with their gateway, as if each had a host name of its own. Effect: with cookie
//!   affinity, a user that moves may change its endpoint.

use super::population::{Move, Population};
use crate::draws::{Draws, Purpose, draw};
use crate::ids::{ClusterId, PopulationId};
use meshsim_core::random::uniform;
use meshsim_core::{SimDuration, SimTime};

/// Where the users of a population are, and when.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    home: ClusterId,
    /// All arrivals at other clusters, those of a user together, in the order of time.
    stops: Vec<(SimTime, ClusterId)>,
    /// By user, where its stops begin; one more at the end.
    starts: Vec<u32>,
}

impl Whereabouts {
    /// Draws who moves when. Nothing if nobody does.
    #[must_use]
    pub fn new(population: &Population, id: PopulationId, draws: Draws) -> Option<Self> {
        if population.moves.is_empty() {
            return None;
        }
        let mut stops: Vec<Vec<(SimTime, ClusterId)>> = vec![Vec::new(); population.users as usize];
        let mut moves: Vec<(usize, &Move)> = population.moves.iter().enumerate().collect();
        moves.sort_by_key(|(_, it)| it.begins);
        for (number, it) in moves {
            let is_there = |stops: &[(SimTime, ClusterId)]| match stops.last() {
                Some(&(since, cluster)) => cluster == it.from && since <= it.begins,
                None => population.cluster == it.from,
            };
            let there = (0..population.users).filter(|&user| is_there(&stops[user as usize]));
            let key = |user| uniform(&mut draw(draws.of_user(id, user).child(number as u64), Purpose::Move));
            let mut order: Vec<(f64, u32)> = there.map(|user| (key(user), user)).collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let count = (it.share * order.len() as f64 + 0.5) as usize;
            for (rank, (_, user)) in order.into_iter().take(count).enumerate() {
                let part = (rank as f64 + 0.5) / count as f64;
                let after = SimDuration::from_nanos_f64(it.over.as_nanos() as f64 * part);
                stops[user as usize].push((it.begins.saturating_add(after), it.to));
            }
        }
        let mut starts = vec![0];
        starts.extend(stops.iter().scan(0, |sum: &mut u32, of_user| {
            *sum += of_user.len() as u32;
            Some(*sum)
        }));
        Some(Self { home: population.cluster, stops: stops.into_iter().flatten().collect(), starts })
    }

    /// Where a user is.
    #[must_use]
    pub fn of(&self, user: u32, at: SimTime) -> ClusterId {
        let stops = self.stops_of(user);
        match self.moves_before(user, at) {
            0 => self.home,
            count => stops[count as usize - 1].1,
        }
    }

    /// How often a user has moved.
    #[must_use]
    pub fn moves_before(&self, user: u32, at: SimTime) -> u32 {
        self.stops_of(user).iter().take_while(|(since, _)| *since <= at).count() as u32
    }

    fn stops_of(&self, user: u32) -> &[(SimTime, ClusterId)] {
        let [begins, ends] = [0, 1].map(|next| self.starts[user as usize + next] as usize);
        &self.stops[begins..ends]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::population::tests::population;

    const HOME: ClusterId = ClusterId(0);
    const AWAY: ClusterId = ClusterId(1);

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn whereabouts(users: u32, moves: Vec<Move>) -> Whereabouts {
        let population = Population { users, moves, ..population() };
        Whereabouts::new(&population, PopulationId(0), Draws::new(1, 0)).unwrap()
    }

    fn count(whereabouts: &Whereabouts, users: u32, at: SimTime, cluster: ClusterId) -> usize {
        (0..users).filter(|&user| whereabouts.of(user, at) == cluster).count()
    }

    fn go(begins: u64, over: u64, from: ClusterId, to: ClusterId, share: f64) -> Move {
        Move { begins: at(begins), over: SimDuration::from_secs(over), from, to, share }
    }

    #[test]
    fn a_share_moves_one_after_the_other() {
        let whereabouts = whereabouts(200, vec![go(100, 60, HOME, AWAY, 0.5)]);
        let away = [99, 100, 115, 130, 145, 160, 900].map(|s| count(&whereabouts, 200, at(s), AWAY));
        assert_eq!(away, [0, 0, 25, 50, 75, 100, 100]);
    }

    #[test]
    fn a_larger_share_takes_the_same_users_and_more() {
        let [few, many] = [0.2, 0.6].map(|share| whereabouts(100, vec![go(10, 0, HOME, AWAY, share)]));
        assert!((0..100).all(|user| few.of(user, at(10)) == HOME || many.of(user, at(10)) == AWAY));
        assert_eq!([&few, &many].map(|it| count(it, 100, at(10), AWAY)), [20, 60]);
    }

    #[test]
    fn users_come_back_and_go_on() {
        let third = ClusterId(2);
        let moves =
            vec![go(300, 0, AWAY, third, 0.5), go(100, 50, HOME, AWAY, 1.0), go(400, 0, third, HOME, 1.0)];
        let whereabouts = whereabouts(100, moves);
        let of = |s| [HOME, AWAY, third].map(|cluster| count(&whereabouts, 100, at(s), cluster));
        assert_eq!([50, 200, 300, 400].map(of), [[100, 0, 0], [0, 100, 0], [0, 50, 50], [50, 50, 0]]);
        assert!((0..100).all(|user| [1, 3].contains(&whereabouts.moves_before(user, at(500)))));
    }

    #[test]
    fn who_is_on_the_way_is_not_taken() {
        // Half of the users have left when the second move begins.
        let whereabouts = whereabouts(100, vec![go(100, 100, HOME, AWAY, 1.0), go(150, 0, AWAY, HOME, 1.0)]);
        let home = [150, 151, 200].map(|s| count(&whereabouts, 100, at(s), HOME));
        assert_eq!(home, [100, 99, 50]);
    }
}
