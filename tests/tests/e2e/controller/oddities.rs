//! Resources that no event, or an odd one, can be made of.

use anyhow::{Context, Result, ensure};
use audit_tests::eventually;
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{LIMIT, STEPS, Site, completed, three_steps};

const ERROR: &str = "audit.kubernaut.ai/error";

impl Site {
    /// Waits until an Event with this reason tells of the resource.
    async fn tells(&self, name: &str, reason: &str) -> Result<String> {
        let events: Api<Event> = Api::namespaced(self.kube.client().await?, &self.namespace);
        eventually(LIMIT, &format!("an Event {reason} of {name}"), async || {
            let all = events.list(&ListParams::default()).await?.items;
            let is_it = |event: &&Event| {
                let of = event.regarding.as_ref().and_then(|of| of.name.as_deref());
                event.reason.as_deref() == Some(reason) && of == Some(name)
            };
            let found = all.iter().find(is_it).context("there is none")?;
            found.note.clone().context("it says nothing")
        })
        .await
    }
}

#[tokio::test]
async fn what_cannot_be_an_event_becomes_a_dead_letter_and_is_let_go() -> Result<()> {
    let site = Site::new("unmappable", STEPS).await?;
    let consumer = site.pipeline.start_consumer().await?;
    let controller = site.start().await?;
    site.create("wrong-type", three_steps()).await?;
    let wrong = json!({"phase": "completed", "steps": [{"index": "first", "parameters": {"token": "s3cret"}}]});
    site.set_status("wrong-type", wrong).await?;
    let large: String = "x".repeat(600_000);
    site.create("too-large", three_steps()).await?;
    site.set_status(
        "too-large",
        json!({"phase": "failed", "error": large, "steps": [{"error": large}]}),
    )
    .await?;
    site.create("well", three_steps()).await?;
    site.set_status("well", completed()).await?;

    let wrong = site.published("wrong-type").await?;
    let error = &wrong.annotations()[ERROR];
    assert!(error.contains("expected i32") && !error.contains("first"), "{error}");
    assert!(site.tells("wrong-type", "NoAuditEvent").await?.contains("expected i32"));
    let large = site.published("too-large").await?;
    assert!(large.annotations()[ERROR].contains("bytes"), "{:?}", large.annotations());
    site.published("well").await?;

    let odd = [("kind", "no_event")];
    let odd =
        controller.metrics().await?.sum("kubernaut_audit_controller_odd_resources_total", &odd);
    assert!((odd - 2.0).abs() < 0.5, "{odd}");
    let records = site.records().await?;
    let raw = records.iter().filter(|record| {
        let mut types = record.headers.iter().filter(|(name, _)| name == "ce_type");
        types.next_back().and_then(|(_, value)| value.as_deref())
            == Some(b"ai.kubernaut.audit.workflow-execution.raw.v1")
    });
    assert_eq!(raw.clone().count(), 2);
    for record in raw {
        let value = record.value.as_deref().unwrap_or_default();
        assert!(value.len() <= 1 << 20);
        assert!(!String::from_utf8_lossy(value).contains("s3cret"));
    }
    // Neither is published again, whatever is looked at again.
    drop(controller);
    let controller = site.start().await?;
    site.create("next", three_steps()).await?;
    site.held("next").await?;
    assert_eq!(site.records().await?.len(), 3);
    let summary = site.pipeline.verify().await?;
    ensure!(summary.dead_letters == 2, "{summary:?}");
    drop((controller, consumer));
    Ok(())
}

#[tokio::test]
async fn a_malformed_annotation_is_told_and_kept() -> Result<()> {
    let site = Site::new("annotation", STEPS).await?;
    let controller = site.start().await?;
    site.create("odd", three_steps()).await?;
    let annotation =
        json!({"metadata": {"annotations": {"adaptive-adjustments": "[{\"step_number\": tru"}}});
    site.api().await?.patch("odd", &PatchParams::default(), &Patch::Merge(annotation)).await?;
    site.set_status("odd", completed()).await?;
    site.published("odd").await?;
    let event = site.events_of("odd").await?.pop().context("no event")?;
    assert_eq!(event["adaptive_adjustments"], json!([]));
    let problem: &Value = &event["mapping_problems"][0];
    assert_eq!(problem["path"], "metadata.annotations.adaptive-adjustments");
    assert_eq!(problem["value"], "[{\"step_number\": tru");
    assert!(site.tells("odd", "OddAuditField").await?.contains("adaptive-adjustments"));
    drop(controller);
    Ok(())
}
