//! A real Apache Kafka of one or three nodes.

mod admin;
mod console;
mod disk;
mod image;
mod install;
mod node;
mod partitioner;
mod reader;
mod records;
mod setup;
mod transactions;
mod writer;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    metadata::{Metadata, MetadataTopic},
};
use tempfile::TempDir;

use self::node::Node;
pub use self::{
    partitioner::partition_of,
    records::{Acknowledged, RawRecord, Record},
    setup::Setup,
    transactions::Transaction,
    writer::Publisher,
};
use crate::{
    eventually,
    os::{Reaper, free_port},
};

/// How long a node may take to start or to stop, on a busy machine.
const NODE_DEADLINE: Duration = Duration::from_secs(240);
/// How long a request to the cluster may take, on a busy machine.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// How long a node that runs may take to say what it knows, on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);

/// A cluster of its own: broker and controller in each node, data in a temporary directory.
/// Nodes are numbered from 1. It ends when dropped, or with the test process.
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<Node>,
    bootstrap: String,
    /// Removed after the nodes have ended: fields are dropped in this order.
    _directory: TempDir,
}

impl KafkaCluster {
    /// Starts `count` nodes (1 or 3) and waits until they know each other.
    ///
    /// # Errors
    /// Kafka is not installed (`make setup`), or does not start.
    pub async fn start(count: usize) -> Result<Self> {
        Self::start_with(count, &[]).await
    }

    /// Like [`Self::start`], with further broker settings.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_with(count: usize, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_setup(count, settings.iter().copied().collect()).await
    }

    /// Like [`Self::start`], with further settings, listeners and users.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_setup(count: usize, setup: Setup) -> Result<Self> {
        ensure!(count == 1 || count == 3, "a cluster has one node or three, not {count}");
        let directory = tempfile::Builder::new().prefix("audit-kafka-").tempdir()?;
        Reaper::remove(directory.path());

        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
        let nodes = (1..=count)
            .map(|id| Node::new(id, &ports, directory.path(), &setup))
            .collect::<Result<Vec<_>>>()?;
        let formatting =
            nodes.iter().map(|node| node.format(&setup)).collect::<Result<Vec<_>>>()?;
        for format in formatting {
            let status = format.wait(NODE_DEADLINE).await?;
            ensure!(status.success(), "formatting failed, {status}: {}", format.log_tail(20));
        }
        let bootstrap = ports
            .iter()
            .map(|(broker, _)| format!("127.0.0.1:{broker}"))
            .collect::<Vec<_>>()
            .join(",");
        Self::start_nodes(nodes, bootstrap, directory).await
    }

    /// Starts nodes whose storage is formatted.
    async fn start_nodes(nodes: Vec<Node>, bootstrap: String, directory: TempDir) -> Result<Self> {
        for node in &nodes {
            node.start()?;
        }
        let cluster = Self { nodes, bootstrap, _directory: directory };
        cluster.all_nodes_present().await?;
        Ok(cluster)
    }

    /// What clients connect to: `127.0.0.1:port`, comma between.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The same for a listener of the [`Setup`] the cluster was started with.
    ///
    /// # Errors
    /// It has no listener of that name.
    pub fn bootstrap_of(&self, listener: &str) -> Result<String> {
        let addresses = self.nodes.iter().map(|node| node.address(listener));
        Ok(addresses.collect::<Result<Vec<_>>>()?.join(","))
    }

    /// The number of nodes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// SIGKILL: the node is gone at once.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&self, node: usize) -> Result<()> {
        self.node(node)?.running()?.kill_all().await
    }

    /// SIGTERM: the node hands its leaderships over and ends.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub async fn stop(&self, node: usize) -> Result<()> {
        let process = self.node(node)?.running()?;
        process.signal(Signal::SIGTERM)?;
        process.wait(NODE_DEADLINE).await?;
        Ok(())
    }

    /// SIGSTOP: connections stay, nothing is answered.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self, node: usize) -> Result<()> {
        self.node(node)?.running()?.signal(Signal::SIGSTOP)
    }

    /// SIGCONT after [`Self::pause`].
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self, node: usize) -> Result<()> {
        self.node(node)?.running()?.signal(Signal::SIGCONT)
    }

    /// Starts a node again on its port and data, after [`Self::kill`] or [`Self::stop`], and waits
    /// until the whole cluster is present.
    ///
    /// # Errors
    /// It runs already or does not start.
    pub async fn restart(&self, node: usize) -> Result<()> {
        self.node(node)?.start()?;
        self.all_nodes_present().await
    }

    /// The node that leads a partition, once there is one that runs.
    ///
    /// # Errors
    /// There is none, or no such topic.
    pub async fn leader_of(&self, topic: &str, partition: i32) -> Result<usize> {
        eventually(REQUEST_DEADLINE, &format!("a leader of {topic}-{partition}"), async || {
            let metadata = self.metadata(Some(topic)).await?;
            let leader = metadata
                .topics()
                .iter()
                .flat_map(MetadataTopic::partitions)
                .find(|found| found.id() == partition)
                .context("no such partition")?
                .leader();
            let node = usize::try_from(leader).context("no leader")?;
            self.node(node)?.running()?;
            Ok(node)
        })
        .await
    }

    /// Client settings for this cluster with what every client here has in common: `message.max.bytes`
    /// for the largest record a topic takes, and no retry pauses beyond 500 ms.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("message.max.bytes", "2097152")
            .set("reconnect.backoff.max.ms", "500")
            .set("socket.timeout.ms", "10000");
        config
    }

    /// What some node that answers knows.
    async fn metadata(&self, topic: Option<&str>) -> Result<Metadata> {
        metadata(self.client(), topic).await
    }

    /// What each node knows, all of which must answer: they do not learn of a change at the same time.
    async fn metadata_of_each(&self, topic: Option<&str>) -> Result<Vec<Metadata>> {
        let mut known = Vec::new();
        for address in self.bootstrap.split(',') {
            let mut config = self.client();
            config.set("bootstrap.servers", address);
            known.push(metadata(config, topic).await?);
        }
        Ok(known)
    }

    async fn all_nodes_present(&self) -> Result<()> {
        eventually(NODE_DEADLINE, "all Kafka nodes", async || {
            for node in &self.nodes {
                node.running()?;
            }
            for known in self.metadata_of_each(None).await? {
                let present = known.brokers().len();
                ensure!(present == self.nodes.len(), "{present} nodes of {}", self.nodes.len());
            }
            Ok(())
        })
        .await
        .with_context(|| self.logs())
    }

    fn node(&self, number: usize) -> Result<&Node> {
        number
            .checked_sub(1)
            .and_then(|index| self.nodes.get(index))
            .with_context(|| format!("no node {number} among {}", self.nodes.len()))
    }

    fn logs(&self) -> String {
        self.nodes.iter().map(Node::log_tail).collect::<Vec<_>>().join("\n")
    }
}

async fn metadata(config: ClientConfig, topic: Option<&str>) -> Result<Metadata> {
    let topic = topic.map(ToOwned::to_owned);
    blocking(move || {
        let client: BaseConsumer = config.create()?;
        Ok(client.fetch_metadata(topic.as_deref(), ANSWER)?)
    })
    .await
}

/// Runs a blocking client call beside the async runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(call).await.context("the call panicked")?
}

/// A process shared between those who watch it and those who replace it.
type SharedProcess = Arc<crate::os::Process>;
