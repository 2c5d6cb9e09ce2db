//! `audit-consumer dlq export` gives every byte back.

use anyhow::{Context, Result};
use audit_tests::{generator::Generator, kafka::Record, pipeline::Pipeline};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde_json::Value;

use super::dlq;

const SEED: u64 = 0x0A0D_0D06;

fn bytes(value: &Value) -> Result<Option<Vec<u8>>> {
    Ok(value.as_str().map(|text| STANDARD.decode(text)).transpose()?)
}

/// The lines are read back as records and are what the topic has, byte for byte and header for header.
#[tokio::test]
async fn what_is_exported_is_what_was_published() -> Result<()> {
    let pipeline = Pipeline::shared("export", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records: Vec<Record> =
        Generator::poisons().map(|code| generator.poison(code)).collect();
    let mut odd = Record::new(&b"\0\xff\n{\"a\":\r\n"[..]).with_key(&b"\xfe\0"[..]);
    odd.headers = vec![
        ("twice".to_owned(), Some(b"\xff".to_vec())),
        ("nothing".to_owned(), None),
        ("twice".to_owned(), Some(Vec::new())),
    ];
    records.push(odd);
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    let exported = dlq(&pipeline, &["export"]).await?.success()?;
    let mut published = kafka.read_all(&pipeline.topic).await?;
    published.sort_by_key(|record| (record.at.partition, record.at.offset));
    assert_eq!(exported.lines().count(), published.len());
    for (line, record) in exported.lines().zip(&published) {
        let line: Value = serde_json::from_str(line)?;
        assert_eq!(
            (&line["partition"], &line["offset"]),
            (&record.at.partition.into(), &record.at.offset.into())
        );
        assert_eq!(
            (bytes(&line["key_base64"])?, bytes(&line["value_base64"])?),
            (record.key.clone(), record.value.clone())
        );
        let headers = line["headers"].as_array().context("headers")?.iter().map(|header| {
            let name = header["name"].as_str().context("a name")?.to_owned();
            Ok((name, bytes(&header["value_base64"])?))
        });
        assert_eq!(headers.collect::<Result<Vec<_>>>()?, record.headers);
        assert!(line["code"].is_string() && line["resolution"].is_null(), "{line}");
    }

    let directory = tempfile::tempdir()?;
    let file = directory.path().join("dead.ndjson");
    let path = file.to_str().context("a path")?;
    let filtered = ["export", "--code", "tombstone", "--output", path];
    assert_eq!(dlq(&pipeline, &filtered).await?.success()?, "");
    let written = std::fs::read_to_string(&file)?;
    let expected = exported.lines().find(|line| line.contains("\"tombstone\""));
    assert_eq!(written.lines().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());

    let nowhere = dlq(&pipeline, &["export", "--output", "/nowhere/at/all"]).await?;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("--output /nowhere/at/all"), "{}", nowhere.stderr);
    Ok(())
}
