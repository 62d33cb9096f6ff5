//! Its control plane by itself.

use super::{Bench, CLOUD, EDGE, pod_of};
use crate::cluster::handed::Handed;
use crate::cluster::news::{Addressee, EndpointNews, IstiodStep, News, Push};
use crate::ids::{ConfigurationId, ProxyId, ServiceId};
use crate::istiod::push_kind::PushKind;
use crate::istiod::settings::IstiodSettings;
use crate::world::description::ConfigurationChange;
use meshsim_core::{SimDuration, SimTime};

#[test]
fn control_announces_what_the_proxies_are_told() {
    let mut bench = Bench::new(|_| {});
    let pod = pod_of(&bench, 0);
    let gone = News::Endpoint { pod, what: EndpointNews::Leaves };
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, gone));
    let [Handed::Push { to: EDGE, push, .. }, Handed::News { news, to: None }] = handed[..] else {
        panic!("{handed:?}")
    };
    assert_eq!((push, news), (Push::Content { number: 1, news: gone }, gone));
    bench.act(|it| it.owners.outbound.take_push(&mut it.at, push));
    assert_eq!(bench.cluster.owners.outbound.ready_pods(&bench.topology, ServiceId(0)).len(), 0);
}

#[test]
fn istiod_gives_the_proxies_a_configuration_that_the_other_clusters_have_of_their_own() {
    let mut bench = Bench::new(|description| {
        let settings = description.services[ServiceId(0)].clone();
        let change = ConfigurationChange { at: SimTime::ZERO, service: ServiceId(0), settings };
        description.configuration_changes.push(change);
    });
    let changed = News::Configuration(ConfigurationId(1));
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, changed));
    let [Handed::Push { to: EDGE, push, .. }] = handed[..] else { panic!("{handed:?}") };
    assert_eq!(push, Push::Content { number: 1, news: changed });
    bench.act(|it| it.owners.outbound.take_push(&mut it.at, push));
    let proxies = &bench.cluster.proxies;
    assert!(proxies.ids().all(|proxy| proxies[proxy].configuration == ConfigurationId(1)));
}

#[test]
fn an_istiod_for_all_paces_its_pushes_and_one_elsewhere_is_told() {
    let with = |cluster| {
        Bench::new(|description| {
            let push = SimDuration::from_millis(1);
            let settings =
                IstiodSettings { cluster: Some(cluster), cores: 1, push, ..IstiodSettings::default() };
            description.istiod = Some(settings);
        })
    };
    let gone = |bench: &Bench| News::Endpoint { pod: pod_of(bench, 0), what: EndpointNews::Leaves };
    // It is told, and nothing is pushed here.
    let mut bench = with(CLOUD);
    let news = gone(&bench);
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, news));
    assert!(matches!(handed[..], [Handed::News { to: Some(CLOUD), .. }]), "{handed:?}");
    // It sends what is new to both clusters, and then pushes to each proxy: two gateways and the sidecar that is left.
    let mut bench = with(EDGE);
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, news));
    assert!(
        matches!(handed[..], [Handed::Push { to: EDGE, .. }, Handed::Push { to: CLOUD, .. }, _]),
        "{handed:?}"
    );
    let prepared = IstiodStep::IsPrepared { up_to: 1, kind: PushKind::Incremental, is_alone: false, life: 0 };
    bench.act(|it| it.owners.control.istiod_steps(&mut it.at, prepared));
    let mut pushed = Vec::new();
    for target in [0, 2, 3] {
        let sent = IstiodStep::IsSent { replica: 0, target, up_to: 1, kind: PushKind::Incremental, life: 0 };
        let ((), handed) = bench.act(|it| it.owners.control.istiod_steps(&mut it.at, sent));
        let [Handed::Push { to, push: Push::To { proxy, up_to: 1 }, .. }] = handed[..] else {
            panic!("{handed:?}")
        };
        pushed.push((to, proxy));
    }
    let (gateway, stock) = (Addressee::Standing(ProxyId(0)), pod_of(&bench, 1));
    assert_eq!(pushed, [(EDGE, gateway), (CLOUD, gateway), (CLOUD, Addressee::SidecarOf(stock))]);
}
