//! The broker as the container image `apache/kafka` makes it from environment variables.

use std::{collections::BTreeMap, env};

use anyhow::{Result, bail, ensure};

use super::{KafkaCluster, NODE_DEADLINE, node::Node};
use crate::os::{Process, Reaper};

impl KafkaCluster {
    /// Starts one node from the image's variables. The program that makes settings of them and formats the storage is
    /// the image's own. Tests connect to `bootstrap`, one of the addresses it advertises.
    ///
    /// # Errors
    /// Kafka is not installed (`make setup`), or does not start so.
    pub async fn start_as_image(
        variables: &BTreeMap<String, String>,
        bootstrap: &str,
    ) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("audit-kafka-").tempdir()?;
        Reaper::remove(directory.path());
        let node = Node::without_settings(1, directory.path())?;
        node.set_up_as_image(variables).await?;
        Self::start_nodes(vec![node], bootstrap.to_owned(), directory).await
    }

    /// Runs one of the scripts that the image has in `/opt/kafka/bin`: all they do is to start a class.
    ///
    /// # Errors
    /// It fails, or is none that is known here.
    pub async fn script(&self, name: &str, args: &[&str]) -> Result<()> {
        let class = match name {
            "kafka-topics.sh" => "org.apache.kafka.tools.TopicCommand",
            _ => bail!("which class does {name} start?"),
        };
        self.node(1)?.tool(class, args).await
    }
}

impl Node {
    async fn set_up_as_image(&self, variables: &BTreeMap<String, String>) -> Result<()> {
        let directory = self.directory().display().to_string();
        // What the image has as defaults is for those who set no variable at all.
        let none = self.directory().join("none").display().to_string();
        let mut launch = self.java_launch(
            "set-up",
            &[
                "kafka.docker.KafkaDockerWrapper",
                "setup",
                "--default-configs-dir",
                &none,
                "--mounted-configs-dir",
                &none,
                "--final-configs-dir",
                &directory,
            ],
        )?;
        launch.env_remove =
            env::vars().map(|(name, _)| name).filter(|name| name.starts_with("KAFKA_")).collect();
        launch.env.extend(variables.clone());
        let set_up = Process::spawn(launch)?;
        let status = set_up.wait(NODE_DEADLINE).await?;
        ensure!(status.success(), "the set-up failed, {status}: {}", set_up.log_tail(20));
        Ok(())
    }
}
