//! Who may do what, and manifests as an operator applies them.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::KubeServer;

impl KubeServer {
    /// Server-side apply of each document of a manifest. Fields that the server does not know are errors.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        for object in serde_saphyr::from_multiple::<DynamicObject>(manifest)? {
            self.apply_object(&object).await?;
        }
        Ok(())
    }

    /// The same of one object.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn apply_object(&self, object: &DynamicObject) -> Result<()> {
        let name = object.metadata.name.as_deref().context("the object has no name")?;
        let params = PatchParams::apply("operator").force().validation_strict();
        let api = self.api_of(object).await?;
        api.patch(name, &params, &Patch::Apply(object)).await.with_context(|| name.to_owned())?;
        Ok(())
    }

    /// The API of an object that says its kind, in its namespace if it has one.
    ///
    /// # Errors
    /// It does not say its kind.
    pub async fn api_of(&self, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let types = object.types.as_ref().context("the object has no kind")?;
        let kind = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
        let client = self.client().await?;
        Ok(match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &kind),
            None => Api::all_with(client, &kind),
        })
    }

    /// What `KUBECONFIG` names to be this service account, in its namespace.
    ///
    /// # Errors
    /// There is no such service account.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        // An hour outlasts the tests, and the server signs nothing shorter than ten minutes.
        let spec = TokenRequestSpec { expiration_seconds: Some(3_600), ..Default::default() };
        let request = TokenRequest { spec, ..Default::default() };
        let answer =
            accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = answer.status.context("no token")?.token;

        let mut config: Value = serde_json::from_slice(&fs::read(self.kubeconfig())?)?;
        config["users"] = json!([{"name": account, "user": {"token": token}}]);
        config["contexts"][0]["context"] =
            json!({"cluster": "tests", "user": account, "namespace": namespace});
        let path = self.directory.path().join(format!("kubeconfig-{account}"));
        fs::write(&path, config.to_string())?;
        Ok(path)
    }
}
