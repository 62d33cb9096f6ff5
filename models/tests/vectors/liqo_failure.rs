//! How a failed peer is noticed: chains of periodic checks.

use crate::nodes::{lifecycle_settings, no_execute, second_at};
use crate::read::{flag_at, list, millis_at, moment_at, required, small_at, text, whole};
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::kubernetes::node_lifecycle::{
    NodeDecision, NodeLifecycle, NodeLifecycleSettings, NodeTaint, Ready, WatchedNode, ZoneId,
};
use meshsim_models::kubernetes::scheduler::node::Taint;
use meshsim_models::kubernetes::taint_eviction::{Eviction, eviction, with_defaults};
use meshsim_models::liqo::api_server_check::{ApiServerCheck, ApiServerCheckSettings};
use meshsim_models::liqo::connection_check::{ConnectionCheck, PingSettings};
use meshsim_models::liqo::virtual_kubelet::{VirtualKubelet, VirtualKubeletSettings};
use serde_json::{Value, json};

/// Pings that leave at fixed distances, and looks at what has come back.
struct Tunnel {
    check: ConnectionCheck,
    settings: PingSettings,
    rtt: SimDuration,
    next_ping: SimTime,
    next_look: SimTime,
    /// Pings on their way, by the time of their answer.
    under_way: Vec<(SimTime, SimTime)>,
    /// When nothing gets through: from a moment on, and until another.
    down: Vec<(SimTime, SimTime)>,
}

impl Tunnel {
    fn next(&self) -> SimTime {
        let answer = self.under_way.first().map(|(answer, _)| *answer);
        answer.into_iter().chain([self.next_ping, self.next_look]).min().expect("there is always a ping")
    }

    /// What happens now; whether the tunnel is up now, if that is news.
    fn happens(&mut self, now: SimTime) -> Option<bool> {
        if self.under_way.first().is_some_and(|(answer, _)| *answer == now) {
            let (_, sent) = self.under_way.remove(0);
            return self.check.is_answered(sent, now).then_some(true);
        }
        if self.next_ping == now {
            self.next_ping = now + self.settings.interval;
            let quarters = (0..4).map(|n| now + SimDuration::from_nanos(self.rtt.as_nanos() / 4 * n));
            if !quarters.into_iter().any(|at| self.is_down(at)) {
                self.under_way.push((now + self.rtt, now));
            }
            return None;
        }
        self.next_look = now + self.settings.observed_every();
        self.check.is_observed(now).then_some(false)
    }

    fn is_down(&self, at: SimTime) -> bool {
        self.down.iter().any(|(from, to)| *from <= at && at < *to)
    }
}

pub(crate) fn connection_check(input: &Value) -> Value {
    let usual = PingSettings::default();
    let settings = PingSettings {
        interval: millis_at(input, "ping_interval_ms").unwrap_or(usual.interval),
        threshold: small_at(input, "loss_threshold").unwrap_or(usual.threshold),
    };
    let is_connected = flag_at(input, "initially_connected").unwrap_or(false);
    let answered = SimTime::ZERO + millis_at(input, "last_sent_ms").unwrap_or(SimDuration::ZERO);
    let latency = millis_at(input, "last_latency_ms").unwrap_or(SimDuration::ZERO);
    let millis = |value: &Value| SimTime::ZERO + SimDuration::from_millis(whole(value));
    let mut tunnel = Tunnel {
        check: ConnectionCheck::new(settings, is_connected, answered, latency),
        settings,
        rtt: millis_at(input, "rtt_ms").expect("a round trip"),
        next_ping: moment_at(input, "first_ping_ms"),
        next_look: moment_at(input, "first_observation_ms"),
        under_way: Vec::new(),
        down: list(input, "down").iter().map(|span| (millis(&span[0]), millis(&span[1]))).collect(),
    };
    let (until, mut changes) = (moment_at(input, "until_ms"), Vec::new());
    while tunnel.next() <= until {
        let now = tunnel.next();
        changes.extend(tunnel.happens(now).map(|is_up| json!([now.as_secs_f64() * 1e3, is_up])));
    }
    json!({"changes": changes})
}

/// What the consumer of one provider does and sees.
struct Watch {
    controller: NodeLifecycle,
    virtual_node: WatchedNode,
    kubelet: VirtualKubelet,
    /// Whether the tunnel is up.
    is_connected: bool,
    eviction: Option<Eviction>,
    is_evicted: bool,
    timeline: Vec<(SimTime, &'static str)>,
}

impl Watch {
    fn tells(&mut self, now: SimTime, what: &'static str) {
        self.timeline.push((now, what));
    }

    /// The virtual kubelet posts, if it may, and Liqo marks the pods by the node's condition.
    fn posts(&mut self, posted: Option<bool>, now: SimTime) {
        let Some(ready) = posted else { return };
        let condition = if ready { Ready::True } else { Ready::False };
        let was_ready = self.is_ready();
        if self.controller.posts(self.virtual_node, condition, now) {
            self.tells(now, if ready { "ready_true" } else { "ready_false" });
        }
        if was_ready != ready {
            self.tells(now, if ready { "pods_ready" } else { "pods_not_ready" });
        }
    }

    fn is_ready(&self) -> bool {
        self.controller.ready(self.virtual_node) == Some(Ready::True)
    }

    fn decided(&mut self, decisions: Vec<NodeDecision>, now: SimTime) {
        for decision in decisions {
            match decision {
                NodeDecision::Unknown(node) if node == self.virtual_node => self.tells(now, "ready_unknown"),
                NodeDecision::PodsNotReady(node) if node == self.virtual_node => {
                    self.tells(now, "pods_not_ready");
                }
                NodeDecision::Taint(node, taint) if node == self.virtual_node => {
                    let is_not_ready = taint == NodeTaint::NotReady;
                    self.tells(now, if is_not_ready { "taint_not_ready" } else { "taint_unreachable" });
                    self.taints(&[no_execute(taint)], now);
                }
                NodeDecision::TaintsRemoved(node) if node == self.virtual_node => {
                    self.tells(now, "taints_removed");
                    self.taints(&[], now);
                }
                _ => {}
            }
        }
    }

    fn taints(&mut self, taints: &[Taint], now: SimTime) {
        if !self.is_evicted {
            self.eviction = eviction(taints, &with_defaults(Vec::new()), self.eviction, now);
        }
    }
}

pub(crate) fn failure_timeline(input: &Value) -> Value {
    let second = |key| second_at(input, key).unwrap_or_else(|| panic!("`{key}` is missing"));
    let (cut, restore) = (second("cut_s"), second_at(input, "restore_s").unwrap_or(SimTime::MAX));
    let what = text(required(input, "cut"));
    let is_cut = |of: &str, at: SimTime| (what == of || what == "both") && cut <= at && at < restore;
    let settings = PingSettings::default();
    let round_trip = millis_at(input, "rtt_ms").expect("a round trip");
    let mut tunnel = Tunnel {
        check: ConnectionCheck::new(settings, true, SimTime::ZERO, SimDuration::ZERO),
        settings,
        rtt: round_trip,
        next_ping: second("first_ping_s"),
        next_look: second("first_observation_s"),
        under_way: Vec::new(),
        down: if is_cut("tunnel", cut) { vec![(cut, restore)] } else { Vec::new() },
    };
    let lifecycle: NodeLifecycleSettings = lifecycle_settings(input);
    let mut controller = NodeLifecycle::new(lifecycle, 2);
    let local = controller.add(ZoneId(0), SimTime::ZERO, Some(Ready::True));
    let virtual_node = controller.add(ZoneId(1), SimTime::ZERO, Some(Ready::True));
    let kubelet_settings = VirtualKubeletSettings::default();
    let mut watch = Watch {
        controller,
        virtual_node,
        kubelet: VirtualKubelet::new(kubelet_settings, second("first_vk_ping_s")),
        is_connected: true,
        eviction: None,
        is_evicted: false,
        timeline: Vec::new(),
    };
    let api_settings = ApiServerCheckSettings::default();
    let mut api_server = ApiServerCheck::new();
    let [mut api_check, mut ping, mut lease, mut check] =
        ["first_api_check_s", "first_vk_ping_s", "first_lease_s", "first_check_s"].map(second);
    // Questions to the API server that end later, without an answer.
    let mut api_fails: Option<SimTime> = None;
    let until = second("until_s");
    loop {
        let evicts = watch.eviction.map(|it| it.at).filter(|_| !watch.is_evicted);
        let moments = [
            Some(tunnel.next()),
            api_fails,
            Some(api_check),
            Some(ping),
            Some(lease),
            Some(watch.kubelet.timer()),
            evicts,
            Some(check),
            watch.controller.next_taint(),
        ];
        let now = moments.into_iter().flatten().min().expect("there is always another check");
        if now > until {
            break;
        }
        if tunnel.next() == now {
            if let Some(is_up) = tunnel.happens(now) {
                watch.tells(now, if is_up { "connection_established" } else { "connection_error" });
                watch.is_connected = is_up;
                let posted = watch.kubelet.happens(is_up, now);
                watch.posts(posted, now);
            }
        } else if api_fails == Some(now) || api_check == now {
            let answered = api_fails != Some(now) && !is_cut("api_server", now);
            if api_fails == Some(now) {
                api_fails = None;
            } else {
                api_check = now + api_settings.interval;
                if !answered {
                    api_fails = Some(now + api_settings.timeout);
                    continue;
                }
            }
            if api_server.ends(answered) {
                watch.tells(now, if answered { "api_server_ready" } else { "api_server_error" });
                let posted = watch.kubelet.happens(watch.is_connected, now);
                watch.posts(posted, now);
            }
        } else if ping == now {
            ping = now + kubelet_settings.ping;
            watch.kubelet.pings(api_server.answers());
        } else if lease == now {
            lease = now + kubelet_settings.lease;
            if watch.kubelet.renews() {
                watch.controller.renews(virtual_node, now);
            }
            watch.controller.renews(local, now);
        } else if watch.kubelet.timer() == now {
            let posted = watch.kubelet.timer_fires(now);
            watch.posts(posted, now);
        } else if evicts == Some(now) {
            watch.is_evicted = true;
            watch.tells(now, "evict");
        } else {
            let mut decisions = Vec::new();
            if check == now {
                check = now + lifecycle.monitor_period;
                watch.controller.checks(now, &mut decisions);
            } else {
                watch.controller.taints(now, &mut decisions);
            }
            watch.decided(decisions, now);
        }
    }
    watch.timeline.sort();
    let timeline: Vec<Value> =
        watch.timeline.iter().map(|(at, what)| json!([at.as_secs_f64(), what])).collect();
    json!({"timeline": timeline})
}
