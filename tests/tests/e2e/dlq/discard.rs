//! `audit-consumer dlq discard` keeps what it marks.

use anyhow::Result;
use audit_tests::{generator::Generator, pipeline::Pipeline};
use chrono::Utc;

use super::{ACCEPTING, REFUSING, adds_up, client, count, dlq, objects, place};
use crate::database::{PATIENCE, new_ids};

const SEED: u64 = 0x0A0D_0D05;

#[tokio::test]
async fn they_are_marked_and_kept_and_not_tried_again() -> Result<()> {
    let pipeline = Pipeline::shared("discard", 1).await?;
    let client = client(&pipeline).await?;
    client.batch_execute(REFUSING).await?;
    let records = new_ids(&mut Generator::new(SEED, Utc::now()), 4);
    let places = pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.oracle().settled(PATIENCE).await?;
    pipeline.stop(&consumer).await?;
    client.batch_execute(ACCEPTING).await?;
    let [first, second, third, open] = [0, 1, 2, 3].map(|at| place(&pipeline, &places[at]));

    let given = ["discard", &first, &second, "--reason", " a typo of ours ", "--by", "anna"];
    let (discarded, code) = objects(&pipeline, &given).await?;
    assert_eq!((discarded.len(), code), (2, Some(0)));
    assert_eq!((&discarded[0]["offset"], &discarded[1]["offset"]), (&0.into(), &1.into()));
    let kept = "resolution = 'discarded' AND resolved_by = 'anna' AND resolution_reason = 'a typo of ours' \
                AND resolved_at IS NOT NULL AND value IS NOT NULL AND retried_as IS NULL";
    assert_eq!(count(&client, kept).await?, 2);
    dlq(&pipeline, &["discard", &third, "--reason", "why not"]).await?.success()?;
    let by_the_user = "resolution = 'discarded' AND resolved_by = session_user";
    assert_eq!(count(&client, by_the_user).await?, 1);

    for command in [&["discard", "--reason", "again"][..], &["retry"]] {
        for (place, complaint) in [
            (first.as_str(), "is resolved already: discarded by anna at 2"),
            ("nowhere:0:7", "error: no dead letter at nowhere:0:7"),
        ] {
            let output = dlq(&pipeline, &[command, &[place, &open]].concat()).await?;
            assert_eq!(output.code, Some(1), "{}", output.stderr);
            assert!(output.stderr.contains(complaint), "{}", output.stderr);
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        }
    }
    let (outcomes, code) = objects(&pipeline, &["retry", "--all"]).await?;
    assert_eq!((outcomes.len(), code), (1, Some(0)));
    assert_eq!(outcomes[0]["offset"], 3);
    adds_up(&client).await
}

/// Nothing is decided about unasked.
#[tokio::test]
async fn what_is_meant_has_to_be_said() -> Result<()> {
    let pipeline = Pipeline::shared("unasked", 1).await?;
    for (args, complaint) in [
        (&["retry"][..], "say which dead letters"),
        (&["retry", "a:0:1", "--all"], "exclude each other"),
        (&["retry", "a:0:1", "--code", "tombstone"], "exclude each other"),
        (&["retry", "--partition", "0", "--all"], "exclude each other"),
        (&["discard", "--reason", "x"], "say which dead letters"),
        (&["discard", "--all"], "--reason"),
        (&["discard", "--all", "--reason", " "], "--reason"),
        (&["retry", "a:b"], "topic:partition:offset"),
    ] {
        let output = dlq(&pipeline, args).await?;
        assert_eq!(output.code, Some(2), "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains(complaint), "{args:?}: {}", output.stderr);
    }
    Ok(())
}
