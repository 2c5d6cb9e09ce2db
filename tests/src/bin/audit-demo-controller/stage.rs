//! What takes part, started in the order an operator would start it.

use anyhow::Result;
use audit_tests::{
    binary::Binary,
    kafka::KafkaCluster,
    kube::{Executions, KUBERNAUT, KubeServer},
    pipeline::{Pipeline, Servers},
    postgres::PostgresServer,
    screen::Screen,
    service::Service,
};

const PARTITIONS: i32 = 3;
const RIGHTS: &str = include_str!("../../../../deploy/controller/rbac.yaml");
const NAMESPACES: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: kubernaut-audit}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: payments}}
";

/// The servers that are not ours.
pub(crate) struct Surroundings {
    pub(crate) kafka: KafkaCluster,
    pub(crate) postgres: PostgresServer,
    pub(crate) kube: KubeServer,
}

impl Surroundings {
    pub(crate) async fn start(screen: &Screen) -> Result<Self> {
        screen.step(
            "starting Apache Kafka, PostgreSQL, etcd and kube-apiserver on free ports, in temporary directories",
        )?;
        let (kafka, postgres, kube) = tokio::try_join!(
            KafkaCluster::start(1),
            PostgresServer::start_new(&[]),
            KubeServer::start()
        )?;
        Ok(Self { kafka, postgres, kube })
    }
}

/// Our part.
pub(crate) struct Stage<'a> {
    // Ends before what it uses.
    _controller: Service,
    _consumer: Service,
    pub(crate) pipeline: Pipeline<'a>,
    pub(crate) executions: Executions,
}

impl<'a> Stage<'a> {
    pub(crate) async fn set(surroundings: &'a Surroundings, screen: &Screen) -> Result<Self> {
        let Surroundings { kafka, postgres, kube } = surroundings;
        let pipeline = Pipeline::on(Servers { kafka, postgres }, "audit", PARTITIONS).await?;
        let consumer = pipeline.consumer().quiet().start_ready().await?;
        screen.step("audit-consumer run: from the topic to the table")?;

        kube.define(KUBERNAUT).await?;
        kube.apply(NAMESPACES).await?;
        kube.apply(RIGHTS).await?;
        screen
            .step("applied the definition of WorkflowExecution, and deploy/controller/rbac.yaml")?;
        let kubeconfig = kube.kubeconfig_of("kubernaut-audit", "audit-controller").await?;
        let controller = Binary::new("audit-producer")
            .args(["controller", "--lease", "audit-controller", "--cluster", "demo"])
            .env("KUBECONFIG", kubeconfig.display().to_string())
            .env("AUDIT_BROKERS", kafka.bootstrap())
            .env("AUDIT_TOPIC", &pipeline.topic)
            .quiet()
            .start_ready()
            .await?;
        screen
            .step("audit-producer controller --lease audit-controller: with those rights alone")?;
        let executions = kube.executions("payments", "kubernaut.ai/v1alpha1").await?;
        Ok(Self { _controller: controller, _consumer: consumer, pipeline, executions })
    }
}
