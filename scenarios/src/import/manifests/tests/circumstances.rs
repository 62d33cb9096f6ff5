//! Fields on which results hang in some circumstances alone.

use super::{Overlay, app, container, has, import, imported, refused, tables};
use toml::Table;

const SCALED: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
                      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n  maxReplicas: 5\n  \
                      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 500m}}}]\n";

/// What an import with an overlay says, scenario and report or error.
fn with(texts: &[&str], overlay: &str) -> Result<String, String> {
    let (_directory, mut options) = super::options(texts);
    options.overlay = Some(Overlay::from_text("overlay.toml", overlay).unwrap());
    import(&options).map(|it| it.scenario + &it.report).map_err(|it| it.to_string())
}

#[test]
fn how_long_pods_take_to_start_counts_where_some_do() {
    let more = "lifecycle: {postStart: {exec: {command: [warm]}}}";
    let text = app("a", &format!("{}initContainers: [{{name: i, image: busybox}}]\n", container(more)));
    let report = imported(&[&text], &[]).unwrap().report;
    assert_eq!(report.matches("no pod of it starts during the run").count(), 2, "{report}");
    let fault = "[[faults]]\ncluster = \"cloud\"\nservice = \"a\"\n";
    for error in [refused(&[&text, SCALED], &[]), with(&[&text], fault).unwrap_err()] {
        for field in ["initContainers", "lifecycle.postStart"] {
            assert!(error.contains(&format!("{field} is ignored although results hang on it: ")), "{error}");
        }
    }
    assert!(imported(&[&text, SCALED], &["initContainers", "postStart"]).is_ok());
}

#[test]
fn a_startup_probe_is_asked_before_the_readiness_probe() {
    let probes = |startup: &str| {
        let probe = format!(
            "readinessProbe: {{tcpSocket: {{port: 80}}, initialDelaySeconds: 3, periodSeconds: 5}}\nstartupProbe: {startup}"
        );
        app("a", &container(&probe))
    };
    let probed = |table: &Table, delay: &str, period: &str| {
        has(
            table,
            &[
                (&["pods", "readiness_probe", "enabled"], "true"),
                (&["pods", "readiness_probe", "initial_delay"], delay),
                (&["pods", "readiness_probe", "period"], period),
            ],
        );
    };
    let whole = "{httpGet: {port: 80, path: /}, periodSeconds: 2, failureThreshold: 30, timeoutSeconds: 1}";
    probed(&tables(&[&probes(whole), SCALED]), "\"3s\"", "\"2s\"");
    let later = whole.replace("periodSeconds: 2", "initialDelaySeconds: 7");
    probed(&tables(&[&probes(&later), SCALED]), "\"7s\"", "\"10s\"");
    let alone = app("a", &container(&format!("startupProbe: {whole}")));
    probed(&tables(&[&alone, SCALED]), "\"0s\"", "\"2s\"");
    // One that gives up before an application has started ends it.
    let short = whole.replace("failureThreshold: 30", "failureThreshold: 0");
    assert!(refused(&[&probes(&short)], &[]).contains("startupProbe is ignored although results hang on it"));
    let slow = "[pods]\napplication_start = \"90s\"\n";
    assert!(with(&[&probes(whole)], slow).unwrap_err().contains("it may end a start"));
    assert!(refused(&[&probes("{periodSecond: 2}")], &[]).contains("startupProbe.periodSecond is ignored"));
}

#[test]
fn a_liveness_probe_fails_where_something_hangs_or_starts_slowly() {
    let text = app("a", &container("livenessProbe: {httpGet: {port: 80, path: /live}, periodSeconds: 5}"));
    for texts in [&[text.as_str()][..], &[text.as_str(), SCALED][..]] {
        let report = imported(texts, &[]).unwrap().report;
        let assumed = "- no liveness probe fails: an application that serves answers its probe at once: one that is too busy for that \
                       is not started anew (`a`); a run that warns of growing queues at one of these, or in which requests wait there for longer than its probe does, is one without the probe";
        assert!(report.lines().any(|it| it == assumed), "{report}");
        assert!(
            report.contains("containers.livenessProbe`, ") && !report.contains("livenessProbe.periodSeconds")
        );
    }
    let short = text.replace("periodSeconds: 5", "periodSeconds: 1, failureThreshold: 1");
    assert!(imported(&[&short], &[]).is_ok());
    let slow = "[services.a.pods]\napplication_start = \"90s\"\n";
    assert!(with(&[&text], slow).is_ok());
    let fault = "[[faults]]\ncluster = \"cloud\"\nservice = \"a\"\n";
    let late = short.replace("failureThreshold: 1", "failureThreshold: 1, initialDelaySeconds: 60");
    assert!(imported(&[&late, SCALED], &[]).is_ok());
    for error in [
        refused(&[&short, SCALED], &[]),
        with(&[&text, SCALED], slow).unwrap_err(),
        with(&[&text], fault).unwrap_err(),
    ] {
        assert!(error.contains("livenessProbe is ignored although results hang on it"), "{error}");
    }
}

/// `app` has two pods on two nodes.
#[test]
fn what_keeps_pods_apart_decides_nothing_where_they_stand_in_turn_or_have_no_choice() {
    let own = "labelSelector: {matchLabels: {app: a}}, topologyKey: kubernetes.io/hostname";
    let anti = |when: &str| format!("affinity: {{podAntiAffinity: {{{when}}}}}\n");
    let required = anti(&format!("requiredDuringSchedulingIgnoredDuringExecution: [{{{own}}}]"));
    let preferred = |key: &str| {
        let term = own.replace("kubernetes.io/hostname", key);
        anti(&format!(
            "preferredDuringSchedulingIgnoredDuringExecution: [{{weight: 100, podAffinityTerm: {{{term}}}}}]"
        ))
    };
    let spread = |when: &str| {
        format!("topologySpreadConstraints: [{{maxSkew: 1, whenUnsatisfiable: {when}, {own}}}]\n")
    };
    let a = |more: &str| app("a", &format!("{}{more}", container("")));
    let b = app("b", &container(""));
    let on = |texts: &[&str], nodes: &str| {
        let (_directory, mut options) = super::options(texts);
        options.nodes = vec![super::Nodes::parse(nodes).unwrap()];
        import(&options).map(|it| it.report).map_err(|it| it.to_string())
    };
    let in_turn = "its pods stand on the nodes of its cluster in turn";
    for more in
        [&required, &preferred("kubernetes.io/hostname"), &spread("DoNotSchedule"), &spread("ScheduleAnyway")]
    {
        let report = on(&[&a(more), &b], "cloud=2x16").unwrap();
        assert!(report.contains(in_turn), "{more}: {report}");
        // Not where the scheduler decides, nor where others are meant, too.
        assert!(on(&[&a(more), &b, SCALED], "cloud=2x16").is_err(), "{more}");
        let others =
            a(more).replace("matchLabels: {app: a}}, topology", "matchLabels: {version: v1}}, topology");
        let error = on(&[&others, &b], "cloud=2x16").unwrap_err();
        assert!(error.contains("is ignored although results hang on it"), "{error}");
    }
    // Three pods on two nodes: the third is not apart, and may differ by one.
    let three = |more: &str| a(more).replace("replicas: 2", "replicas: 3");
    assert!(on(&[&three(&required)], "cloud=2x16").is_err());
    assert!(on(&[&three(&spread("DoNotSchedule"))], "cloud=2x16").is_ok());
    // With one node there is no choice, but what is required is not had.
    let near = "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: disk, operator: In, \
                values: [ssd]}]}}]}}\n";
    for more in [&preferred("zone"), &spread("ScheduleAnyway").replace("hostname", "other"), &near.to_owned()]
    {
        assert!(
            on(&[&a(more), SCALED], "cloud=1x16").unwrap().contains("its cluster has one node"),
            "{more}"
        );
        assert!(on(&[&a(more)], "cloud=2x16").is_err(), "{more}");
    }
    assert!(on(&[&a(&required)], "cloud=1x16").is_err());
    let one = a(&required).replace("replicas: 2", "replicas: 1");
    assert!(on(&[&one], "cloud=1x16").unwrap().contains("it has one pod"));
    let together = required.replace("podAntiAffinity", "podAffinity");
    assert!(on(&[&a(&together)], "cloud=2x16").is_err());
}

#[test]
fn how_pods_are_replaced_counts_where_something_is_rolled_out() {
    let change = "[[changes]]\nat = \"1min\"\ncluster = \"cloud\"\nservice = \"a\"\nrollout = true\n";
    let recreate = super::plain().replace("  replicas: 2\n", "  replicas: 2\n  strategy: {type: Recreate}\n");
    let set = super::plain()
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("  replicas: 2\n", "  replicas: 2\n  updateStrategy: {type: OnDelete}\n");
    for (text, field) in
        [(&recreate, "Deployment.spec.strategy.type"), (&set, "StatefulSet.spec.updateStrategy")]
    {
        let report = imported(&[text], &[]).unwrap().report;
        assert!(report.contains("nothing is rolled out unless [[changes]]"), "{report}");
        let error = with(&[text], change).unwrap_err();
        assert!(error.contains(&format!("{field} is ignored although results hang on it")), "{error}");
    }
}

#[test]
fn pods_of_a_stateful_set_start_one_after_the_other_unless_it_says_otherwise() {
    let set = |policy: &str| {
        super::plain()
            .replace("kind: Deployment", "kind: StatefulSet")
            .replace("  replicas: 2\n", &format!("  replicas: 2\n{policy}"))
    };
    let [ordered, parallel] =
        ["OrderedReady", "Parallel"].map(|it| set(&format!("  podManagementPolicy: {it}\n")));
    let scaled = SCALED.replace("Deployment", "StatefulSet");
    for (text, why) in
        [(&ordered, "no pod of it starts"), (&parallel, "pods of a workload start side by side")]
    {
        let report = imported(&[text], &[]).unwrap().report;
        let line = report.lines().find(|it| it.contains("podManagementPolicy")).unwrap();
        assert!(line.contains(why), "{report}");
    }
    assert!(imported(&[&set("")], &[]).is_ok() && imported(&[&parallel, &scaled], &[]).is_ok());
    for (text, field) in [(&ordered, "StatefulSet.spec.podManagementPolicy"), (&set(""), "StatefulSet.kind")]
    {
        let error = refused(&[text, &scaled], &[]);
        assert!(
            error.contains(&format!("{field} is ignored although results hang on it: its pods start one")),
            "{error}"
        );
        assert!(imported(&[text, &scaled], &[field]).is_ok());
    }
}

/// A pod that is kept apart from others by more than its own labels is not judged by these.
#[test]
fn selectors_that_are_more_than_labels_are_not_passed_over() {
    let spread = |more: &str, selector: &str| {
        let text = format!(
            "{}topologySpreadConstraints: [{{maxSkew: 1, whenUnsatisfiable: DoNotSchedule, topologyKey: kubernetes.io/hostname, {more}labelSelector: {selector}}}]\n",
            container("")
        );
        imported(&[&app("a", &text), &app("b", &container(""))], &[]).map_err(|it| it.to_string())
    };
    let own = "{matchLabels: {app: a}}";
    assert!(spread("", own).is_ok());
    assert!(spread("", "{matchExpressions: [{key: app, operator: In, values: [a]}]}").is_ok());
    assert!(spread("", "{matchExpressions: [{key: app, operator: In, values: [a, b]}]}").is_err());
    for more in ["matchLabelKeys: [x], ", "minDomains: 2, "] {
        assert!(spread(more, own).unwrap_err().contains("topologySpreadConstraints is ignored"), "{more}");
    }
    for more in ["namespaces: [x]", "namespaceSelector: {}", "mismatchLabelKeys: [x]"] {
        let term = format!("{{topologyKey: kubernetes.io/hostname, labelSelector: {own}, {more}}}");
        let text = format!(
            "{}affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{term}]}}}}\n",
            container("")
        );
        assert!(refused(&[&app("a", &text)], &[]).contains("podAntiAffinity is ignored"), "{more}");
    }
}
