//! `audit-consumer dlq list` leaves out what it is told to leave out.

use anyhow::Result;
use audit_schema::problem::Code;
use audit_tests::{generator::Generator, pipeline::Pipeline};
use chrono::Utc;

use super::{client, dlq, objects};

const SEED: u64 = 0x0A0D_0D04;

#[tokio::test]
async fn by_cause_time_and_partition_and_summed_up() -> Result<()> {
    let pipeline = Pipeline::shared("filters", 3).await?;
    let client = client(&pipeline).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let kinds = [
        (Code::Tombstone, 0),
        (Code::Tombstone, 1),
        (Code::InvalidOutcome, 1),
        (Code::TooLong, 2),
        (Code::Tombstone, 2),
    ];
    let records = kinds.map(|(code, partition)| generator.poison(code).to_partition(partition));
    pipeline.servers.kafka.publish(&pipeline.topic, records.to_vec()).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;
    let earlier = "UPDATE audit_dead_letter SET first_seen = '2025-01-15T10:00:00Z' WHERE partition = 1;
        UPDATE audit_dead_letter SET resolution = 'discarded', resolved_at = now(), resolved_by = 'a test',
            resolution_reason = 'a test' WHERE partition = 0";
    client.batch_execute(earlier).await?;

    for (args, expected) in [
        (&[][..], 4),
        (&["--all"][..], 5),
        (&["--code", "tombstone"], 2),
        (&["--code", "tombstone", "--all"], 3),
        (&["--code", "tombstone", "--code", "too_long"], 3),
        (&["--partition", "2"], 2),
        (&["--partition", "1", "--partition", "2", "--code", "tombstone"], 2),
        (&["--since", "1d"], 2),
        (&["--until", "1d"], 2),
        (&["--since", "2025-01-15T10:00:00Z", "--until", "2025-01-15T10:00:01Z"], 2),
        (&["--since", "2025-01-14", "--until", "2025-01-15T10:00:00Z"], 0),
        (&["--limit", "1"], 1),
    ] {
        let (found, _) = objects(&pipeline, &[&["list"], args].concat()).await?;
        assert_eq!(found.len(), expected, "{args:?}");
    }
    let none = dlq(&pipeline, &["list", "--code", "too_deep"]).await?.success()?;
    assert_eq!(none, "no open dead letters match\n");

    let (causes, _) = objects(&pipeline, &["list", "--summary"]).await?;
    let counts: Vec<_> = causes.iter().map(|cause| (&cause["code"], &cause["count"])).collect();
    let expected = [("tombstone", 2), ("invalid_outcome", 1), ("too_long", 1)];
    assert_eq!(counts.len(), expected.len());
    for ((code, count), (wanted_code, wanted)) in counts.into_iter().zip(expected) {
        assert_eq!((code, count), (&wanted_code.into(), &wanted.into()));
    }
    assert_eq!(causes[1]["first"], "2025-01-15T10:00:00Z");
    assert_eq!(causes[1]["first"], causes[1]["last"]);
    assert!(causes[0]["first"].as_str() < causes[0]["last"].as_str());
    let example = causes[1]["example"].as_str().unwrap_or_default();
    assert_eq!(example, format!("{}:1:1", pipeline.topic));
    dlq(&pipeline, &["show", example]).await?.success()?;

    for (args, complaint) in [
        (&["--code", "tombstones"][..], "--code"),
        (&["--since", "1d", "--until", "2d"], "--until must be after --since"),
        (&["--since", "soon"], "--since"),
        (&["--partition=-1"], "--partition"),
    ] {
        let output = dlq(&pipeline, &[&["list"], args].concat()).await?;
        assert_eq!(output.code, Some(2), "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains(complaint), "{args:?}: {}", output.stderr);
    }
    Ok(())
}
