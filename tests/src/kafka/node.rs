//! One node: its settings, its storage, its process.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};

use super::{NODE_DEADLINE, Setup, SharedProcess, install};
use crate::os::{Launch, Process, free_port};

/// The base64 form of a fixed UUID. It must not begin with `-`, which the tool takes for an option.
const CLUSTER_ID: &str = "a3ViZXJuYXV0LWF1ZGl0MQ";

#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    directory: PathBuf,
    settings: PathBuf,
    /// Those besides the two that every node has: name and port.
    listeners: Vec<(String, u16)>,
    process: Mutex<Option<SharedProcess>>,
}

impl Node {
    /// Writes the settings of node `id`, which uses the broker and controller ports `ports[id - 1]`.
    pub(super) fn new(
        id: usize,
        ports: &[(u16, u16)],
        parent: &Path,
        setup: &Setup,
    ) -> Result<Self> {
        let mut node = Self::without_settings(id, parent)?;
        node.listeners =
            setup.listeners.iter().map(|(name, _)| (name.clone(), free_port())).collect();
        let mut text = properties(id, ports, &node.listeners, &node.directory);
        for (name, value) in setup.properties() {
            writeln!(text, "{name}={value}").expect("writing to a String cannot fail");
        }
        fs::write(&node.settings, text)?;
        Ok(node)
    }

    /// A node whose settings somebody else writes, to the file `server.properties` of its directory.
    pub(super) fn without_settings(id: usize, parent: &Path) -> Result<Self> {
        let directory = parent.join(format!("node-{id}"));
        fs::create_dir(&directory)?;
        let settings = directory.join("server.properties");
        Ok(Self { id, directory, settings, listeners: Vec::new(), process: Mutex::new(None) })
    }

    /// Where its settings and logs are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Prepares the storage directory; the process ends when that is done.
    pub(super) fn format(&self, setup: &Setup) -> Result<Process> {
        let settings = self.settings.display().to_string();
        let users = setup.format_arguments();
        let mut args = vec!["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", &settings];
        args.extend(users.iter().map(String::as_str));
        self.java("format", &args)
    }

    /// Where a listener of the setup is.
    pub(super) fn address(&self, listener: &str) -> Result<String> {
        let (_, port) = self
            .listeners
            .iter()
            .find(|(name, _)| name == listener)
            .with_context(|| format!("no listener {listener}"))?;
        Ok(format!("127.0.0.1:{port}"))
    }

    /// Runs one of Kafka's command-line tools to its end.
    pub(super) async fn tool(&self, class: &str, args: &[&str]) -> Result<()> {
        let tool = self.java("tool", &[&[class], args].concat())?;
        let status = tool.wait(NODE_DEADLINE).await?;
        ensure!(status.success(), "{class} failed, {status}: {}", tool.log_tail(20));
        Ok(())
    }

    pub(super) fn start(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = process.as_ref() {
            ensure!(running.status()?.is_some(), "node {} runs already", self.id);
        }
        let settings = self.settings.display().to_string();
        *process = Some(self.java("server", &["kafka.Kafka", &settings])?.into());
        Ok(())
    }

    /// Its process.
    ///
    /// # Errors
    /// It was not started or has ended; the error shows its last lines.
    pub(super) fn running(&self) -> Result<SharedProcess> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let running = process.as_ref().with_context(|| format!("node {} not started", self.id))?;
        if let Some(status) = running.status()? {
            anyhow::bail!("node {} has ended, {status}:\n{}", self.id, running.log_tail(20));
        }
        Ok(running.clone())
    }

    pub(super) fn log_tail(&self) -> String {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let log = process.as_ref().map_or_else(String::new, |process| process.log_tail(20));
        format!("node {}:\n{log}", self.id)
    }

    fn java(&self, name: &str, args: &[&str]) -> Result<Process> {
        Process::spawn(self.java_launch(name, args)?)
    }

    /// How to start one of Kafka's programs.
    pub(super) fn java_launch(&self, name: &str, args: &[&str]) -> Result<Launch> {
        let mut launch = Launch::new(install::java(), &self.directory, name);
        let class_path = format!("{}/*", install::jars()?.display());
        // A short life on a small machine: a small heap, the collector without threads of its own,
        // and the compiler that is ready sooner.
        launch.args =
            ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &class_path]
                .iter()
                .chain(args)
                .map(ToString::to_string)
                .collect();
        Ok(launch)
    }
}

fn properties(
    id: usize,
    ports: &[(u16, u16)],
    listeners: &[(String, u16)],
    directory: &Path,
) -> String {
    let (broker, controller) = ports[id - 1];
    let voters = ports
        .iter()
        .enumerate()
        .map(|(index, (_, port))| format!("{}@127.0.0.1:{port}", index + 1))
        .collect::<Vec<_>>()
        .join(",");
    let replicas = ports.len();
    let in_sync = if replicas > 1 { 2 } else { 1 };
    let further: String =
        listeners.iter().map(|(name, port)| format!(",{name}://127.0.0.1:{port}")).collect();
    format!(
        "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{further}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
controlled.shutdown.enable=true
broker.session.timeout.ms=6000
",
        data = directory.join("data").display(),
    )
}
