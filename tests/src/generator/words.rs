//! What events talk about.

pub(super) const SUBJECTS: [&str; 10] = [
    "pod-crashloop",
    "node-pressure",
    "disk-full",
    "certificate-expiry",
    "oom-kill",
    "image-pull",
    "dns-failure",
    "deployment-rollback",
    "hpa-saturation",
    "etcd-latency",
];
/// With [`SUBJECTS`], the names of fifty workflows.
pub(super) const REMEDIES: [&str; 5] = ["restart", "scale-out", "drain", "rotate", "restore"];
pub(super) const ACTIONS: [&str; 12] = [
    "validate-preconditions",
    "cordon-node",
    "drain-node",
    "scale-deployment",
    "restart-deployment",
    "rollback-deployment",
    "patch-config-map",
    "rotate-secret",
    "expand-volume",
    "notify-on-call",
    "wait-for-rollout",
    "verify-slo",
];
pub(super) const ERRORS: [&str; 6] = [
    "context deadline exceeded while waiting for rollout of deployment \"payments-api\"",
    "pods \"checkout-7d9f\" is forbidden: exceeded quota: cpu-quota, requested: cpu=2, used: cpu=<7>, limited: cpu=8",
    "etcdserver: request timed out & leader changed",
    "Operation cannot be fulfilled on nodes \"node-17\": the object has been modified",
    "probe failed:\n\tGET /healthz -> 503\n\tретри 3/3",
    "admission webhook \"policy.kubernaut.ai\" denied the request: “no rollback within 5 min”",
];
pub(super) const ADJUSTMENTS: [(&str, &str); 3] = [
    ("timeout", "p95 of the last 20 runs exceeds the configured timeout"),
    ("retry", "transient API server errors (5xx) seen in the same namespace"),
    ("skip", "precondition already satisfied by an earlier remediation"),
];
