//! What the API server of a cluster tells, and who in it watches that.

use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::news::{EndpointNews, IstiodStep, News};
use crate::telemetry::decision::What;

impl Control {
    /// The API server of this cluster tells those who watch it of a change here.
    pub(in crate::cluster) fn api_server_tells(&mut self, at: &mut Around<'_>, news: News) {
        if at.waits_for_api_server(Event::ApiServerTells(news)) {
            return;
        }
        at.recorder.decided(at.now, decision_of(news));
        let only = at.topology.description.istiod_pace().and_then(|it| it.cluster);
        if only.is_none_or(|only| only == at.here) {
            self.istiod_learns(at, news);
        }
        // Of the configuration the others are told by their own API servers.
        let News::Endpoint { pod, what } = news else { return };
        at.hand(Handed::News { news, to: only });
        if matches!(what, EndpointNews::Ready | EndpointNews::Unready) {
            self.controller_sees_fault(at, pod);
        }
    }

    /// The istiod of this cluster learns what an API server tells.
    pub(in crate::cluster) fn istiod_learns(&mut self, at: &mut Around<'_>, news: News) {
        self.istiod.learns(at, news);
    }

    /// The API server of this cluster is back: whoever controls something looks at it anew.
    pub(in crate::cluster) fn api_server_is_back(&mut self, at: &mut Around<'_>) {
        if self.nodes.is_empty() {
            return;
        }
        for deployment in 0..self.deployments.len() {
            self.reconcile(at, deployment);
        }
    }

    /// The istiod of this cluster dies.
    pub(in crate::cluster) fn istiod_dies(&mut self, _: &mut Around<'_>) {
        self.istiod.dies();
    }

    /// The istiod of this cluster is back.
    pub(in crate::cluster) fn istiod_is_back(&mut self, at: &mut Around<'_>) {
        self.istiod.is_back(at);
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
