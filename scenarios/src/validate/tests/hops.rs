use crate::traces::{Options, read};
use crate::validate::hops::{self, Hops};
use std::fmt::Write;

/// Access logs of two proxies per request in the testbed's keys, a request each half second: the edge's
/// gateway waits 330 ms for s0, which takes 10 ms in the cloud; at the edge every third one does, and
/// then nothing crosses.
fn logs() -> String {
    let mut text = String::new();
    for k in 0..600_u64 {
        let start = 1_700_000_000_000_000 + 500_000 * k;
        let at_edge = k % 3 == 0;
        let (cluster, waits, begins) =
            if at_edge { ("edge1", 11_000, 500) } else { ("cloud", 330_000, 80_000) };
        let _ = write!(
            text,
            "{{\"p\":\"edge1/gw\",\"o\":\"gw\",\"us\":{start},\"du\":{waits},\"rc\":200,\"c\":\"outbound|80||s0\",\"id\":\"{k:032x}\"}}\n\
             {{\"p\":\"{cluster}/s0\",\"o\":\"in\",\"us\":{},\"du\":10000,\"rc\":200,\"c\":\"inbound|8080||\",\"id\":\"{k:032x}\"}}\n",
            start + begins
        );
    }
    text
}

fn hops(text: &str, warm_up: f64) -> Option<Hops> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let trace = read(file.path(), &Options::default()).unwrap();
    hops::read(&trace, warm_up, 30.0, 20.0, 1)
}

#[test]
fn who_served_what_and_what_crossing_took() {
    let hops = hops(&logs(), 0.0).unwrap();
    let of = |cluster: &str| ("s0".to_owned(), Some(cluster.to_owned()));
    let (edge, cloud) = (hops.served[&of("edge1")], hops.served[&of("cloud")]);
    assert_eq!((edge.requests, cloud.requests), (200, 400));
    assert!((cloud.share.value - 2.0 / 3.0).abs() < 1e-12);
    let interval = cloud.share.interval.unwrap();
    assert!(interval.low < 0.63 + 0.01 && interval.high > 0.70 - 0.01, "{interval:?}");
    assert!((edge.server_ms.unwrap().value - 10.0).abs() < 1e-9);
    assert!((hops.crossing_ms.unwrap().value - 320.0).abs() < 1e-9);
    // 600 requests in 299.5 s: 14 whole stretches of 40 requests.
    assert_eq!(hops.over_time[&of("cloud")].len(), 14);
    assert!(hops.over_time[&of("cloud")].iter().all(|&count| count == 26 || count == 27));
}

#[test]
fn the_warm_up_is_left_out() {
    let hops = hops(&logs(), 150.0).unwrap();
    assert_eq!(hops.served.values().map(|served| served.requests).sum::<u64>(), 300);
}

#[test]
fn without_a_server_s_record_there_is_nothing() {
    let gateways: String =
        logs().lines().filter(|line| line.contains("\"gw\"")).map(|line| format!("{line}\n")).collect();
    assert!(hops(&gateways, 0.0).is_none());
}
