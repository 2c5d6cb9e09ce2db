//! Several controllers of the same resources: the one that holds the Lease publishes.

use anyhow::{Context, Result, ensure};
use audit_tests::{eventually, http, service::Service};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::{LIMIT, STEPS, Site, completed, three_steps};

impl Site {
    async fn candidate(&self) -> Result<Service> {
        let controller = self.controller().env("AUDIT_LEASE", &self.namespace);
        let controller = controller.env("AUDIT_LEASE_DURATION", "4s").env("AUDIT_DEADLINE", "2s");
        controller.start_ready().await
    }

    async fn finish(&self, names: &[&str]) -> Result<()> {
        for name in names {
            self.create(name, three_steps()).await?;
            self.set_status(name, completed()).await?;
        }
        Ok(())
    }

    /// Waits until it leads; by what name.
    async fn leader(&self, controller: &Service) -> Result<String> {
        eventually(LIMIT, "it to lead", async || {
            let leader = controller.metrics().await?.sum("kubernaut_audit_controller_leader", &[]);
            ensure!(leader > 0.5, "{leader}");
            Ok(())
        })
        .await?;
        self.holder().await?.context("nobody holds the Lease")
    }

    async fn holder(&self) -> Result<Option<String>> {
        let leases: Api<Lease> = Api::default_namespaced(self.kube.client().await?);
        let spec = leases.get(&self.namespace).await?.spec.context("no spec")?;
        Ok(spec.holder_identity)
    }
}

async fn stands_by(controller: &Service, leader: &str) -> Result<()> {
    eventually(LIMIT, "it to stand by", async || {
        let text = http::get(controller.admin(), "/readyz?verbose").await?.text();
        let who = format!("{leader} leads");
        ensure!(text.starts_with("ready\n") && text.contains(&who), "{text}");
        let leader = controller.metrics().await?.sum("kubernaut_audit_controller_leader", &[]);
        ensure!(leader < 0.5, "{leader}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn when_the_leader_is_killed_the_next_one_misses_nothing() -> Result<()> {
    let site = Site::new("leader_killed", STEPS).await?;
    let consumer = site.pipeline.start_consumer().await?;
    let first = site.candidate().await?;
    let leader = site.leader(&first).await?;
    let second = site.candidate().await?;
    stands_by(&second, &leader).await?;
    site.finish(&["a", "b"]).await?;
    site.published("a").await?;
    first.kill().await?;
    site.finish(&["c", "d", "e"]).await?;
    for name in ["a", "b", "c", "d", "e"] {
        site.published(name).await?;
    }
    assert_ne!(site.leader(&second).await?, leader);
    site.pipeline.verify().await?;
    let client = site.pipeline.servers.postgres.connect(&site.pipeline.database).await?;
    let rows: i64 =
        client.query_one("SELECT count(*) FROM workflow_execution_audit", &[]).await?.get(0);
    assert_eq!(rows, 5);
    drop((second, consumer));
    Ok(())
}

#[tokio::test]
async fn a_leader_that_was_paused_publishes_nothing_more() -> Result<()> {
    let site = Site::new("leader_paused", STEPS).await?;
    let first = site.candidate().await?;
    let leader = site.leader(&first).await?;
    let second = site.candidate().await?;
    stands_by(&second, &leader).await?;
    first.pause()?;
    let leader = site.leader(&second).await?;
    site.finish(&["a", "b", "c"]).await?;
    for name in ["a", "b", "c"] {
        site.published(name).await?;
    }
    first.resume()?;
    stands_by(&first, &leader).await?;
    site.finish(&["d"]).await?;
    site.published("d").await?;
    assert_eq!(site.records().await?.len(), 4, "once each");
    assert!(!first.log()?.contains("\"published\""), "it has published");

    // One that is told to end gives the Lease back once nothing is queued any more.
    assert!(second.terminate(LIMIT).await?.success());
    assert_ne!(site.leader(&first).await?, leader);
    drop(first);
    Ok(())
}

#[tokio::test]
async fn told_to_end_it_gives_the_lease_back() -> Result<()> {
    let site = Site::new("leader_ends", STEPS).await?;
    let leader = site.candidate().await?;
    site.leader(&leader).await?;
    assert!(leader.terminate(LIMIT).await?.success());
    assert_eq!(site.holder().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_lease_as_short_as_the_deadline_is_refused() -> Result<()> {
    let site = Site::new("leader_options", STEPS).await?;
    let controller = site.controller().env("AUDIT_LEASE", "short");
    let output = controller.env("AUDIT_LEASE_DURATION", "5s").run().await?;
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    for option in ["--lease-duration (AUDIT_LEASE_DURATION)", "--deadline (AUDIT_DEADLINE)"] {
        assert!(output.stderr.contains(option), "{}", output.stderr);
    }
    Ok(())
}
