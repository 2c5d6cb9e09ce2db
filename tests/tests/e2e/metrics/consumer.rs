//! What the consumer shows.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use audit_tests::{
    eventually,
    generator::Generator,
    load::{mixture, spread},
    pipeline::Pipeline,
    postgres::connect,
    service::Service,
};
use chrono::Utc;
use futures_util::future::try_join;

use super::{LIMIT, NO_COLLECTOR, Seen, becomes, begin_at_zero, reaches};

const SEED: u64 = 0x0A0D_8002;
const PARTITIONS: i32 = 2;

const RECORDS: &str = "kubernaut_audit_records_total";
const BATCHES: &str = "kubernaut_audit_batches_total";
const LAG: &str = "kubernaut_audit_partition_lag_records";
const RETRIES: &str = "kubernaut_audit_retries_total";
const REBALANCES: &str = "kubernaut_audit_rebalances_total";
const ASSIGNED: &str = "kubernaut_audit_assigned_partitions";

#[tokio::test]
async fn every_metric_of_the_consumer_moves() -> Result<()> {
    let pipeline = Pipeline::shared("consumer_metrics", PARTITIONS).await?;
    let mut generator = Generator::new(SEED, Utc::now());
    let mut seen = Seen::default();
    let consumer = start(&pipeline).await?;
    let start_up = consumer.metrics().await?;
    let dispositions =
        ["stored", "duplicate", "superseding", "late", "dead_lettered", "gap", "lost"];
    begin_at_zero(&start_up, RECORDS, "disposition", &dispositions)?;
    begin_at_zero(&start_up, BATCHES, "outcome", &["committed", "retried", "fenced"])?;
    begin_at_zero(&start_up, RETRIES, "sqlstate", &["none"])?;
    begin_at_zero(&start_up, REBALANCES, "kind", &["revoked"])?;

    load(&pipeline, &consumer, &mut generator, &mut seen).await?;
    hold_up(&pipeline, &consumer, &mut generator).await?;
    fence(&pipeline, &consumer, &mut generator).await?;
    pipeline.verify().await?;
    becomes(&consumer, LAG, &[], 0.0).await?;
    becomes(&consumer, "kubernaut_audit_in_flight_bytes", &[], 0.0).await?;
    seen.scrape(&consumer).await?;
    pipeline.stop(&consumer).await?;

    halt(&pipeline, &mut generator, &mut seen).await?;
    seen.are_documented(&["Both services", "Consumer"]);
    seen.says("kubernaut_workflow_execution_duration_seconds", "Duration of workflow executions");
    let steps = "kubernaut_workflow_step_executions_total";
    seen.says(steps, "Total step executions by action and status");
    let score = "kubernaut_workflow_effectiveness_score";
    seen.says(score, "Workflow effectiveness score (0.0-1.0)");
    let operations = "kubernaut_workflow_audit_storage_operations_total";
    seen.says(operations, "Total workflow audit storage operations");
    Ok(())
}

async fn start(pipeline: &Pipeline<'_>) -> Result<Service> {
    pipeline.consumer().env("AUDIT_OTLP_ENDPOINT", NO_COLLECTOR).start_ready().await
}

/// Events with duplicates, conflicts, poison and gaps among them, scraped while they come.
async fn load(
    pipeline: &Pipeline<'_>,
    consumer: &Service,
    generator: &mut Generator,
    seen: &mut Seen,
) -> Result<()> {
    let kafka = pipeline.servers.kafka;
    let traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut records = mixture(generator, 500);
    let published = async {
        let last = records.split_off(records.len() / 2);
        kafka.publish(&pipeline.topic, records).await?;
        // Its marker is the gap.
        let transaction = kafka.begin(&pipeline.topic).await?;
        let sampled =
            |record: audit_tests::kafka::Record| record.with_header("traceparent", traced);
        let last = last.into_iter().map(sampled).collect();
        transaction.publish(&pipeline.topic, last).await?;
        transaction.commit().await
    };
    let scrapes = async {
        for _ in 0..20 {
            seen.scrape(consumer).await?;
        }
        Ok(())
    };
    try_join(published, scrapes).await?;
    let gaps = f64::from(PARTITIONS);
    reaches(consumer, RECORDS, &[("disposition", "gap")], gaps).await?;
    let ledger = pipeline.verify().await?.ledger;
    for (disposition, count) in [
        ("stored", ledger.stored),
        ("duplicate", ledger.duplicate),
        ("superseding", ledger.superseding),
        ("late", ledger.late),
        ("dead_lettered", ledger.dead_lettered),
        ("gap", ledger.gap),
    ] {
        let count = f64::from(i32::try_from(count)?);
        becomes(consumer, RECORDS, &[("disposition", disposition)], count).await?;
    }
    let happened = [ledger.stored, ledger.duplicate, ledger.dead_lettered, ledger.gap];
    ensure!(happened.iter().all(|count| *count > 0), "{ledger:?}");
    let dead = f64::from(i32::try_from(ledger.dead_lettered)?);
    becomes(consumer, "kubernaut_audit_dead_letters_open", &[], dead).await?;
    reaches(consumer, BATCHES, &[("outcome", "committed")], 1.0).await?;
    reaches(consumer, "kubernaut_audit_batch_records_count", &[], 1.0).await?;
    for stage in ["gather", "write", "commit"] {
        let count = "kubernaut_audit_stage_duration_seconds_count";
        reaches(consumer, count, &[("stage", stage)], 1.0).await?;
    }
    reaches(consumer, "kubernaut_audit_end_to_end_latency_seconds_count", &[], 100.0).await?;
    let complete = "kubernaut_audit_complete_up_to_timestamp_seconds";
    reaches(consumer, complete, &[], 1_700_000_000.0).await?;
    becomes(consumer, ASSIGNED, &[], f64::from(PARTITIONS)).await?;
    reaches(consumer, REBALANCES, &[("kind", "assigned")], 1.0).await?;
    reaches(consumer, "kubernaut_audit_trace_spans_total", &[("outcome", "failed")], 1.0).await
}

/// The ledger is locked: bytes are in flight and the lag rises. Sessions that wait for it are ended: their batches are
/// written again.
async fn hold_up(
    pipeline: &Pipeline<'_>,
    consumer: &Service,
    generator: &mut Generator,
) -> Result<()> {
    let holder = connect(&pipeline.database_url).await?;
    holder.batch_execute("BEGIN; LOCK TABLE audit_batch IN SHARE MODE").await?;
    let records = spread(generator, 50, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    reaches(consumer, LAG, &[], 100.0).await?;
    reaches(consumer, "kubernaut_audit_in_flight_bytes", &[], 1.0).await?;

    let administrator = connect(&pipeline.database_url).await?;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'kubernaut-audit-consumer' \
               AND wait_event_type = 'Lock'";
    eventually(LIMIT, "a session to wait for the ledger", async || {
        let ended = administrator.query(end, &[]).await?.len();
        ensure!(ended > 0, "none");
        Ok(())
    })
    .await?;
    // admin_shutdown
    reaches(consumer, RETRIES, &[("sqlstate", "57P01")], 1.0).await?;
    reaches(consumer, BATCHES, &[("outcome", "retried")], 1.0).await?;
    holder.batch_execute("ROLLBACK").await?;
    Ok(())
}

/// Somebody else raises the epoch.
async fn fence(
    pipeline: &Pipeline<'_>,
    consumer: &Service,
    generator: &mut Generator,
) -> Result<()> {
    let thief = connect(&pipeline.database_url).await?;
    thief.execute("UPDATE audit_stream SET epoch = epoch + 1", &[]).await?;
    let records = spread(generator, 5, PARTITIONS);
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    reaches(consumer, "kubernaut_audit_fenced_batches_total", &[], 1.0).await?;
    reaches(consumer, BATCHES, &[("outcome", "fenced")], 1.0).await
}

/// Records are gone before they were read: the partition halts, falls behind, and is given up in part.
async fn halt(pipeline: &Pipeline<'_>, generator: &mut Generator, seen: &mut Seen) -> Result<()> {
    let kafka = pipeline.servers.kafka;
    let first = pipeline.stream(0).await?.next_offset.unwrap_or_default();
    kafka.publish(&pipeline.topic, spread(generator, 20, PARTITIONS)).await?;
    kafka.delete_records(&pipeline.topic, 0, first + 10).await?;
    let consumer = start(pipeline).await?;
    let halted = [("partition", "0"), ("reason", "truncated")];
    becomes(&consumer, "kubernaut_audit_partition_halted", &halted, 1.0).await?;
    becomes(&consumer, LAG, &[("partition", "0")], 20.0).await?;
    becomes(&consumer, LAG, &[("partition", "1")], 0.0).await?;
    seen.scrape(&consumer).await?;
    pipeline.stop(&consumer).await?;

    let lost = format!("{}:0:{first}-{}", pipeline.topic, first + 9);
    let accepting = pipeline.consumer().args(["--accept-lost", &lost, "--reason", "a test"]);
    let consumer = accepting.start_ready().await?;
    becomes(&consumer, RECORDS, &[("disposition", "lost")], 10.0).await?;
    becomes(&consumer, LAG, &[], 0.0).await?;
    becomes(&consumer, "kubernaut_audit_partition_halted", &[], 0.0).await?;
    pipeline.stop(&consumer).await
}

#[tokio::test]
async fn partitions_that_move_away_take_their_series_along() -> Result<()> {
    let partitions = 4;
    let pipeline = Pipeline::shared("moved_metrics", partitions).await?;
    let mut generator = Generator::new(SEED + 1, Utc::now());
    let kafka = pipeline.servers.kafka;
    kafka.publish(&pipeline.topic, spread(&mut generator, 5, partitions)).await?;
    let first = pipeline.start_consumer().await?;
    shows(&first, 4).await?;
    let second = pipeline.start_consumer().await?;
    pipeline.owned_by(&[&first, &second]).await?;
    shows(&first, 2).await?;
    shows(&second, 2).await?;
    // A look that was under way when a partition moved may show it once more, until the next one.
    eventually(LIMIT, "each partition to be shown by one of them", async || {
        let (one, other) = (first.exposition().await?, second.exposition().await?);
        let shown = [&one[LAG].samples, &other[LAG].samples].map(|samples| {
            samples.iter().map(|sample| sample.labels.clone()).collect::<BTreeSet<_>>()
        });
        ensure!(shown[0].is_disjoint(&shown[1]), "{shown:?}");
        Ok(())
    })
    .await?;
    reaches(&first, REBALANCES, &[("kind", "revoked")], 1.0).await?;
    pipeline.stop(&first).await?;
    shows(&second, 4).await?;
    pipeline.verify().await?;
    pipeline.stop(&second).await
}

/// Waits until the consumer has so many partitions, and shows the lag of each.
async fn shows(consumer: &Service, partitions: usize) -> Result<()> {
    eventually(LIMIT, &format!("the lag of {partitions} partitions"), async || {
        let scrape = consumer.exposition().await?;
        let shown = scrape.get(LAG).map_or(0, |family| family.samples.len());
        ensure!(shown == partitions, "{shown}");
        let assigned = scrape[ASSIGNED].samples[0].value;
        ensure!(assigned == f64::from(u32::try_from(partitions)?), "{assigned}");
        Ok(())
    })
    .await
}
