//! WorkflowExecution resources, and what the controller writes on them.

use anyhow::{Context, Result};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::KubeServer;

/// Holds a resource until its event is safe.
pub const FINALIZER: &str = "audit.kubernaut.ai/publish";
/// Says where the event is.
pub const PUBLISHED: &str = "audit.kubernaut.ai/published";

const KIND: &str = "WorkflowExecution";

/// The resources of one namespace.
#[derive(Clone, Debug)]
pub struct Executions {
    /// With all rights.
    pub api: Api<DynamicObject>,
    api_version: String,
}

impl KubeServer {
    /// The resources of a namespace, of this group and version.
    ///
    /// # Errors
    /// The version is not `GROUP/VERSION`.
    pub async fn executions(&self, namespace: &str, api_version: &str) -> Result<Executions> {
        let (group, version) = api_version.split_once('/').context("no version")?;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, KIND));
        let api = Api::namespaced_with(self.client().await?, namespace, &kind);
        Ok(Executions { api, api_version: api_version.to_owned() })
    }
}

impl Executions {
    /// Creates one.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create(&self, name: &str, spec: Value) -> Result<DynamicObject> {
        let resource = serde_json::from_value(json!({
            "apiVersion": self.api_version,
            "kind": KIND,
            "metadata": {"name": name},
            "spec": spec,
        }))?;
        Ok(self.api.create(&PostParams::default(), &resource).await?)
    }

    /// Merges this into its status.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn set_status(&self, name: &str, status: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"status": status}));
        self.api.patch_status(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

/// Whether it cannot vanish unpublished.
#[must_use]
pub fn is_held(resource: &DynamicObject) -> bool {
    resource.finalizers().iter().any(|name| name == FINALIZER)
}
