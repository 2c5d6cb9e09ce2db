//! One look.

use anyhow::{Context, Result, ensure};
use audit_schema::problem::Code;
use audit_tests::{
    binary::Binary, eventually, generator::Generator, load::spread, pipeline::Pipeline,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{SEED, look, partition, status};
use crate::database::{PATIENCE, roles};

#[tokio::test]
async fn a_reader_sees_where_every_stream_stands() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "status", 2).await?;
    let reader = roles::url(&postgres, roles::READER, &pipeline.database);
    let before = look(status(&pipeline, &reader)).await?;
    assert_eq!(before["streams"], json!([]), "nobody has read anything");
    assert_eq!(before["months_ahead"], json!(3));

    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = spread(&mut generator, 20, 2);
    records.extend(
        [Code::InvalidJson, Code::InvalidJson, Code::TooDeep]
            .map(|code| generator.poison(code).to_partition(1)),
    );
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    eventually(PATIENCE, "the consumer to look at its partitions", async || {
        let seen = look(status(&pipeline, &reader)).await?;
        let own = format!("/{}", consumer.pid());
        for (number, records) in [(0, 20), (1, 23)] {
            let partition = partition(&seen, number);
            ensure!(partition["next_offset"] == records && partition["lag"] == 0, "{partition}");
            ensure!(partition["last_batch"]["records"] == records, "{partition}");
            ensure!(
                partition["owner"].as_str().is_some_and(|owner| owner.ends_with(&own)),
                "{partition}"
            );
            // Of less than five minutes, so that all of them count.
            let rate = partition["records_per_second"].as_f64().unwrap_or_default();
            ensure!((rate - f64::from(records) / 300.0).abs() < 1e-9, "{partition}");
        }
        let stream = &seen["streams"][0];
        ensure!(stream["stream"] == pipeline.group && stream["lag"] == 0, "{stream}");
        let complete = stream["complete_up_to"].as_str().context("not complete yet")?;
        ensure!(complete.parse::<DateTime<Utc>>()? <= Utc::now(), "{complete}");
        ensure!(seen["brokers_error"] == Value::Null, "{}", seen["brokers_error"]);
        let codes = json!([{"code": "invalid_json", "open": 2}, {"code": "too_deep", "open": 1}]);
        let letters = json!([{"topic": pipeline.topic, "open": 3, "codes": codes}]);
        ensure!(seen["dead_letters"] == letters, "{}", seen["dead_letters"]);
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await?;

    let superuser = postgres.connect(&pipeline.database).await?;
    superuser
        .batch_execute(
            "UPDATE audit_stream SET halted = 'truncated: offsets 5 to 9 are gone' WHERE partition = 1;
             INSERT INTO audit_stream (stream, topic, partition) VALUES ('of-old', 'another.topic', 0);
             DROP TABLE workflow_execution_audit_default",
        )
        .await?;
    let month = Utc::now() + chrono::Months::new(2);
    let month = month.format("DROP TABLE workflow_execution_audit_%Y_%m").to_string();
    superuser.batch_execute(&month).await?;
    let halted = look(status(&pipeline, &reader)).await?;
    assert_eq!(halted["months_ahead"], json!(1), "a gap ends them");
    let streams = halted["streams"].as_array().context("streams")?;
    let unseen = &streams[usize::from(streams[0]["stream"] != "of-old")];
    assert_eq!(unseen["partitions"][0]["lag"], Value::Null, "nobody has looked at it");
    assert_eq!((&unseen["lag"], &unseen["lag_as_of"]), (&Value::Null, &Value::Null));
    let halts = streams.iter().map(|stream| &stream["partitions"][1]["halted"]);
    let whys = halts.filter_map(Value::as_str).collect::<Vec<_>>();
    assert_eq!((streams.len(), whys), (2, vec!["truncated: offsets 5 to 9 are gone"]));

    let page = status(&pipeline, &reader).run().await?.success()?;
    for line in [
        "of-old, reading another.topic",
        "partition 1 is halted, truncated: offsets 5 to 9 are gone",
        &format!("3 open dead letters of {}: 2 invalid_json, 1 too_deep", pipeline.topic),
        "partitions for 1 months ahead",
    ] {
        assert!(page.lines().any(|found| found == line), "no line {line:?}:\n{page}");
    }
    Ok(())
}

#[tokio::test]
async fn the_brokers_know_better_than_a_consumer_that_is_away() -> Result<()> {
    let pipeline = Pipeline::shared("status_lag", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 10, 2)).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    let url = &pipeline.database_url;
    let offline = status(&pipeline, url).env("AUDIT_BROKERS", "127.0.0.1:1");
    eventually(PATIENCE, "the consumer to look at its partitions", async || {
        let seen = look(offline.clone()).await?;
        ensure!(seen["streams"][0]["lag"] == 0, "{seen}");
        Ok(())
    })
    .await?;
    pipeline.stop(&consumer).await?;

    kafka.publish(&pipeline.topic, spread(&mut generator, 7, 2)).await?;
    let online = look(status(&pipeline, url)).await?;
    assert_eq!(
        (&online["streams"][0]["lag"], &online["brokers_error"]),
        (&json!(14), &Value::Null)
    );
    assert_eq!(partition(&online, 1)["lag"], json!(7));
    let offline_look = look(offline.clone()).await?;
    assert_eq!(offline_look["streams"][0]["lag"], json!(0), "as the consumer saw it");
    let trouble = offline_look["brokers_error"].as_str().context("brokers_error")?;
    assert!(trouble.contains("cannot reach Kafka (--brokers)"), "{trouble}");
    let page = offline.run().await?.success()?;
    assert!(page.contains("\nlag as of the consumers' last look: cannot reach Kafka"), "{page}");
    // Another topic's ends say nothing of this stream.
    let other = look(status(&pipeline, url).env("AUDIT_TOPIC", "another.topic")).await?;
    assert_eq!(other["streams"][0]["lag"], json!(0));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_one_line() -> Result<()> {
    let status = || Binary::new("audit-consumer").args(["status"]);
    let away = status().env("AUDIT_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let away = away.run().await?;
    let error = "error: cannot connect to the database 127.0.0.1:1/none (--database-url): ";
    assert!(away.stderr.starts_with(error) && away.stderr.lines().count() == 1, "{}", away.stderr);
    assert_eq!((away.code, away.stdout.as_str()), (Some(1), ""));
    for wrong in ["0", "99ms", "soon"] {
        let output = status().args(["--watch", wrong]).run().await?;
        assert_eq!(output.code, Some(2), "{wrong}");
        assert!(
            output.stderr.contains("--watch") && output.stderr.contains("500ms"),
            "{}",
            output.stderr
        );
    }
    Ok(())
}
