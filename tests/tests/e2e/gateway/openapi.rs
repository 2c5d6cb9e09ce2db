//! The OpenAPI document is valid, and says what the gateway does.

use std::fs;

use anyhow::{Context, Result};
use audit_tests::{
    gateway::Gateway,
    http,
    pipeline::Pipeline,
    schemathesis::{fuzz, validate},
};

const SEED: u64 = 0x0A0D_2008;

/// For each operation, beside the systematic ones.
const REQUESTS: u32 = 20;

#[tokio::test]
async fn the_document_is_valid_and_its_examples_are_accepted() -> Result<()> {
    let pipeline = Pipeline::shared("openapi", 1).await?;
    let gateway = Gateway::start(pipeline.servers.kafka.bootstrap(), &pipeline.topic).await?;
    let answer = http::get(gateway.address, "/openapi.json").await?;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("openapi.json");
    fs::write(&file, &answer.body)?;
    validate(&file).await?;

    let document = answer.json()?;
    let mut posted = 0;
    for (path, item) in document["paths"].as_object().context("no paths")? {
        let content = &item["post"]["requestBody"]["content"];
        for (media_type, content) in content.as_object().context("no content")? {
            let named = content["examples"].as_object().into_iter().flatten();
            let named = named.map(|(_, example)| &example["value"]);
            for example in named.chain(content.get("example")) {
                let body = example.as_str().map_or_else(|| example.to_string(), ToOwned::to_owned);
                let headers = [("content-type", media_type.as_str())];
                let answer = http::post(gateway.address, path, &headers, body.as_bytes()).await?;
                assert_eq!(answer.status, 201, "{path} {media_type}: {}", answer.text());
                posted += 1;
            }
        }
    }
    assert_eq!(posted, 6);
    Ok(())
}

#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_differs_from_the_document() -> Result<()> {
    let pipeline = Pipeline::shared("fuzzed", 2).await?;
    let consumer = pipeline.start_consumer().await?;
    let gateway = Gateway::start_with(
        pipeline.servers.kafka.bootstrap(),
        &pipeline.topic,
        // What is published by a slow machine is not to be told 503, which the fuzzer calls a fault.
        |gateway| gateway.env("AUDIT_DEADLINE", "60s"),
    )
    .await?;
    let document = format!("http://{}/openapi.json", gateway.address);
    let directory = tempfile::tempdir()?;
    fuzz(&document, REQUESTS, SEED, directory.path()).await?;

    // Whatever it made that was taken is stored: the gateway lets nothing through that is no row.
    let summary = pipeline.verify().await?;
    assert_eq!(summary.dead_letters, 0);
    assert!(summary.ids > 20, "{}", summary.ids);
    pipeline.stop(&consumer).await
}
