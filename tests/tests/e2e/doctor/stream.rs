//! What can be wrong with the stream.

use anyhow::Result;
use audit_schema::problem::Code;
use audit_tests::{generator::Generator, load::spread};
use chrono::Utc;

use super::Report;
use crate::database::roles;

const SEED: u64 = 0x0A0D_1032;

#[tokio::test]
async fn halts_dead_letters_and_nobody_who_looks() -> Result<()> {
    let postgres = roles::server().await?;
    let pipeline = roles::pipeline(&postgres, "doctor_stream", 2).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut records = spread(&mut generator, 20, 2);
    records.push(generator.poison(Code::InvalidJson));
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    pipeline.verify().await?;
    pipeline.stop(&consumer).await?;

    let superuser = postgres.connect(&pipeline.database).await?;
    let set = async |what: &str| {
        superuser.batch_execute(&format!("UPDATE audit_stream SET {what}")).await
    };
    // As a consumer would have left it that looked just now.
    let looked = "seen_at = now(), end_offset_seen = next_offset, timestamp_type = 'LogAppendTime'";
    set(looked).await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.only("dead letters", "warning", &["1 open", "audit-consumer dlq list"])?;

    superuser.batch_execute("DELETE FROM audit_dead_letter").await?;
    set("end_offset_seen = next_offset + 3, last_timestamp = now() - interval '1 hour'").await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.only("stream", "warning", &["6 records behind", "more of them share the work"])?;
    set(looked).await?;
    set("seen_at = now() - interval '5 minutes'").await?;
    Report::of(&pipeline, &[]).await?.only("stream", "warning", &["audit-consumer run"])?;
    set(looked).await?;
    set("halted = 'truncated: offsets 5 to 9 are gone; restore them, or --accept-lost t:1:5-9' \
         WHERE partition = 1")
    .await?;
    let report = Report::of(&pipeline, &[]).await?;
    report.only("halted partition 1", "bad", &["offsets 5 to 9 are gone", "--accept-lost t:1:5-9"])
}
