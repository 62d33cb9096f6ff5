//! The gateway at an end of a tunnel: what passing it takes.
//!
//! # Models
//! Packets between clusters pass a gateway at each end of the tunnel. A gateway is two stations, one after the other: a
//! core that handles the packets of the tunnel, which is one flow of UDP and so stays on one core, and all of its cores,
//! which share the soft-interrupt time of messages. Both serve first come, first served.
//!
//! # Calibration
//! | measured | where | here |
//! | --- | --- | --- |
//! | drops from 180,000 packets/s on, one core full | projectcalico/calico#9223 | 5.5 us per packet |
//! | 29,004 requests/s of 0.8 kB on four cores, which were in soft interrupts for 43, 61, 59 and 43 % | liqotech/liqo#3079 | 71 us per request |
//! | one core at 99 % under iperf | liqotech/liqo#3079 | the first station alone is full |
//!
//! Other figures that are around come from closed loops, whose throughput is their connections over their latency, or from
//! before the redesign of Liqo's network (87.5 Mbit/s, liqotech/liqo#1457): they are no limits of these stations.
//!
//! # Assumptions
//! - A request and its answer take half of the time per request each, however large they are: the packets of a large body
//!   are merged (GRO) before they are routed. Their packets count at the first station.
//! - Both directions share both stations; the core of the tunnel is none of the others. Acknowledgements and
//!   WireGuard's own messages count nowhere, for the measured figures hold them.
//! - A gateway stands on a machine that no pod shares, and drops nothing: an overloaded one delays.
//!
//! # Source
//! As above; liqotech/liqo v1.2.0 `docs/architecture/network`, kernel `drivers/net/wireguard` (one NAPI context per peer).

use meshsim_core::{SimDuration, SimTime};

/// What passing a gateway takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayCost {
    /// Pods of a gateway, of which one works.
    pub replicas: u16,
    /// Cores that share soft interrupts.
    pub cores: u32,
    /// Time of the tunnel's core per packet.
    pub per_packet: SimDuration,
    /// Soft-interrupt time per request with its answer.
    pub per_request: SimDuration,
}

impl Default for GatewayCost {
    fn default() -> Self {
        Self {
            replicas: 1,
            cores: 4,
            per_packet: SimDuration::from_nanos(5_500),
            per_request: SimDuration::from_micros(71),
        }
    }
}

/// A gateway and what it has to do.
#[derive(Clone, Debug)]
pub struct TunnelGateway {
    cost: GatewayCost,
    /// When the core of the tunnel is done with what it has.
    tunnel_free_at: SimTime,
    /// The same of each of all cores.
    cores_free_at: Vec<SimTime>,
}

/// What became of a message at a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// When it comes out.
    pub leaves: SimTime,
    /// CPU time that it took.
    pub cpu: SimDuration,
}

impl TunnelGateway {
    /// One with nothing to do.
    #[must_use]
    pub fn new(cost: GatewayCost) -> Self {
        Self { cost, tunnel_free_at: SimTime::ZERO, cores_free_at: vec![SimTime::ZERO; cost.cores as usize] }
    }

    /// A message of so many packets comes in.
    pub fn pass(&mut self, now: SimTime, packets: u32) -> Passage {
        let packets = SimDuration::from_nanos(self.cost.per_packet.as_nanos() * u64::from(packets));
        let message = self.cost.per_request / 2;
        self.tunnel_free_at = now.max(self.tunnel_free_at).saturating_add(packets);
        let core = self.cores_free_at.iter_mut().min().expect("a gateway has a core");
        *core = self.tunnel_free_at.max(*core).saturating_add(message);
        Passage { leaves: *core, cpu: packets + message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Purpose;
    use meshsim_core::random::{Address, exponential};

    /// Mean wait of messages of one packet that come at random, so many a second, and the share of time for which each
    /// station works.
    fn offered(cost: GatewayCost, per_second: f64) -> (f64, f64) {
        let mut gateway = TunnelGateway::new(cost);
        let (mut now, mut waited, mut cpu, count) = (0.0, 0.0, 0.0, 400_000);
        for n in 0..count {
            let address = Address::root(7, 0).child(n);
            now += exponential(&mut crate::draws::draw(address, Purpose::Interarrival), 1e9 / per_second);
            let at = SimTime::from_nanos(now as u64);
            let passage = gateway.pass(at, 1);
            waited += (passage.leaves - at).as_secs_f64() - passage.cpu.as_secs_f64();
            cpu += passage.cpu.as_secs_f64();
        }
        (waited / count as f64, cpu / now * 1e9)
    }

    /// Closed form: the mean wait of M/D/1 is rho x service / (2 (1 - rho)); it bends where the tunnel's core fills.
    #[test]
    fn the_tunnel_s_core_makes_packets_wait_as_one_server_of_constant_time_does() {
        let cost = GatewayCost { per_request: SimDuration::ZERO, ..GatewayCost::default() };
        let service = 5.5e-6;
        for rho in [0.3, 0.6, 0.9] {
            let (waited, used) = offered(cost, rho / service);
            let expected = rho * service / (2.0 * (1.0 - rho));
            assert!((waited / expected - 1.0).abs() < 0.05, "rho {rho}: {waited}, not {expected}");
            assert!((used - rho).abs() < 0.01);
        }
    }

    /// The measured load keeps 2.06 of four cores in soft interrupts, and none is full.
    #[test]
    fn the_measured_load_takes_the_measured_time() {
        let (waited, used) = offered(GatewayCost::default(), 2.0 * 29_004.0);
        let soft_interrupts = used - 2.0 * 29_004.0 * 5.5e-6;
        assert!((soft_interrupts - 2.06).abs() < 0.03, "{soft_interrupts}");
        assert!(waited < 20e-6, "{waited}");
    }

    #[test]
    fn messages_share_the_cores_and_their_packets_do_not() {
        let us = SimDuration::from_micros;
        let cost =
            GatewayCost { cores: 2, per_packet: us(10), per_request: us(200), ..GatewayCost::default() };
        let mut gateway = TunnelGateway::new(cost);
        let at = |micros: u64| SimTime::ZERO + us(micros);
        let mut leaves = |packets| gateway.pass(at(0), packets).leaves;
        assert_eq!([leaves(1), leaves(1), leaves(1)], [at(110), at(120), at(210)]);
        // 70 packets keep the tunnel, and others behind them, for 700 us.
        assert_eq!([leaves(70), leaves(1)], [at(830), at(840)]);
    }
}
