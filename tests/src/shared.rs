//! One Kafka node and one PostgreSQL for all tests of a process whose subject is not a fault of
//! these: each test has a topic and a database of its own there.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{kafka::KafkaCluster, kube::KubeServer, postgres::PostgresServer};

/// The shared Kafka, started by whoever asks first. It ends with the test process.
///
/// # Errors
/// It does not start.
pub async fn kafka() -> Result<&'static KafkaCluster> {
    static KAFKA: OnceCell<KafkaCluster> = OnceCell::const_new();
    KAFKA.get_or_try_init(|| KafkaCluster::start(1)).await
}

/// The shared PostgreSQL, started by whoever asks first. It ends with the test process. It does not
/// flush to disk: nobody crashes it.
///
/// # Errors
/// It does not start.
pub async fn postgres() -> Result<&'static PostgresServer> {
    static POSTGRES: OnceCell<PostgresServer> = OnceCell::const_new();
    let settings = [("fsync", "off"), ("full_page_writes", "off")];
    POSTGRES.get_or_try_init(|| PostgresServer::start_new(&settings)).await
}

/// The shared Kubernetes API server, started by whoever asks first, with both definitions
/// ([`STEPS`](crate::kube::STEPS), [`KUBERNAUT`](crate::kube::KUBERNAUT)). It ends with the test process.
///
/// # Errors
/// It does not start.
pub async fn kube() -> Result<&'static KubeServer> {
    static KUBE: OnceCell<KubeServer> = OnceCell::const_new();
    KUBE.get_or_try_init(|| async {
        let server = KubeServer::start().await?;
        server.define(crate::kube::STEPS).await?;
        server.define(crate::kube::KUBERNAUT).await?;
        Ok(server)
    })
    .await
}

/// A test's own place on the shared servers.
#[derive(Clone, Debug)]
pub struct Place {
    /// An empty topic.
    pub topic: String,
    /// The name of an empty database without tables.
    pub database: String,
    /// Its URL.
    pub database_url: String,
    /// A consumer group that does not exist yet.
    pub group: String,
}

/// A topic with so many partitions, a database and a group that no other test has.
///
/// # Errors
/// The shared servers do not start.
pub async fn place(name: &str, partitions: i32) -> Result<Place> {
    let name = unique(name);
    kafka().await?.create_audit_topic(&name, partitions).await?;
    let database_url = postgres().await?.create_database(&name).await?;
    Ok(Place { topic: name.clone(), database: name.clone(), database_url, group: name })
}

/// A name that nothing else in this process has: for topics, databases, groups.
#[must_use]
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{name}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
