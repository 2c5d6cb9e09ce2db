//! What a topic takes on disk.

use std::fs;

use anyhow::{Context, Result};

use super::KafkaCluster;

impl KafkaCluster {
    /// Bytes of a topic's records as node 1 keeps them, without indexes.
    ///
    /// # Errors
    /// Its data cannot be read.
    pub fn log_bytes(&self, topic: &str) -> Result<u64> {
        let mut bytes = 0;
        for partition in fs::read_dir(self.node(1)?.directory().join("data"))? {
            let partition = partition?;
            let name = partition.file_name().into_string().ok().context("a name of Kafka's")?;
            if name.rsplit_once('-').is_none_or(|(of, _)| of != topic) {
                continue;
            }
            for segment in fs::read_dir(partition.path())? {
                let segment = segment?;
                if segment.path().extension().is_some_and(|extension| extension == "log") {
                    bytes += segment.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }
}
