//! Every field and every kind of which no result hangs, written by hand: the importer's own lists are held against them.

use super::{imported, plain, refused};
use crate::import::manifests::harmless::{DEFAULTS, FIELDS, KINDS};

const METADATA: &str = "  uid: 1\n  resourceVersion: '7'\n  generation: 2\n  creationTimestamp: 2026-01-01T00:00:00Z\n  managedFields: [{manager: kubectl}]\n  \
                        selfLink: /a\n  ownerReferences: [{name: b}]\n  finalizers: [x]\n  generateName: s-\n  labels: {team: x}\n  annotations: {note: y}\n";

const WORKLOADS: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: s\nMETADATA\
spec:
  replicas: 2
  selector: {matchLabels: {app: s}}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 60
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}
  serviceName: s
  minReadySeconds: 0
  paused: false
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
  template:
    metadata:
      name: s
      namespace: default
      creationTimestamp: 2026-01-01T00:00:00Z
      labels: {app: s}
      annotations:
        sidecar.istio.io/rewriteAppHTTPProbers: 'true'
        sidecar.istio.io/userVolume: '[]'
        sidecar.istio.io/userVolumeMount: '[]'
    spec:
      terminationGracePeriodSeconds: 30
      schedulerName: default-scheduler
      hostNetwork: false
      shareProcessNamespace: true
      hostPID: true
      hostIPC: false
      volumes: [{name: data, emptyDir: {}}]
      securityContext: {fsGroup: 1}
      serviceAccount: s
      serviceAccountName: s
      automountServiceAccountToken: false
      imagePullSecrets: [{name: pull}]
      enableServiceLinks: false
      dnsPolicy: ClusterFirst
      hostname: s
      restartPolicy: Always
      containers:
      - name: app
        image: nginx:1.27
        imagePullPolicy: Always
        command: [nginx]
        args: [-g]
        workingDir: /
        env: [{name: X, value: y}]
        envFrom: [{configMapRef: {name: c}}]
        tty: true
        stdin: true
        ports: [{containerPort: 80}]
        securityContext: {runAsNonRoot: true}
        volumeMounts: [{name: data, mountPath: /data}]
        terminationMessagePath: /log
        terminationMessagePolicy: File
        resources:
          requests: {ephemeral-storage: 1Gi}
          limits: {memory: 1Gi, ephemeral-storage: 2Gi}
        readinessProbe:
          httpGet: {port: 80}
          tcpSocket: {port: 80}
          exec: {command: [x]}
          grpc: {port: 80}
          timeoutSeconds: 1
          failureThreshold: 3
          successThreshold: 1
        startupProbe:
          httpGet: {port: 80}
          tcpSocket: {port: 80}
          exec: {command: [x]}
          grpc: {port: 80}
          timeoutSeconds: 1
          successThreshold: 1
          failureThreshold: 30
status: {replicas: 2}
";

const OTHERS: &str = "apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {app: s}
  ports: [{port: 80}]
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  clusterIPs: [10.0.0.1]
  loadBalancerIP: 1.2.3.4
  externalTrafficPolicy: Local
  allocateLoadBalancerNodePorts: true
  publishNotReadyAddresses: false
---
apiVersion: v1
kind: Namespace
metadata: {name: default}
spec: {finalizers: [kubernetes]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
immutable: true
data: {workmodel.json: '{\"a\": {\"internal_service\": {\"loader\": {}}}, \"s\": {\"internal_service\": {\"loader\": {}}}}'}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  selector: {istio: ingressgateway}
  servers: [{name: http, port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: h}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: shop, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: h}
spec: {hostnames: [shop], parentRefs: [{name: h}], rules: [{backendRefs: [{name: a, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: h}
spec: {hostnames: [shop], parentRefs: [{name: h}], rules: [{backendRefs: [{name: a, port: 80}]}]}
---
apiVersion: v1
kind: Node
metadata: {name: n, labels: {topology.kubernetes.io/zone: cloud}}
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24], providerID: x}
status: {capacity: {cpu: '16'}}
";

/// A work model says of all services what they do, and of none that it is outside.
const OUTSIDE: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [outside.example.com]
  exportTo: ['.']
  location: MESH_EXTERNAL
  resolution: DNS
  addresses: [10.1.0.0/16]
  subjectAltNames: [x]
  ports: [{number: 80, name: http, protocol: HTTP}]
";

/// Of each kind an object that nothing but its name is said of.
const OBJECTS: [(&str, &str); 17] = [
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("v1", "ServiceAccount"),
    ("v1", "Secret"),
    ("v1", "PersistentVolume"),
    ("v1", "PersistentVolumeClaim"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("storage.k8s.io/v1", "CSIDriver"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("policy/v1", "PodDisruptionBudget"),
];

/// The fields, by kind and path, of a part of the report.
fn listed<'r>(report: &'r str, part: &str) -> Vec<&'r str> {
    let section = report.split_once(part).unwrap().1.split("\n## ").next().unwrap();
    section.lines().filter_map(|it| it.strip_prefix("- `")?.split('`').next()).collect()
}

#[test]
fn every_field_of_which_no_result_hangs_is_said_to_be_one() {
    let text = format!("{}---\n{}---\n{OTHERS}", plain(), WORKLOADS.replace("METADATA", METADATA));
    let (_directory, mut options) = super::options(&[&text]);
    options.nodes.clear();
    let imported = super::import(&options).unwrap_or_else(|it| panic!("{it}"));
    super::runs(&imported);
    let outside = super::imported(&[&plain(), OUTSIDE], &[]).unwrap().report;
    let found =
        [&imported.report, &outside].map(|it| listed(it, "## Ignored, and no result hangs on it")).concat();
    let all = FIELDS.iter().chain(DEFAULTS).map(|(kind, path, _)| (*kind, path.replace("[]", "")));
    for (kind, path) in all {
        let kind = if ["pods", "*"].contains(&kind) { "" } else { kind };
        let is_found = found.iter().any(|it| it.starts_with(kind) && it.ends_with(&format!(".{path}")));
        assert!(is_found, "{kind} {path} is not in the manifests of this test\n{}", imported.report);
    }
    // Of what says the default another value is refused.
    for (field, other) in [
        ("schedulerName: default-scheduler", "schedulerName: x"),
        ("hostNetwork: false", "hostNetwork: true"),
        ("minReadySeconds: 0", "minReadySeconds: 9"),
        ("paused: false", "paused: true"),
        ("publishNotReadyAddresses: false", "publishNotReadyAddresses: true"),
    ] {
        std::fs::write(options.inputs[0].path.join("0.yaml"), text.replace(field, other)).unwrap();
        let error = super::import(&options).unwrap_err().to_string();
        let name = field.split(':').next().unwrap();
        assert!(error.contains(&format!("{name} is ignored although results hang on it")), "{error}");
    }
}

#[test]
fn every_kind_that_does_nothing_is_said_to_be_one() {
    assert_eq!(OBJECTS.len(), KINDS.len());
    let object = |(api, kind): &(&str, &str)| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{field: 1}}\n")
    };
    let texts: Vec<String> = OBJECTS.iter().map(object).collect();
    let report = imported(&[&plain(), &texts.join("---\n")], &[]).unwrap().report;
    let found = listed(&report, "## Ignored, and no result hangs on it");
    for (_, kind) in OBJECTS {
        assert!(found.contains(&kind), "{kind}: {report}");
        // One of the same name and another group is another kind.
        let error = refused(&[&plain(), &object(&("other.example/v1", kind))], &[]);
        assert!(error.contains(&format!("{kind} is ignored although results hang on it")), "{error}");
    }
}
