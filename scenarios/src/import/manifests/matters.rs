//! Fields that results hang on and that a scenario does not have, each as a whole, with the reason.
//!
//! What is neither read nor listed, here or in `harmless`, is refused value by value: nobody has thought of it.

use super::object::Object;
use super::workloads::is_workload;

/// Fields of workloads by their path, each with all that is in it.
const OF_WORKLOADS: [(&str, &str); 8] = [
    ("spec.updateStrategy", "pods of a StatefulSet are replaced as those of a Deployment, several at a time"),
    (
        "spec.template.spec.containers[].livenessProbe",
        "a container is started anew by [[faults]] alone, not because it hangs or takes longer to start than its probe waits",
    ),
    ("spec.template.spec.containers[].lifecycle.postStart", "how long this hook takes is not known"),
    (
        "spec.template.spec.initContainers",
        "how long they take is not known: services.X.pods.application_start may say it",
    ),
    ("spec.template.spec.affinity.podAffinity", SCHEDULER),
    ("spec.template.spec.affinity.podAntiAffinity", SCHEDULER),
    ("spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", SCHEDULER),
    (
        "spec.template.spec.topologySpreadConstraints",
        "pods of a service are spread by Kubernetes' own defaults alone",
    ),
];

const SCHEDULER: &str =
    "a node is chosen by what pods request, by taints, required labels and the spreading of a service";

/// Why results hang on a field that no scenario has.
pub(super) fn of_field(object: &Object, path: &str) -> Option<&'static str> {
    let found = OF_WORKLOADS.iter().find(|(field, _)| *field == path && is_workload(object));
    found.map(|(_, why)| *why)
}
