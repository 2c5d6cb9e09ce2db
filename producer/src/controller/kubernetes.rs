//! Which resources, and the API server that has them.

use anyhow::Context;
use audit_runtime::exit::UsageError;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};

use super::mark::Seen;

/// Which resources.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Kubernetes")]
pub(super) struct KubernetesOptions {
    /// API group and version of the resources
    #[arg(long, env = "AUDIT_API_VERSION", default_value = "kubernaut.ai/v1alpha1", value_parser = api_version, value_name = "GROUP/VERSION")]
    api_version: String,

    /// Kind of the resources
    #[arg(long, env = "AUDIT_KIND", default_value = "WorkflowExecution")]
    kind: String,

    /// Namespace of the resources; repeatable, several also with commas between. Without it: all namespaces, which
    /// takes rights in the whole cluster
    #[arg(long, env = "AUDIT_NAMESPACES", value_delimiter = ',')]
    namespace: Vec<String>,
}

fn api_version(text: &str) -> Result<String, &'static str> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [group, version] if !group.is_empty() && !version.is_empty() => Ok(text.to_owned()),
        _ => Err("write GROUP/VERSION, such as kubernaut.ai/v1alpha1"),
    }
}

/// The resources of a kind, on an API server.
#[derive(Clone)]
pub(super) struct Resources {
    client: Client,
    kind: ApiResource,
    namespaces: Vec<String>,
}

impl Resources {
    /// By KUBECONFIG, or by the service account of the pod this is in. Does not ask the API server anything.
    pub(super) async fn new(options: &KubernetesOptions) -> anyhow::Result<Self> {
        let config = Config::infer().await.map_err(|error| {
            UsageError(format!(
                "no API server: set KUBECONFIG, or run in a pod with a service account: {error}"
            ))
        })?;
        let client = Client::try_from(config).context("cannot make a client of the API server")?;
        let (group, version) = options.api_version.split_once('/').unwrap_or_default();
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &options.kind));
        let namespaces: Vec<_> =
            options.namespace.iter().filter(|name| !name.is_empty()).cloned().collect();
        Ok(Self { client, kind, namespaces })
    }

    /// Of an API server that does not answer.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let config = Config::new(axum::http::Uri::from_static("http://127.0.0.1:9"));
        let client = Client::try_from(config).expect("a client asks nobody");
        let kind = GroupVersionKind::gvk("kubernaut.ai", "v1alpha1", "WorkflowExecution");
        Self { client, kind: ApiResource::from_gvk(&kind), namespaces: Vec::new() }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// One for each namespace, or one for all of them.
    pub(super) fn scopes(&self) -> Vec<Api<DynamicObject>> {
        if self.namespaces.is_empty() {
            return vec![Api::all_with(self.client(), &self.kind)];
        }
        self.namespaces.iter().map(|namespace| self.within(namespace)).collect()
    }

    /// Those of one namespace.
    pub(super) fn within(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, &self.kind)
    }

    /// How Events refer to a resource.
    pub(super) fn reference(&self, seen: &Seen) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.kind.api_version.clone()),
            kind: Some(self.kind.kind.clone()),
            namespace: Some(seen.namespace.clone()),
            name: Some(seen.name.clone()),
            uid: Some(seen.uid.clone()),
            ..ObjectReference::default()
        }
    }

    /// What an error of the API server means, and what mends it.
    pub(super) fn explain(&self, error: &kube::Error) -> String {
        let kube::Error::Api(status) = error else { return error.to_string() };
        match status.code {
            401 => "the API server does not know who this is: its token has expired or is wrong"
                .to_owned(),
            403 => format!(
                "the API server forbids it: {}; deploy/controller/rbac.yaml has the rights that are needed",
                status.message
            ),
            404 => format!(
                "the API server has no {} of {}: apply its CustomResourceDefinition",
                self.kind.plural, self.kind.api_version
            ),
            _ => format!("the API server says {}: {}", status.code, status.message),
        }
    }
}
