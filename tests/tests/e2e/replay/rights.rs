//! A replay needs no more than what `run` may do; forgetting it is the owner's.

use anyhow::Result;
use audit_tests::{generator::Generator, load::mixture, oracle::Oracle};
use chrono::Utc;

use super::{finished, live_begins_at_the_end, replay};
use crate::database::{
    PATIENCE,
    roles::{MIGRATOR, READER, WRITERS, pipeline, server, url},
};

const SEED: u64 = 0x0A0D_0609;

#[tokio::test]
async fn the_writer_replays_the_reader_looks_and_the_migrator_forgets() -> Result<()> {
    let postgres = server().await?;
    let pipeline = pipeline(&postgres, "replay_rights", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let records = mixture(&mut generator, 300);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    live_begins_at_the_end(&pipeline).await?;
    let as_user = |user: &str| url(&postgres, user, &pipeline.database);
    let of = |user: &str| replay(&pipeline).env("AUDIT_DATABASE_URL", as_user(user));

    finished(of(WRITERS[0]).args(["--name", "mine"])).await?;
    finished(of(WRITERS[1]).args(["--resume", "mine"])).await?;
    let reader = as_user(READER);
    let oracle = Oracle { database: &reader, ..pipeline.oracle() };
    oracle.verify_beside(&["replay-mine"], PATIENCE).await?;
    of(READER).args(["--dry-run"]).run().await?.success()?;
    assert!(of(READER).args(["list"]).run().await?.success()?.contains("finished"));
    for user in [READER, WRITERS[0]] {
        let refused = of(user).args(["forget", "mine"]).run().await?;
        assert_eq!(refused.code, Some(1), "{user}");
        assert!(refused.stderr.contains("audit_migrator"), "{}", refused.stderr);
    }
    let none = of(READER).args(["--name", "theirs"]).run().await?;
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("lacks rights"), "{}", none.stderr);
    of(MIGRATOR).args(["forget", "mine"]).run().await?.success()?;
    Ok(())
}
