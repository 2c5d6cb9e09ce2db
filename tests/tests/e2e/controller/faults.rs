//! The controller or the API server goes away.

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    kube::{KubeServer, STEPS as DEFINITION},
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{LIMIT, PUBLISHED, STEPS, Site, completed, is_held, three_steps};

/// An account that may do everything.
const ORDINARY: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: ordinary, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ordinary}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: ordinary, namespace: default}]
";

/// A site on an API server of its own, with these options.
async fn own_site(name: &str, options: &[(&str, &str)]) -> Result<Site> {
    let mut site = Site::new(name, STEPS).await?;
    let kube: &'static KubeServer = Box::leak(Box::new(KubeServer::start_with(options).await?));
    kube.define(DEFINITION).await?;
    site.kube = kube;
    site.namespace = kube.create_namespace(name).await?;
    Ok(site)
}

#[tokio::test]
async fn killed_again_and_again_it_misses_nothing_and_makes_one_row_of_each() -> Result<()> {
    const MANY: usize = 60;
    let site = Site::new("killed", STEPS).await?;
    let consumer = site.pipeline.start_consumer().await?;
    let name = |number: usize| format!("we-{number}");
    for number in 0..MANY {
        site.create(&name(number), three_steps()).await?;
    }
    for round in 0..4 {
        let controller = site.start().await?;
        let last = name(MANY - 4 + round);
        site.held(&last).await?;
        for number in (round..MANY).step_by(4) {
            site.set_status(&name(number), completed()).await?;
        }
        // Somewhere between the acknowledgements and the marks of this round.
        site.published(&name(round)).await?;
        controller.kill().await?;
        // Nobody is there: if it is not published yet, it waits.
        site.delete(&last).await?;
    }
    let controller = site.start().await?;
    for number in 0..MANY - 4 {
        site.published(&name(number)).await?;
    }
    for number in MANY - 4..MANY {
        site.gone(&name(number)).await?;
    }
    site.pipeline.verify().await?;
    let client = site.pipeline.servers.postgres.connect(&site.pipeline.database).await?;
    let rows: i64 =
        client.query_one("SELECT count(*) FROM workflow_execution_audit", &[]).await?.get(0);
    assert_eq!(rows, i64::try_from(MANY)?);
    drop((controller, consumer));
    Ok(())
}

#[tokio::test]
async fn it_goes_on_when_the_api_server_comes_back() -> Result<()> {
    let site = own_site("restart", &[]).await?;
    let kube = site.kube;
    let controller = site.start().await?;
    site.create("before", three_steps()).await?;
    site.held("before").await?;
    kube.stop().await?;
    kube.start_again().await?;
    site.set_status("before", completed()).await?;
    site.create("after", three_steps()).await?;
    site.set_status("after", json!({"phase": "failed", "error": "no space"})).await?;
    site.published("before").await?;
    site.published("after").await?;
    assert_eq!(site.events_of("after").await?[0]["error_message"], "no space");
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn when_its_watch_has_expired_it_looks_at_everything_anew() -> Result<()> {
    let site = own_site("expired", &[]).await?;
    let controller = site.start().await?;
    for name in ["finished", "deleted"] {
        site.create(name, three_steps()).await?;
        site.held(name).await?;
    }
    // Its connection breaks, so what happens now it is never told.
    controller.pause()?;
    site.kube.stop().await?;
    site.kube.start_again().await?;
    site.set_status("finished", completed()).await?;
    site.delete("deleted").await?;
    site.create("meanwhile", three_steps()).await?;
    site.kube.stop().await?;
    site.kube.compact().await?;
    site.kube.start_again().await?;
    controller.resume()?;
    site.published("finished").await?;
    site.gone("deleted").await?;
    site.held("meanwhile").await?;
    assert_eq!(site.records().await?.len(), 2);
    let log = controller.log()?;
    assert!(log.contains("too old resource version"), "{log}");
    Ok(())
}

#[tokio::test]
async fn it_goes_on_when_etcd_comes_back() -> Result<()> {
    let site = own_site("etcd", &[]).await?;
    let controller = site.start().await?;
    for name in ["before", "meanwhile", "after"] {
        site.create(name, three_steps()).await?;
        site.held(name).await?;
    }
    site.set_status("before", completed()).await?;
    site.kube.compact().await?;
    controller.pause()?;
    site.set_status("meanwhile", completed()).await?;
    let (restarted, resumed) =
        tokio::join!(site.kube.restart_etcd(), async { controller.resume() });
    restarted?;
    resumed?;
    eventually(LIMIT, "the API server to write again", async || {
        site.set_status("after", completed()).await
    })
    .await?;
    for name in ["before", "meanwhile", "after"] {
        site.published(name).await?;
        let events = site.events_of(name).await?;
        assert!(!events.is_empty() && events.iter().all(|event| *event == events[0]));
    }
    Ok(())
}

#[tokio::test]
async fn what_changes_before_it_is_marked_is_marked_as_it_is_then() -> Result<()> {
    let site = Site::new("conflict", STEPS).await?;
    let controller = site.start().await?;
    site.create("busy", three_steps()).await?;
    site.held("busy").await?;
    // The first of these is published; when it is to be marked, the version is that of the last.
    controller.pause()?;
    site.set_status("busy", completed()).await?;
    let api = site.api().await?;
    for number in 0..5 {
        let others = json!({"metadata": {
            "labels": {format!("label-{number}"): "set"},
            "finalizers": [format!("example.org/{number}"), super::FINALIZER],
        }});
        api.patch("busy", &PatchParams::default(), &Patch::Merge(others)).await?;
    }
    controller.resume()?;
    let busy = site.published("busy").await?;
    assert_eq!(busy.finalizers(), ["example.org/4"]);
    assert_eq!(busy.labels().len(), 5 + 1);
    assert_eq!(site.records().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn told_to_wait_it_waits_and_misses_nothing() -> Result<()> {
    const MANY: usize = 40;
    // One change at a time, and 429 for whoever comes meanwhile.
    let options =
        [("enable-priority-and-fairness", "false"), ("max-mutating-requests-inflight", "1")];
    let site = own_site("throttled", &options).await?;
    // Administrators never have to wait.
    site.kube.apply(ORDINARY).await?;
    let kubeconfig = site.kube.kubeconfig_of("default", "ordinary").await?;
    for number in 0..MANY {
        site.create(&format!("we-{number}"), three_steps()).await?;
        site.set_status(&format!("we-{number}"), completed()).await?;
    }
    let controller = site.controller().env("KUBECONFIG", kubeconfig.display().to_string());
    let controller = controller.start_ready().await?;
    let api = site.api().await?;
    eventually(LIMIT, "all to be marked", async || {
        let marked = api.list(&ListParams::default().labels(PUBLISHED)).await?;
        ensure!(marked.items.len() == MANY, "{} are", marked.items.len());
        Ok(())
    })
    .await?;
    assert_eq!(site.records().await?.len(), MANY, "once each");
    let told = [("code", "429"), ("resource", "workflowexecutions")];
    let told = site.kube.metrics().await?.sum("apiserver_request_terminations_total", &told);
    assert!(told > 0.5, "it was never told to wait: {told}");
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn a_collection_that_is_deleted_at_once_is_published() -> Result<()> {
    const MANY: usize = 60;
    let site = Site::new("collection", STEPS).await?;
    let controller = site.start().await?;
    let name = |number: usize| format!("we-{number}");
    for number in 0..MANY {
        site.create(&name(number), three_steps()).await?;
    }
    let api = site.api().await?;
    eventually(LIMIT, "all to be held", async || {
        let held = api.list(&ListParams::default()).await?;
        let held = held.iter().filter(|resource| is_held(resource)).count();
        ensure!(held == MANY, "{held} are");
        Ok(())
    })
    .await?;
    for number in 0..MANY / 2 {
        site.set_status(&name(number), completed()).await?;
    }
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    eventually(LIMIT, "all to be gone", async || {
        let left = api.list(&ListParams::default()).await?.items.len();
        ensure!(left == 0, "{left} are left");
        Ok(())
    })
    .await?;
    for number in 0..MANY {
        let events = site.events_of(&name(number)).await?;
        let outcome = if number < MANY / 2 { "success" } else { "partial" };
        ensure!(
            events.len() == 1 && events[0]["outcome"] == outcome,
            "{}: {events:?}",
            name(number)
        );
    }
    drop(controller);
    Ok(())
}
