//! An API server, a Kafka, and the controller between them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use audit_schema::topic::TOPIC;
use audit_tests::{
    binary::Binary,
    eventually,
    kafka::KafkaCluster,
    kube::{Executions, KUBERNAUT, KubeServer, PUBLISHED, is_held},
    service::Service,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};

/// What `audit-producer topic create` makes.
const PARTITIONS: i32 = 12;
/// Requests at once, the controller's own number.
const AT_ONCE: usize = 16;
const LIMIT: Duration = Duration::from_secs(600);

pub(super) struct Site {
    pub(super) kafka: KafkaCluster,
    pub(super) kube: KubeServer,
}

impl Site {
    pub(super) async fn set() -> Result<Self> {
        let (kafka, kube) = tokio::try_join!(KafkaCluster::start(1), KubeServer::start())?;
        kafka.create_audit_topic(TOPIC, PARTITIONS).await?;
        kube.define(KUBERNAUT).await?;
        Ok(Self { kafka, kube })
    }

    /// The controller of one namespace.
    pub(super) async fn controller(&self, namespace: &str) -> Result<Service> {
        Binary::new("audit-producer")
            .args(["controller"])
            .env("KUBECONFIG", self.kube.kubeconfig().display().to_string())
            .env("AUDIT_BROKERS", self.kafka.bootstrap())
            .env("AUDIT_NAMESPACES", namespace)
            .env("AUDIT_LOG", "warn")
            .quiet()
            .start_ready()
            .await
    }

    /// So many unfinished resources in a namespace of their own.
    pub(super) async fn resources(&self, namespace: &str, count: u32) -> Result<Group> {
        let namespace = self.kube.create_namespace(namespace).await?;
        let executions = self.kube.executions(&namespace, "kubernaut.ai/v1alpha1").await?;
        let group = Group { namespace, executions, count };
        group
            .each(async |name| {
                group.executions.create(&name, spec(&name)).await?;
                Ok(())
            })
            .await?;
        Ok(group)
    }

    /// Records of the topic.
    pub(super) async fn records(&self) -> Result<u32> {
        let mut records = 0;
        for partition in 0..PARTITIONS {
            let (low, high) = self.kafka.watermarks(TOPIC, partition).await?;
            records += high - low;
        }
        Ok(u32::try_from(records)?)
    }
}

/// Resources of one namespace.
pub(super) struct Group {
    pub(super) namespace: String,
    pub(super) executions: Executions,
    pub(super) count: u32,
}

impl Group {
    /// Does something with each, as many at once as the controller.
    pub(super) async fn each(&self, act: impl AsyncFn(String) -> Result<()>) -> Result<()> {
        let all = stream::iter(0..self.count).map(|number| act(name(number)));
        all.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until the controller holds all of them.
    pub(super) async fn held(&self) -> Result<()> {
        eventually(LIMIT, "all to be held", async || {
            let found = self.executions.api.list(&ListParams::default()).await?;
            let held = found.iter().filter(|resource| is_held(resource)).count();
            ensure!(held == self.count as usize, "{held} of {}", self.count);
            Ok(())
        })
        .await
    }

    /// Waits until all are published and let go. Asks for as little as can be: it is measured meanwhile.
    pub(super) async fn settled(&self) -> Result<()> {
        let first = ListParams::default().labels(&format!("!{PUBLISHED}")).limit(1);
        eventually(LIMIT, "all to be marked", async || {
            let found = self.executions.api.list_metadata(&first).await?;
            ensure!(found.items.is_empty(), "some are not");
            Ok(())
        })
        .await
    }

    /// All of them.
    pub(super) async fn list(&self) -> Result<Vec<DynamicObject>> {
        Ok(self.executions.api.list(&ListParams::default()).await?.items)
    }
}

pub(super) fn name(number: u32) -> String {
    format!("we-{number}")
}

/// What the controller has written about its event.
pub(super) fn mark(resource: &DynamicObject) -> Result<Value> {
    let annotations = resource.metadata.annotations.as_ref();
    let mark = annotations.and_then(|all| all.get(PUBLISHED)).context("no mark")?;
    Ok(serde_json::from_str(mark)?)
}

fn spec(name: &str) -> Value {
    json!({
        "remediationRequestRef": {"name": format!("rr-{name}"), "namespace": "kubernaut"},
        "workflowRef": {
            "workflowId": "0d5b8f0f-6c11-4f7e-8a55-4a1f0f0e5d0c", "workflowName": "drain-and-restart",
            "version": "v3.1.0", "actionType": "restart", "executionEngine": "tekton",
            "executionBundle": "registry.example.org/workflows/drain-and-restart@sha256:4a1f0f0e5d0c4b7e9a550d5b8f0f6c11",
        },
        "targetResource": "payments/Deployment/checkout",
        "parameters": {"REPLICAS": "3", "GRACE_PERIOD": "30s", "DB_PASSWORD": "s3cret"},
    })
}

/// The end of an execution.
pub(super) fn finished() -> Value {
    json!({
        "phase": "Completed",
        "startTime": "2026-01-15T10:00:00Z", "completionTime": "2026-01-15T10:00:42Z",
        "executionStatus": {"completedTasks": 4, "totalTasks": 4, "retryCount": 1},
        "conditions": [
            {"type": "Started", "status": "True", "reason": "PipelineRunCreated", "message": "the pipeline run was created"},
            {"type": "Complete", "status": "True", "reason": "Succeeded", "message": "all four tasks have completed"},
        ],
    })
}
