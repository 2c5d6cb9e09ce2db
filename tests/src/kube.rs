//! A real Kubernetes API server on a real etcd, on free ports, without a cluster behind it: no controller manager, so
//! namespaces never finish deleting and nothing is garbage-collected.

mod access;
mod etcd;
mod executions;
mod install;

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use nix::sys::signal::Signal;
use rcgen::KeyPair;
use serde_json::json;
use tempfile::TempDir;

use self::etcd::Etcd;
pub use self::executions::{Executions, FINALIZER, PUBLISHED, is_held};
use crate::{
    eventually,
    metrics::Metrics,
    os::{Launch, Process, Reaper, free_port},
    shared,
};

const DEADLINE: Duration = Duration::from_secs(120);
const TOKEN: &str = "of-the-tests";

/// The resource with steps, `steps.kubernaut.ai/v1`.
pub const STEPS: &str = include_str!("../kube/steps.yaml");
/// The resource `kubernaut.ai/v1alpha1`.
pub const KUBERNAUT: &str = include_str!("../kube/kubernaut.yaml");

/// An etcd and an API server. They end when dropped, or with the test process.
#[derive(Debug)]
pub struct KubeServer {
    port: u16,
    /// Further arguments of the API server.
    options: Vec<String>,
    server: Mutex<Option<Process>>,
    etcd: Etcd,
    /// Removed after the processes have ended: fields are dropped in this order.
    directory: TempDir,
}

impl KubeServer {
    /// Starts both and waits until the API server is ready.
    ///
    /// # Errors
    /// They are not installed (`make setup`), or do not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with further options of the API server.
    ///
    /// # Errors
    /// They are not installed (`make setup`), or do not start.
    pub async fn start_with(options: &[(&str, &str)]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("audit-kube-").tempdir()?;
        Reaper::remove(directory.path());
        fs::write(
            directory.path().join("tokens.csv"),
            format!("{TOKEN},admin,1,system:masters\n"),
        )?;
        let key = KeyPair::generate()?;
        fs::write(directory.path().join("service-account.key"), key.serialize_pem())?;
        fs::write(directory.path().join("service-account.pub"), key.public_key_pem())?;
        let etcd = Etcd::start(directory.path())?;
        let server = Self {
            port: free_port(),
            options: arguments(options),
            server: Mutex::default(),
            etcd,
            directory,
        };
        server.write_kubeconfig()?;
        server.start_again().await?;
        Ok(server)
    }

    /// What `KUBECONFIG` names: all rights.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// A client with all rights.
    ///
    /// # Errors
    /// The API server has no certificate yet.
    pub async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Starts the API server after [`Self::stop`] and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn start_again(&self) -> Result<()> {
        *self.server() = Some(Process::spawn(self.launch()?)?);
        eventually(DEADLINE, "the API server to be ready", async || {
            if let Some(server) = &*self.server()
                && let Some(status) = server.status()?
            {
                anyhow::bail!("it has ended, {status}:\n{}", server.log_tail(20));
            }
            let ready = axum::http::Request::get("/readyz").body(Vec::new())?;
            self.client().await?.request_text(ready).await?;
            Ok(())
        })
        .await
    }

    /// SIGKILL for the API server. etcd goes on.
    ///
    /// # Errors
    /// It does not run.
    pub async fn stop(&self) -> Result<()> {
        let server = self.server().take().context("the API server does not run")?;
        server.signal(Signal::SIGKILL)?;
        server.wait(DEADLINE).await?;
        Ok(())
    }

    /// SIGKILL for etcd, which starts again from its files. The API server goes on.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart_etcd(&self) -> Result<()> {
        self.etcd.restart().await
    }

    /// Has etcd forget all that was before now: a watch from then has expired once the API server has started again.
    ///
    /// # Errors
    /// etcd refuses.
    pub async fn compact(&self) -> Result<()> {
        self.etcd.compact().await
    }

    /// What the API server shows of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<Metrics> {
        let request = axum::http::Request::get("/metrics").body(Vec::new())?;
        Metrics::parse(&self.client().await?.request_text(request).await?)
    }

    /// A new namespace.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create_namespace(&self, name: &str) -> Result<String> {
        let name = shared::unique(name).replace('_', "-");
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        namespaces.create(&PostParams::default(), &namespace).await?;
        Ok(name)
    }

    /// Applies a definition ([`STEPS`], [`KUBERNAUT`]) and waits until its resources can be used.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn define(&self, yaml: &str) -> Result<()> {
        let definition: CustomResourceDefinition = serde_saphyr::from_str(yaml)?;
        let name = definition.metadata.name.clone().context("the definition has no name")?;
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client().await?);
        definitions.create(&PostParams::default(), &definition).await?;
        eventually(DEADLINE, &format!("{name} to be established"), async || {
            let found = definitions.get_status(&name).await?;
            let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
            ensure!(
                conditions.iter().any(|is| is.type_ == "Established" && is.status == "True"),
                "{conditions:?}"
            );
            Ok(())
        })
        .await
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self) -> Result<Launch> {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let mut launch =
            Launch::new(install::program("kube-apiserver")?, self.directory.path(), "server");
        launch.args = arguments(&[
            ("etcd-servers", &self.etcd.url()),
            ("bind-address", "127.0.0.1"),
            ("secure-port", &self.port.to_string()),
            ("cert-dir", &path("certificates")),
            ("service-account-issuer", "https://kubernetes.default.svc"),
            ("service-account-key-file", &path("service-account.pub")),
            ("service-account-signing-key-file", &path("service-account.key")),
            ("token-auth-file", &path("tokens.csv")),
            ("authorization-mode", "RBAC"),
            // Nobody is there who would make service accounts.
            ("disable-admission-plugins", "ServiceAccount"),
            ("service-cluster-ip-range", "10.0.0.0/24"),
            // An address on loopback is refused unless nobody looks for endpoints.
            ("advertise-address", "127.0.0.1"),
            ("endpoint-reconciler-type", "none"),
        ]);
        launch.args.extend_from_slice(&self.options);
        Ok(launch)
    }

    fn write_kubeconfig(&self) -> Result<()> {
        let authority = self.directory.path().join("certificates/apiserver.crt");
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "certificate-authority": authority,
            }}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        });
        Ok(fs::write(self.kubeconfig(), kubeconfig.to_string())?)
    }
}

fn arguments(options: &[(&str, &str)]) -> Vec<String> {
    options.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}
