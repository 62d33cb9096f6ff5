//! What the API server of a cluster tells, and who in it watches that.

use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::news::{EndpointNews, IstiodStep, News};
use crate::ids::{ClusterId, PodId};
use crate::liqo::endpoint_reflection::{EndpointHost, is_reflected};
use crate::telemetry::decision::What;
use crate::telemetry::recorder::Recorder;
use meshsim_core::SimTime;

impl Control {
    /// The API server of this cluster tells those who watch it of a change here.
    pub(in crate::cluster) fn api_server_tells(&mut self, at: &mut Around<'_>, news: News) {
        if at.waits_for_api_server(Event::ApiServerTells(news)) {
            return;
        }
        at.recorder.decided(at.now, decision_of(news));
        let only = at.topology.description.istiod_pace().and_then(|it| it.cluster);
        if only.is_none_or(|only| only == at.here) {
            self.istiod.learns(at, news);
        }
        // Of the configuration the others are told by their own API servers.
        let News::Endpoint { pod, what } = news else { return };
        if at.topology.pod_ids.cluster_of(pod) != at.here {
            return tell_those_behind(at, pod, news, only);
        }
        at.hand(Handed::News { news, to: only });
        if let EndpointNews::Ready | EndpointNews::Unready = what {
            self.controller_sees_fault(at, pod);
            self.tell_consumer_of_condition(at, pod, what == EndpointNews::Ready);
        }
    }

    /// The istiod of this cluster learns what the API server of another one tells.
    pub(in crate::cluster) fn istiod_learns(&mut self, at: &mut Around<'_>, news: News) {
        let (News::Endpoint { pod, what }, Some(peers)) = (news, &mut self.peers) else {
            return self.istiod.learns(at, news);
        };
        for what in peers.reflection.learns(at.topology.pod_ids.cluster_of(pod), pod, what) {
            self.istiod.learns(at, News::Endpoint { pod, what });
        }
    }

    /// The API server of this cluster is back: whoever controls something looks at it anew.
    pub(in crate::cluster) fn api_server_is_back(&mut self, at: &mut Around<'_>) {
        self.virtual_kubelets_post(at);
        self.says_what_it_could_not(at);
        if self.nodes.is_empty() {
            return;
        }
        for deployment in 0..self.deployments.len() {
            self.reconcile(at, deployment);
        }
    }

    /// The istiod of this cluster dies or is back, or some of its replicas.
    pub(in crate::cluster) fn istiod_dies_or_is_back(&mut self, at: &mut Around<'_>) {
        self.istiod.dies_or_is_back(at);
    }

    /// The run is over.
    pub(in crate::cluster) fn ends(&mut self, recorder: &mut Recorder, now: SimTime) {
        self.istiod.ends(recorder, now);
    }

    /// The istiod of this cluster goes on with its pushes.
    pub(in crate::cluster) fn istiod_steps(&mut self, at: &mut Around<'_>, step: IstiodStep) {
        self.istiod.steps(at, step);
    }
}

const fn decision_of(news: News) -> What {
    match news {
        News::Endpoint { pod, what } => {
            What::Endpoint(pod, matches!(what, EndpointNews::Appears(_) | EndpointNews::Ready))
        }
        News::Configuration(configuration) => What::Configuration(configuration),
    }
}

/// What a consumer notices of an endpoint elsewhere is reflected to those of its providers that reach it through here.
fn tell_those_behind(at: &mut Around<'_>, pod: PodId, news: News, only: Option<ClusterId>) {
    let of = at.topology.pod_ids.cluster_of(pod);
    for to in at.topology.description.clusters.ids() {
        let listens = only.is_none_or(|only| only == to);
        if listens && is_reflected(&EndpointHost::Behind(of), &to) && at.topology.leads_over(to, of, at.here)
        {
            at.hand(Handed::News { news, to: Some(to) });
        }
    }
}
