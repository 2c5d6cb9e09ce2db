//! What holds a resource, and what lets go of it.

use anyhow::Result;
use audit_tests::{eventually, kafka::KafkaCluster};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{LIMIT, STEPS, Site, completed, is_held, three_steps};

#[tokio::test]
async fn deleted_before_it_finished_it_is_published_as_it_stands() -> Result<()> {
    let site = Site::new("cut_short", STEPS).await?;
    let controller = site.start().await?;
    site.create("cut-short", three_steps()).await?;
    site.held("cut-short").await?;
    let running = json!({"phase": "executing", "steps": [{"index": 0, "action": "drain", "phase": "completed"}]});
    site.set_status("cut-short", running).await?;
    site.delete("cut-short").await?;
    site.gone("cut-short").await?;
    let events = site.events_of("cut-short").await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["outcome"], "partial");
    assert_eq!(events[0]["status"], "executing");
    assert_eq!(events[0]["steps_completed"], 1);
    assert!(events[0]["completed_at"].is_string(), "{}", events[0]);
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn the_finalizers_of_others_stay() -> Result<()> {
    let site = Site::new("others", STEPS).await?;
    let controller = site.start().await?;
    site.create("shared", three_steps()).await?;
    site.held("shared").await?;
    let api = site.api().await?;
    let others = Patch::Merge(
        json!({"metadata": {"finalizers": ["example.org/a", super::FINALIZER, "example.org/b"]}}),
    );
    api.patch("shared", &PatchParams::default(), &others).await?;
    site.set_status("shared", completed()).await?;
    let published = site.published("shared").await?;
    assert_eq!(published.finalizers(), ["example.org/a", "example.org/b"]);
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn deleted_while_the_broker_is_down_it_stays_until_it_is_published() -> Result<()> {
    let mut site = Site::new("outage", STEPS).await?;
    let kafka: &'static KafkaCluster = Box::leak(Box::new(KafkaCluster::start(1).await?));
    site.pipeline.servers.kafka = kafka;
    kafka.create_audit_topic(&site.pipeline.topic, 2).await?;
    kafka.stop(1).await?;
    // Finished before anyone sees it: held once publishing takes long.
    site.create("late", three_steps()).await?;
    site.set_status("late", completed()).await?;
    let controller = site.controller().env("AUDIT_DEADLINE", "1s").start_ready().await?;
    site.create("held", three_steps()).await?;
    site.held("held").await?;
    site.set_status("held", completed()).await?;
    for name in ["held", "late"] {
        site.held(name).await?;
        site.delete(name).await?;
        site.becomes(name, "deleted and held", |resource| {
            resource.metadata.deletion_timestamp.is_some() && is_held(resource)
        })
        .await?;
    }
    eventually(LIMIT, "both to be shown as pending", async || {
        let metrics = controller.metrics().await?;
        let pending = metrics.sum("kubernaut_audit_controller_pending_resources", &[]);
        let oldest = metrics.sum("kubernaut_audit_controller_oldest_pending_seconds", &[]);
        anyhow::ensure!((pending - 2.0).abs() < 0.5 && oldest > 0.0, "{pending}, {oldest} s");
        Ok(())
    })
    .await?;

    kafka.restart(1).await?;
    site.gone("held").await?;
    site.gone("late").await?;
    for name in ["held", "late"] {
        let events = site.events_of(name).await?;
        assert!(!events.is_empty());
        assert!(events.iter().all(|event| event == &events[0]), "one content: {events:?}");
        assert_eq!(events[0]["outcome"], "success");
    }
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn release_lets_go_of_everything() -> Result<()> {
    let site = Site::new("release", STEPS).await?;
    let controller = site.start().await?;
    for name in ["a", "b"] {
        site.create(name, three_steps()).await?;
        site.held(name).await?;
    }
    drop(controller);
    let release = async |args: &[&str]| -> Result<Value> {
        let command =
            site.command().args(["release", "--format", "json"]).args(args.iter().copied());
        let output = command.run().await?.success()?;
        Ok(serde_json::from_str(&output)?)
    };
    let found = json!([{"resources": 2, "held": 2, "unpublished": 2, "released": 0}]);
    assert_eq!(release(&["--dry-run"]).await?, found);
    site.held("a").await?;
    assert_eq!(release(&[]).await?[0]["released"], 2);
    site.becomes("a", "let go", |resource| !is_held(resource)).await?;
    assert_eq!(release(&[]).await?[0]["held"], 0);
    Ok(())
}

#[tokio::test]
async fn without_finalizer_nothing_is_held() -> Result<()> {
    let site = Site::new("unheld", STEPS).await?;
    let controller = site.start().await?;
    site.create("before", three_steps()).await?;
    site.held("before").await?;
    drop(controller);
    let controller = site.controller().env("AUDIT_FINALIZER", "false").start_ready().await?;
    site.becomes("before", "let go", |resource| !is_held(resource)).await?;
    site.create("after", three_steps()).await?;
    site.set_status("before", completed()).await?;
    site.published("before").await?;
    let after = site.api().await?.get("after").await?;
    assert!(!is_held(&after));
    // Seen as it went.
    site.delete("after").await?;
    eventually(LIMIT, "it to be published", async || {
        let events = site.events_of("after").await?;
        anyhow::ensure!(events.len() == 1 && events[0]["outcome"] == "partial", "{events:?}");
        Ok(())
    })
    .await?;
    drop(controller);
    Ok(())
}
