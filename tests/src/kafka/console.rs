//! Records in, by a program that Kafka comes with.

use std::fs;

use anyhow::{Result, bail};

use super::{KafkaCluster, NODE_DEADLINE};
use crate::os::Process;

/// The program's class: since Kafka 4.0, and before.
const CLASSES: [&str; 2] =
    ["org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"];

impl KafkaCluster {
    /// Publishes a record for each key by the console producer, which is the Java client with its defaults: it alone
    /// chooses the partitions. No key may contain a comma or a line break.
    ///
    /// # Errors
    /// It fails.
    pub async fn publish_by_java(&self, topic: &str, keys: &[String]) -> Result<()> {
        let node = self.node(1)?;
        let lines: String = keys.iter().map(|key| format!("{key},value\n")).collect();
        let input = node.directory().join("console-input");
        fs::write(&input, lines)?;
        let mut log = String::new();
        for class in CLASSES {
            let keyed = ["--property", "parse.key=true", "--property", "key.separator=,"];
            let to = [class, "--bootstrap-server", self.bootstrap(), "--topic", topic];
            let mut launch = node.java_launch("console", &[&to[..], &keyed].concat())?;
            launch.stdin.clone_from(&input);
            let console = Process::spawn(launch)?;
            if console.wait(NODE_DEADLINE).await?.success() {
                return Ok(());
            }
            log.push_str(&console.log_tail(5));
        }
        bail!("the console producer failed:\n{log}")
    }
}
