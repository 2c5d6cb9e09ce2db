//! The controller or the API server goes away.

use anyhow::Result;
use audit_tests::kube::{KubeServer, STEPS as DEFINITION};
use serde_json::json;

use super::{STEPS, Site, completed, three_steps};

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
    let mut site = Site::new("restart", STEPS).await?;
    let kube: &'static KubeServer = Box::leak(Box::new(KubeServer::start().await?));
    kube.define(DEFINITION).await?;
    site.kube = kube;
    site.namespace = kube.create_namespace("restart").await?;
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
