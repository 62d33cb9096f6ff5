//! Fields of which no result hangs on, with the reason of each.
//!
//! What is neither read nor listed here counts as something that results hang on: a field that nobody has thought of is
//! never waved through.

use super::object::Object;

/// Kinds of which nothing is taken over, and nothing has to be.
pub(super) const KINDS: [(&str, &str, &str); 17] = [
    ("gateway.networking.k8s.io", "GatewayClass", "every cluster has an ingress gateway of Istio"),
    ("", "ServiceAccount", "identities of pods are `SERVICE` in a scenario"),
    ("", "Secret", "what containers read is said by a work model or by the scenario"),
    ("", "PersistentVolume", "disks are not simulated"),
    ("", "PersistentVolumeClaim", "disks are not simulated"),
    ("storage.k8s.io", "StorageClass", "disks are not simulated"),
    ("storage.k8s.io", "CSIDriver", "disks are not simulated"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "it is about who may change objects"),
    (
        "apiregistration.k8s.io",
        "APIService",
        "metrics that it answers with are judged where an autoscaler names them",
    ),
    ("rbac.authorization.k8s.io", "Role", "it is about who may change objects"),
    ("rbac.authorization.k8s.io", "RoleBinding", "it is about who may change objects"),
    ("rbac.authorization.k8s.io", "ClusterRole", "it is about who may change objects"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "it is about who may change objects"),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "it says what objects may be, and is none that does something",
    ),
    ("monitoring.coreos.com", "ServiceMonitor", "who scrapes is [observability] of a scenario"),
    ("monitoring.coreos.com", "PodMonitor", "who scrapes is [observability] of a scenario"),
    ("policy", "PodDisruptionBudget", "it holds for evictions through the API alone, which no run makes"),
];

/// Kinds that are looked into.
const KNOWN: [(&str, &str); 24] = [
    ("", "ResourceQuota"),
    ("networking.istio.io", "Sidecar"),
    ("telemetry.istio.io", "Telemetry"),
    ("offloading.liqo.io", "Quota"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("gateway.networking.k8s.io", "GRPCRoute"),
    ("offloading.liqo.io", "NamespaceOffloading"),
    ("authentication.liqo.io", "ResourceSlice"),
    ("apps", "Deployment"),
    ("extensions", "Deployment"),
    ("apps", "StatefulSet"),
    ("", "Service"),
    ("", "ConfigMap"),
    ("", "Namespace"),
    ("", "Node"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("networking.istio.io", "DestinationRule"),
    ("networking.istio.io", "VirtualService"),
    ("networking.istio.io", "Gateway"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "PeerAuthentication"),
    ("extensions", "StatefulSet"),
];

const WORK: &str = "what a container does is said by a work model or by the scenario";
const DISKS: &str = "disks are not simulated";
const ACCESS: &str = "it is about what a container may do on its node";
const ONE_PORT: &str = "every service has one port, whatever its number";
const SERVED: &str = "the API server writes it";
const PROBED: &str = "an application that serves answers its probe at once";
const OWN_PODS: &str = "a workload has the pods of its own template";

/// Fields by their kind (`*`: all; `pods`: those with a template of pods) and their path, each with all that is in it.
pub(super) const FIELDS: &[(&str, &str, &str)] = &[
    ("*", "status", SERVED),
    ("*", "metadata.uid", SERVED),
    ("*", "metadata.resourceVersion", SERVED),
    ("*", "metadata.generation", SERVED),
    ("*", "metadata.creationTimestamp", SERVED),
    ("*", "metadata.managedFields", SERVED),
    ("*", "metadata.selfLink", SERVED),
    ("*", "metadata.ownerReferences", "who made an object does not change it"),
    ("*", "metadata.finalizers", "no run deletes it"),
    ("*", "metadata.generateName", "it has a name"),
    ("*", "spec.exportTo", "in a scenario all rules are seen by all proxies of their service's callers"),
    ("pods", "spec.selector", OWN_PODS),
    ("pods", "spec.revisionHistoryLimit", "old ReplicaSets have no pods"),
    ("pods", "spec.progressDeadlineSeconds", "it marks a roll-out, and stops nothing"),
    ("pods", "spec.persistentVolumeClaimRetentionPolicy", DISKS),
    ("pods", "spec.serviceName", "names of pods are not simulated"),
    ("pods", "spec.volumeClaimTemplates", DISKS),
    ("pods", "spec.template.metadata.name", "pods have names of their own"),
    ("pods", "spec.template.metadata.namespace", "pods are in the namespace of their workload"),
    ("pods", "spec.template.metadata.creationTimestamp", SERVED),
    (
        "pods",
        "spec.template.spec.containers[].image",
        "what it does is said by a work model or by the scenario, its size is [pods] image_size",
    ),
    (
        "pods",
        "spec.template.spec.containers[].imagePullPolicy",
        "an image that is there is not pulled again: pods.image_pull",
    ),
    ("pods", "spec.template.spec.containers[].command", WORK),
    ("pods", "spec.template.spec.containers[].args", WORK),
    ("pods", "spec.template.spec.containers[].workingDir", WORK),
    ("pods", "spec.template.spec.containers[].env", WORK),
    ("pods", "spec.template.spec.containers[].envFrom", WORK),
    ("pods", "spec.template.spec.containers[].tty", WORK),
    ("pods", "spec.template.spec.containers[].stdin", WORK),
    ("pods", "spec.template.spec.containers[].ports", ONE_PORT),
    ("pods", "spec.template.spec.containers[].securityContext", ACCESS),
    ("pods", "spec.template.spec.containers[].volumeMounts", DISKS),
    ("pods", "spec.template.spec.containers[].terminationMessagePath", "it is about logs"),
    ("pods", "spec.template.spec.containers[].terminationMessagePolicy", "it is about logs"),
    (
        "pods",
        "spec.template.spec.containers[].resources.limits.memory",
        "no pod of a scenario takes more memory than it requests",
    ),
    ("pods", "spec.template.spec.containers[].resources.limits.ephemeral-storage", DISKS),
    ("pods", "spec.template.spec.containers[].resources.requests.ephemeral-storage", DISKS),
    ("pods", "spec.template.spec.containers[].readinessProbe.httpGet", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.tcpSocket", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.exec", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.grpc", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.timeoutSeconds", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.failureThreshold", PROBED),
    ("pods", "spec.template.spec.containers[].readinessProbe.successThreshold", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.httpGet", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.tcpSocket", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.exec", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.grpc", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.timeoutSeconds", PROBED),
    ("pods", "spec.template.spec.containers[].startupProbe.successThreshold", PROBED),
    (
        "pods",
        "spec.template.spec.containers[].startupProbe.failureThreshold",
        "it waits longer than a start takes",
    ),
    ("pods", "spec.template.spec.volumes", DISKS),
    ("pods", "spec.template.spec.securityContext", ACCESS),
    ("pods", "spec.template.spec.shareProcessNamespace", ACCESS),
    ("pods", "spec.template.spec.hostPID", ACCESS),
    ("pods", "spec.template.spec.hostIPC", ACCESS),
    ("pods", "spec.template.spec.serviceAccount", ACCESS),
    ("pods", "spec.template.spec.serviceAccountName", ACCESS),
    ("pods", "spec.template.spec.automountServiceAccountToken", ACCESS),
    ("pods", "spec.template.spec.imagePullSecrets", ACCESS),
    ("pods", "spec.template.spec.enableServiceLinks", WORK),
    ("pods", "spec.template.spec.dnsPolicy", "names are looked up at once"),
    ("pods", "spec.template.spec.hostname", "names of pods are not simulated"),
    ("pods", "spec.template.spec.restartPolicy", "of a Deployment it is Always"),
    ("pods", "spec.template.metadata.annotations.sidecar.istio.io/rewriteAppHTTPProbers", PROBED),
    ("pods", "spec.template.metadata.annotations.sidecar.istio.io/userVolume", DISKS),
    ("pods", "spec.template.metadata.annotations.sidecar.istio.io/userVolumeMount", DISKS),
    ("Service", "spec.ipFamilies", "addresses are not simulated"),
    ("Service", "spec.ipFamilyPolicy", "addresses are not simulated"),
    ("Service", "spec.clusterIPs", "addresses are not simulated"),
    ("Service", "spec.loadBalancerIP", "addresses are not simulated"),
    ("Service", "spec.externalTrafficPolicy", "users come in by the ingress gateway of their cluster"),
    (
        "Service",
        "spec.allocateLoadBalancerNodePorts",
        "users come in by the ingress gateway of their cluster",
    ),
    ("ServiceEntry", "spec.resolution", "names are looked up at once"),
    ("ServiceEntry", "spec.addresses", "addresses are not simulated"),
    ("ServiceEntry", "spec.subjectAltNames", "certificates of what is outside are right"),
    ("Namespace", "spec.finalizers", "no run deletes it"),
    ("ConfigMap", "immutable", "no run changes it"),
    ("Gateway", "spec.selector", "every cluster has an ingress gateway"),
    ("Gateway", "spec.servers[].port", "users come in at one port"),
    ("Gateway", "spec.servers[].hosts", "users ask for hosts that their gateway has"),
    ("Gateway", "spec.servers[].name", "it is a name"),
    ("Gateway", "spec.gatewayClassName", "every cluster has an ingress gateway"),
    ("Gateway", "spec.listeners[].name", "it is a name"),
    ("Gateway", "spec.listeners[].port", "users come in at one port"),
    ("Gateway", "spec.listeners[].protocol", "users come in at one port"),
    ("Gateway", "spec.listeners[].hostname", "users ask for hosts that their gateway has"),
    ("Gateway", "spec.listeners[].allowedRoutes", "all routes of the manifests are allowed"),
    ("HTTPRoute", "spec.hostnames", "users ask for hosts that their gateway has"),
    ("GRPCRoute", "spec.hostnames", "users ask for hosts that their gateway has"),
    ("Node", "spec.podCIDR", "addresses are not simulated"),
    ("Node", "spec.podCIDRs", "addresses are not simulated"),
    ("Node", "spec.providerID", "it is a name"),
];

/// Scheduler, platform and the like: the values that say nothing but the default.
pub(super) const DEFAULTS: &[(&str, &str, &str)] = &[
    ("pods", "spec.template.spec.schedulerName", "default-scheduler"),
    ("pods", "spec.minReadySeconds", "0"),
    ("pods", "spec.paused", "false"),
    ("pods", "spec.template.spec.hostNetwork", "false"),
    ("Service", "spec.publishNotReadyAddresses", "false"),
];

/// Whether objects of a kind are looked into.
pub(super) fn is_known(object: &Object) -> bool {
    KNOWN.iter().any(|(group, kind)| object.is(group, kind))
}

/// Why no result hangs on an object of a kind that is not looked into.
pub(super) fn of_object(object: &Object) -> Option<&'static str> {
    KINDS.iter().find(|(group, kind, _)| object.is(group, kind)).map(|(_, _, why)| *why)
}

/// Why no result hangs on a field, with all that is in it; `text` is what stands there.
pub(super) fn of_field(object: &Object, path: &str, text: Option<&str>) -> Option<&'static str> {
    let has_pods = super::workloads::is_workload(object);
    let is_for = |kind: &str| kind == "*" || kind == object.kind || (kind == "pods" && has_pods);
    if let Some((_, _, why)) = FIELDS.iter().find(|(kind, field, _)| is_for(kind) && *field == path) {
        return Some(why);
    }
    if DEFAULTS.iter().any(|(kind, field, value)| is_for(kind) && *field == path && text == Some(value)) {
        return Some("it is the default");
    }
    // Istio and Liqo go by labels and annotations, and Kubernetes by some.
    let means_something = ["istio.io", "liqo.io", "istio-", "topology"].iter().any(|it| path.contains(it));
    let (of_object, of_pods) = ("metadata.", "spec.template.metadata.");
    let rest = path.strip_prefix(of_pods).or_else(|| path.strip_prefix(of_object))?;
    if means_something || object.is("", "Node") && rest.starts_with("labels.") {
        return None;
    }
    if rest.starts_with("labels.") {
        return Some("no selector of these manifests goes by it");
    }
    rest.starts_with("annotations.").then_some("nobody who is simulated reads it")
}
