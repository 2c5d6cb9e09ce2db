//! `audit-producer controller`: from resources of a real API server to rows.

mod faults;
mod finalizer;
mod leader;
mod manifests;
mod oddities;
mod rows;

use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    kafka::RawRecord,
    kube::{Executions, FINALIZER, KubeServer, PUBLISHED, is_held},
    pipeline::Pipeline,
    service::Service,
    shared,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);
const STEPS: &str = "steps.kubernaut.ai/v1";
const KUBERNAUT: &str = "kubernaut.ai/v1alpha1";

/// A namespace, and a stream for what is published from it.
struct Site {
    kube: &'static KubeServer,
    pipeline: Pipeline<'static>,
    namespace: String,
    api_version: &'static str,
}

impl Site {
    async fn new(name: &str, api_version: &'static str) -> Result<Self> {
        let kube = shared::kube().await?;
        let pipeline = Pipeline::shared(&format!("controller_{name}"), 2).await?;
        let namespace = kube.create_namespace(name).await?;
        Ok(Self { kube, pipeline, namespace, api_version })
    }

    fn command(&self) -> Binary {
        command(self.kube, &self.namespace, self.api_version)
    }

    /// The controller of this namespace.
    fn controller(&self) -> Binary {
        self.command()
            .env("AUDIT_BROKERS", self.pipeline.servers.kafka.bootstrap())
            .env("AUDIT_TOPIC", &self.pipeline.topic)
            .env("AUDIT_CLUSTER", "tests")
            .env("AUDIT_LOG", "info,audit_producer=debug")
    }

    async fn start(&self) -> Result<Service> {
        self.controller().start_ready().await
    }

    async fn executions(&self) -> Result<Executions> {
        self.kube.executions(&self.namespace, self.api_version).await
    }

    async fn api(&self) -> Result<Api<DynamicObject>> {
        Ok(self.executions().await?.api)
    }

    async fn create(&self, name: &str, spec: Value) -> Result<DynamicObject> {
        self.executions().await?.create(name, spec).await
    }

    async fn set_status(&self, name: &str, status: Value) -> Result<()> {
        self.executions().await?.set_status(name, status).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.api().await?.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until the resource is as it should be.
    async fn becomes(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&DynamicObject) -> bool,
    ) -> Result<DynamicObject> {
        let api = self.api().await?;
        eventually(LIMIT, &format!("{name} to be {what}"), async || {
            let resource = api.get(name).await?;
            ensure!(is_so(&resource), "{}", serde_json::to_string(&resource)?);
            Ok(resource)
        })
        .await
    }

    async fn held(&self, name: &str) -> Result<DynamicObject> {
        self.becomes(name, "held", is_held).await
    }

    async fn published(&self, name: &str) -> Result<DynamicObject> {
        self.becomes(name, "published", |resource| {
            resource.annotations().contains_key(PUBLISHED) && !is_held(resource)
        })
        .await
    }

    async fn gone(&self, name: &str) -> Result<()> {
        let api = self.api().await?;
        eventually(LIMIT, &format!("{name} to be gone"), async || {
            ensure!(api.get_opt(name).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }

    async fn records(&self) -> Result<Vec<RawRecord>> {
        self.pipeline.servers.kafka.read_all(&self.pipeline.topic).await
    }

    /// The events of the topic that are of this resource.
    async fn events_of(&self, name: &str) -> Result<Vec<Value>> {
        let values = self.records().await?.into_iter().filter_map(|record| record.value);
        let events = values.map(|value| Ok(serde_json::from_slice::<Value>(&value)?));
        let events: Vec<Value> = events.collect::<Result<_>>()?;
        Ok(events.into_iter().filter(|event| event["kubernetes"]["name"] == name).collect())
    }
}

fn command(kube: &KubeServer, namespace: &str, api_version: &str) -> Binary {
    Binary::new("audit-producer")
        .args(["controller"])
        .env("KUBECONFIG", kube.kubeconfig().display().to_string())
        .env("AUDIT_NAMESPACES", namespace)
        .env("AUDIT_API_VERSION", api_version)
}

/// A workflow of three steps.
fn three_steps() -> Value {
    json!({
        "remediationRequestRef": {"name": "rr-1"},
        "workflowVersion": "v1.2",
        "steps": [{"action": "drain"}, {"action": "restart"}, {"action": "uncordon"}],
    })
}

/// All three done.
fn completed() -> Value {
    json!({
        "phase": "completed",
        "completedAt": "2026-01-15T10:30:00Z",
        "steps": [
            {"index": 0, "action": "drain", "phase": "completed", "retryCount": 1,
             "startedAt": "2026-01-15T10:00:00Z", "completedAt": "2026-01-15T10:00:03Z"},
            {"index": 1, "action": "restart", "phase": "completed"},
            {"index": 2, "action": "uncordon", "phase": "completed", "rolledBack": true},
        ],
    })
}
