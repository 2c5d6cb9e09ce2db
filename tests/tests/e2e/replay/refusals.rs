//! What cannot be replayed is refused in one line.

use anyhow::Result;
use audit_tests::{generator::Generator, load::spread, pipeline::Pipeline, postgres::connect};
use chrono::Utc;

use super::{finished, replay};

const SEED: u64 = 0x0A0D_0608;

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_in_one_line() -> Result<()> {
    let pipeline = Pipeline::shared("replay_refused", 2).await?;
    let kafka = pipeline.servers.kafka;
    let mut generator = Generator::new(SEED, Utc::now());
    kafka.publish(&pipeline.topic, spread(&mut generator, 20, 2)).await?;
    kafka.delete_records(&pipeline.topic, 0, 5).await?;
    finished(replay(&pipeline).args(["--name", "there"])).await?;
    let at = |place: &str| format!("{}:{place}", pipeline.topic);
    let [gone, behind, third, one, same] = ["0:4", "1:21", "2:0", "1:0", "1:5"].map(at);
    let cases: [(&[&str], i32, &[&str]); 19] = [
        (&["--from", &gone], 2, &["--from", &gone, "from 5 to before 20"]),
        (&["--from", &behind], 2, &["--from", &behind, "before 20"]),
        (&["--from", &third], 2, &["--from", "partitions are 0 to 1"]),
        (&["--from", "other:1:0"], 2, &["--from", "other", "--topic"]),
        (&["--from", &one, "--from", &same], 2, &["--from", "partition 1 twice"]),
        (&["--from", "1:0"], 2, &["--from", "topic:partition:offset"]),
        (&["--from", &one, "--since", "1d"], 2, &["--since", "--from"]),
        (&["--since", "yesterday"], 2, &["--since", "30d"]),
        (&["--since", "1d", "--until", "2d"], 2, &["--until", "--since"]),
        (&["--rate", "0"], 2, &["--rate"]),
        (&["--name", "a b"], 2, &["--name", "characters"]),
        (&["--name", "there"], 1, &["--resume there", "--name"]),
        (&["--resume", "there", "--since", "1d"], 2, &["--resume", "--since"]),
        (&["--resume", "there", "--name", "x"], 2, &["--resume", "--name"]),
        (&["--resume", "not-there"], 1, &["no replay not-there", "replay list"]),
        (&["--resume", "there", "--topic", "other"], 2, &["--topic is other"]),
        (&["--dry-run", "--name", "x"], 2, &["--dry-run", "--name"]),
        (&["--kafka-property", "auto.offset.reset=latest"], 2, &["auto.offset.reset"]),
        (&["forget", "not-there"], 1, &["no replay not-there", "replay list"]),
    ];
    for (args, code, words) in cases {
        let binary = match args {
            ["--resume", "there", "--topic", other] => replay(&pipeline)
                .args(["--resume", "there"])
                .env("AUDIT_STARTUP_TIMEOUT", "0s")
                .env("AUDIT_TOPIC", topic_of_others(&pipeline, other).await?),
            _ => replay(&pipeline).args(args.iter().copied()),
        };
        let output = binary.env("AUDIT_LOG", "error").run().await?;
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        for word in words {
            let word = word.replace("is other", &format!("is {}_other", pipeline.topic));
            assert!(output.stderr.contains(&word), "{word:?} is not in {output:?}");
        }
    }

    let live = pipeline.consumer().env("AUDIT_GROUP", "replay-there").run().await?;
    assert_eq!(live.code, Some(2));
    assert!(live.stderr.contains("--group replay-there"), "{}", live.stderr);

    let client = connect(&pipeline.database_url).await?;
    client.batch_execute("DELETE FROM refinery_schema_history WHERE version >= 10").await?;
    for args in [&["list"][..], &["--name", "x"]] {
        let old = replay(&pipeline).args(args.iter().copied()).env("AUDIT_LOG", "error");
        let output = old.run().await?;
        assert_eq!(output.code, Some(1));
        assert!(output.stderr.contains("audit-consumer migrate"), "{}", output.stderr);
    }
    Ok(())
}

/// Another topic, which is there.
async fn topic_of_others(pipeline: &Pipeline<'_>, suffix: &str) -> Result<String> {
    let topic = format!("{}_{suffix}", pipeline.topic);
    pipeline.servers.kafka.create_audit_topic(&topic, 1).await?;
    Ok(topic)
}
