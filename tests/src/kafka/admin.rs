//! What an operator does to topics and groups.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use audit_schema::topic::required_settings;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::{KafkaCluster, REQUEST_DEADLINE, blocking};
use crate::eventually;

/// How often a leader is asked that does not know yet.
const POLL: Duration = Duration::from_millis(50);

impl KafkaCluster {
    /// Creates a topic, replicated to every node, and waits until each partition has a leader and
    /// all its replicas.
    ///
    /// # Errors
    /// It exists, or a setting is not known.
    pub async fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let replicas = i32::try_from(self.size())?;
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let results = self.admin()?.create_topics([&new], &options()).await?;
        all_well(results)?;
        self.topic_complete(topic, partitions).await
    }

    /// Creates a topic with the settings that the project asks for.
    ///
    /// # Errors
    /// It exists.
    pub async fn create_audit_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let required = required_settings(self.size());
        let settings = required.map(|setting| (setting.name, setting.value));
        self.create_topic(topic, partitions, &settings).await
    }

    /// Adds partitions, up to `total`.
    ///
    /// # Errors
    /// There is no such topic, or it has as many already.
    pub async fn add_partitions(&self, topic: &str, total: i32) -> Result<()> {
        let new = NewPartitions::new(topic, usize::try_from(total)?);
        let results = self.admin()?.create_partitions([&new], &options()).await?;
        all_well(results)?;
        self.topic_complete(topic, total).await
    }

    /// Deletes a topic and waits until it is gone.
    ///
    /// # Errors
    /// There is no such topic.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        let results = self.admin()?.delete_topics(&[topic], &options()).await?;
        all_well(results)?;
        eventually(REQUEST_DEADLINE, &format!("the end of {topic}"), async || {
            for known in self.metadata_of_each(None).await? {
                ensure!(known.topics().iter().all(|found| found.name() != topic), "it is there");
            }
            Ok(())
        })
        .await
    }

    /// Gives a user this password for SCRAM-SHA-256, or takes SCRAM away from it.
    ///
    /// # Errors
    /// The cluster refuses.
    pub async fn set_password(&self, user: &str, password: Option<&str>) -> Result<()> {
        let change = match password {
            Some(password) => {
                ["--add-config".to_owned(), format!("SCRAM-SHA-256=[password={password}]")]
            }
            None => ["--delete-config".to_owned(), "SCRAM-SHA-256".to_owned()],
        };
        let mut args = vec!["--bootstrap-server", self.bootstrap(), "--alter"];
        args.extend(["--entity-type", "users", "--entity-name", user]);
        args.extend(change.iter().map(String::as_str));
        self.node(1)?.tool("kafka.admin.ConfigCommand", &args).await
    }

    /// The names of all topics but Kafka's own.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn topics(&self) -> Result<Vec<String>> {
        let metadata = self.metadata(None).await?;
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        Ok(names.filter(|name| !name.starts_with("__")).collect())
    }

    /// Changes some of a topic's settings and keeps the others that were set on it.
    ///
    /// # Errors
    /// There is no such topic, or a setting is not known.
    pub async fn alter_topic(&self, topic: &str, settings: &[(&str, &str)]) -> Result<()> {
        // The call replaces all settings of the topic, so those it has must be sent again.
        let mut wanted = self.topic_settings(topic).await?;
        wanted.extend(settings.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let alter = wanted
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |alter, (name, value)| {
                alter.set(name, value)
            });
        for result in self.admin()?.alter_configs([&alter], &options()).await? {
            result.map_err(|(_, code)| code).with_context(|| format!("alter {topic}"))?;
        }
        eventually(REQUEST_DEADLINE, &format!("the new settings of {topic}"), async || {
            let now = self.topic_settings(topic).await?;
            ensure!(now == wanted, "they are {now:?}");
            Ok(())
        })
        .await
    }

    /// The settings that were set on a topic itself, defaults left out.
    ///
    /// # Errors
    /// There is no such topic.
    pub async fn topic_settings(&self, topic: &str) -> Result<HashMap<String, String>> {
        let resource = ResourceSpecifier::Topic(topic);
        let mut found = self.admin()?.describe_configs([&resource], &options()).await?;
        let settings = found.pop().context("no answer")??;
        let own = settings
            .entries
            .into_iter()
            .filter(|entry| matches!(entry.source, rdkafka::admin::ConfigSource::DynamicTopic));
        Ok(own.filter_map(|entry| Some((entry.name, entry.value?))).collect())
    }

    /// The settings of node 1 by name, defaults included; one that Kafka does not know is not among them.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn broker_settings(&self) -> Result<HashMap<String, String>> {
        let broker = ResourceSpecifier::Broker(1);
        let mut found = self.admin()?.describe_configs([&broker], &options()).await?;
        let settings = found.pop().context("no answer")??.entries.into_iter();
        // The broker has no type for what it does not know, and shows it as it shows a secret: without a value.
        Ok(settings.filter_map(|entry| Some((entry.name, entry.value?))).collect())
    }

    /// Deletes the records of a partition before offset `before`: its new start.
    ///
    /// # Errors
    /// There is no such partition, or it ends earlier.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let deleted = self.admin()?.delete_records(&list, &options()).await?;
        for element in deleted.elements() {
            element.error().with_context(|| format!("delete records of {topic}-{partition}"))?;
        }
        Ok(())
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// There is no such topic.
    pub async fn partitions(&self, topic: &str) -> Result<i32> {
        let metadata = self.metadata(Some(topic)).await?;
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        ensure!(count > 0, "there is no topic {topic}");
        Ok(i32::try_from(count)?)
    }

    /// The start and end offset of a partition.
    ///
    /// # Errors
    /// There is no such partition.
    pub async fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let config = self.client();
        let topic = topic.to_owned();
        blocking(move || {
            let client: BaseConsumer = config.create()?;
            watermarks(&client, &topic, partition)
        })
        .await
    }

    /// Deletes a consumer group with its committed offsets, once its last member is seen to be gone.
    ///
    /// # Errors
    /// There is no such group, or it has members.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        eventually(REQUEST_DEADLINE, &format!("the end of group {group}"), async || {
            all_well(self.admin()?.delete_groups(&[group], &options()).await?)
        })
        .await
    }

    /// The offset a group has committed for a partition, if any.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn committed(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>> {
        let mut config = self.client();
        config.set("group.id", group);
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        blocking(move || {
            let client: BaseConsumer = config.create()?;
            let committed = client.committed_offsets(list, REQUEST_DEADLINE)?;
            Ok(committed.elements().first().and_then(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            }))
        })
        .await
    }

    /// Moves the offset a group has committed for a partition, once its last member is seen to be gone.
    ///
    /// # Errors
    /// It has members, or the cluster does not answer.
    pub async fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<()> {
        let mut config = self.client();
        config.set("group.id", group);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        eventually(REQUEST_DEADLINE, &format!("a commit of group {group}"), async || {
            let (config, list) = (config.clone(), list.clone());
            blocking(move || {
                let client: BaseConsumer = config.create()?;
                Ok(client.commit(&list, CommitMode::Sync)?)
            })
            .await
        })
        .await
    }

    async fn topic_complete(&self, topic: &str, partitions: i32) -> Result<()> {
        eventually(REQUEST_DEADLINE, &format!("all replicas of {topic}"), async || {
            for known in self.metadata_of_each(Some(topic)).await? {
                let found = known.topics().first().context("no such topic")?.partitions();
                ensure!(i32::try_from(found.len())? == partitions, "{} partitions", found.len());
                for partition in found {
                    ensure!(partition.leader() > 0, "partition {} has no leader", partition.id());
                    let in_sync = partition.isr().len();
                    ensure!(in_sync == self.size(), "{in_sync} replicas of {}", partition.id());
                }
            }
            Ok(())
        })
        .await
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(self.client().create()?)
    }
}

/// The start and end offset of a partition, from its leader, which may have to learn first that it is that: it is named
/// so before. Blocks.
///
/// # Errors
/// Nobody leads it, or there is no such partition.
pub(super) fn watermarks(client: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64)> {
    let started = Instant::now();
    loop {
        match client.fetch_watermarks(topic, partition, REQUEST_DEADLINE) {
            Err(_) if started.elapsed() < REQUEST_DEADLINE => thread::sleep(POLL),
            answer => return answer.with_context(|| format!("the ends of {topic}-{partition}")),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_DEADLINE))
        .operation_timeout(Some(REQUEST_DEADLINE))
}

fn all_well(results: Vec<rdkafka::admin::TopicResult>) -> Result<()> {
    for result in results {
        if let Err((name, code)) = result {
            bail!("{name}: {code}");
        }
    }
    Ok(())
}
