//! What the cluster says about a topic.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use audit_producer::SetupError;
use audit_runtime::exit::UsageError;
use audit_runtime::kafka::{self, KafkaOptions};
use audit_schema::topic::TopicSetting;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

/// How long the cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic as it is.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) partitions: usize,
    /// Of the partition that has the fewest.
    pub(super) replicas: usize,
    pub(super) settings: HashMap<String, String>,
}

pub(crate) struct Cluster {
    properties: Vec<(String, String)>,
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    brokers: String,
}

impl Cluster {
    pub(crate) fn new(options: &KafkaOptions) -> anyhow::Result<Self> {
        let properties = options.properties();
        let mut config: ClientConfig = properties.iter().cloned().collect();
        config.set("client.id", "audit-producer-topic").set("log.connection.close", "false");
        let admin =
            config.create().map_err(|error| UsageError(SetupError::from(error).to_string()))?;
        Ok(Self { properties, config, admin, brokers: options.brokers.clone() })
    }

    /// The topic; `None` if the cluster has none of that name.
    pub(super) async fn describe(&self, name: &str) -> anyhow::Result<Option<Topic>> {
        let Some((partitions, replicas)) = self.layout(name).await? else { return Ok(None) };
        let specifier = ResourceSpecifier::Topic(name);
        let described = self.admin.describe_configs([&specifier], &patience()).await;
        let resource = described
            .with_context(|| format!("cannot read the settings of topic {name}"))?
            .pop()
            .ok_or_else(|| {
                anyhow!("cannot read the settings of topic {name}: the cluster gave no answer")
            })?
            .map_err(|code| anyhow!("cannot read the settings of topic {name}: {code}"))?;
        let settings =
            resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        Ok(Some(Topic { partitions, replicas, settings: settings.collect() }))
    }

    /// Creates the topic; false if it is there already.
    pub(super) async fn create(
        &self,
        name: &str,
        partitions: i32,
        replicas: i32,
        settings: &[TopicSetting],
    ) -> anyhow::Result<bool> {
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        let new = settings.iter().fold(new, |new, setting| new.set(setting.name, setting.value));
        let created = self.admin.create_topics([&new], &patience()).await;
        match created.with_context(|| format!("cannot create topic {name}"))?.pop() {
            Some(Ok(_)) => Ok(true),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
            Some(Err((_, RDKafkaErrorCode::InvalidReplicationFactor))) => bail!(
                "cannot create topic {name}: the cluster has fewer than {replicas} brokers; set --replication-factor"
            ),
            Some(Err((_, code))) => bail!("cannot create topic {name}: {code}"),
            None => bail!("cannot create topic {name}: the cluster gave no answer"),
        }
    }

    /// That the topic is there. Needs no right but those of a publisher.
    pub(crate) async fn require(&self, name: &str) -> anyhow::Result<()> {
        self.layout(name).await?.map(drop).ok_or_else(|| self.no_such_topic(name))
    }

    pub(super) fn no_such_topic(&self, name: &str) -> anyhow::Error {
        let brokers = &self.brokers;
        anyhow!("there is no topic {name} at {brokers}; create it with audit-producer topic create")
    }

    /// Partitions and replicas. Asks for all topics: asking for one would create it where brokers are set up to.
    async fn layout(&self, name: &str) -> anyhow::Result<Option<(usize, usize)>> {
        let (config, properties) = (self.config.clone(), self.properties.clone());
        let metadata = tokio::task::spawn_blocking(move || {
            fetch_metadata(&config)
                .map_err(|complaint| kafka::explain(&properties, complaint.as_deref()))
        });
        let metadata = metadata
            .await?
            .map_err(|reason| anyhow!("cannot reach Kafka at {}: {reason}", self.brokers))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        Ok(topic.filter(|topic| !topic.partitions().is_empty()).map(|topic| {
            let replicas =
                topic.partitions().iter().map(|partition| partition.replicas().len()).min();
            (topic.partitions().len(), replicas.unwrap_or_default())
        }))
    }
}

fn patience() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// On failure, what librdkafka had to say about it: its error code only ever says that transport failed.
fn fetch_metadata(config: &ClientConfig) -> Result<rdkafka::metadata::Metadata, Option<String>> {
    let client: BaseProducer<Complaints> = config
        .create_with_context(Complaints::default())
        .map_err(|error| Some(error.to_string()))?;
    client.client().fetch_metadata(None, PATIENCE).map_err(|error| {
        client.poll(Duration::from_millis(100));
        let complaint = client.context().0.lock().unwrap_or_else(PoisonError::into_inner).take();
        complaint.or_else(|| match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut,
            ) => None,
            _ => Some(error.to_string()),
        })
    })
}

/// The last complaint of the client, instead of a log line for each.
#[derive(Default)]
struct Complaints(Mutex<Option<String>>);

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down is the consequence; the complaint before it was the cause.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}
