//! What a replay would find, without one: the same records are decoded in the same way, and looked for in the tables.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::stdout;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, Rows, print};
use audit_runtime::kafka::KafkaOptions;
use audit_schema::migrations::OLDEST_SCHEMA;
use deadpool_postgres::Client;
use serde::Serialize;

use super::compare::{Held, compare};
use super::selection::Selection;
use super::{progress, reread};
use crate::batch::{Batch, BatchBuilder};
use crate::claim::{Claim, ClaimId};
use crate::database::{self, DatabaseOptions, describe};
use crate::kafka::{Probe, once_consumer};
use crate::metrics::{EventSeries, Metrics};
use crate::source::Chunk;

const TIMEOUT: Duration = Duration::from_secs(60);

/// What to compare.
pub(super) struct Setup<'a> {
    pub(super) selection: Selection,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) format: Format,
    pub(super) kafka: &'a KafkaOptions,
    pub(super) probe: &'a Probe,
    pub(super) database: &'a DatabaseOptions,
}

/// What was found in one partition.
#[derive(Debug, Default, Serialize)]
struct Found {
    partition: i32,
    from_offset: i64,
    end_offset: i64,
    records: u64,
    /// Records whose id the tables do not have.
    missing: u64,
    /// Records whose id they have, but not with this content.
    different: u64,
    /// Records whose content they have.
    present: u64,
    /// Records that cannot become rows.
    undecodable: u64,
    /// Records that are open dead letters and could become rows.
    would_decode: u64,
}

pub(super) async fn run(setup: &Setup<'_>) -> anyhow::Result<ExitCode> {
    let url = setup.database.database_url.read_only(TIMEOUT);
    let (_, mut client) = database::connect_once(&url, 1).await?;
    database::check_schema(&client, OLDEST_SCHEMA).await?;
    let partitions = setup.probe.partitions().await?;
    let ranges = setup.selection.ranges(setup.probe, partitions).await?;
    let done = Cell::new(0);
    let total = ranges.values().map(|range| range.end - range.start).sum::<i64>();
    let found = tokio::select! {
        found = look(setup, &mut client, &ranges, &done) => found?,
        never = progress::show(u64::try_from(total)?, async || done.get()) => match never {},
    };
    print(&mut stdout().lock(), setup.format, &Rows::of(&found)?)?;
    Ok(ExitCode::Fine)
}

async fn look(
    setup: &Setup<'_>,
    client: &mut Client,
    ranges: &BTreeMap<i32, Range<i64>>,
    done: &Cell<u64>,
) -> anyhow::Result<Vec<Found>> {
    let topic: Arc<str> = setup.kafka.topic.as_str().into();
    let consumer = once_consumer(setup.kafka, "replay-dry-run", "error")?;
    let mut chunks = reread::start(consumer, &topic, ranges, setup.rate)?;
    // Nothing is stored, so nothing is counted.
    let metrics = Metrics::register(&audit_runtime::metrics::registry("audit-consumer"))?;
    let series = EventSeries::new(metrics.events);
    let mut builder = BatchBuilder::new(topic, usize::MAX, Duration::ZERO, series);
    let mut found: BTreeMap<i32, Found> = ranges
        .iter()
        .map(|(partition, range)| {
            let (from_offset, end_offset) = (range.start, range.end);
            (
                *partition,
                Found { partition: *partition, from_offset, end_offset, ..Found::default() },
            )
        })
        .collect();
    while let Some(chunk) = chunks.recv().await {
        let batch = decode(&mut builder, chunk?);
        let compared = compare(client, &batch)
            .await
            .map_err(|error| anyhow::anyhow!("cannot compare: {}", describe(&error)))?;
        for ((row, held), dead_letter) in
            batch.rows.iter().zip(compared.held).zip(compared.dead_letter)
        {
            let found = found.entry(row.version.partition).or_default();
            found.records += 1;
            found.would_decode += u64::from(dead_letter);
            match held {
                Held::Missing => found.missing += 1,
                Held::Different => found.different += 1,
                Held::Present => found.present += 1,
            }
        }
        for letter in &batch.dead_letters {
            let found = found.entry(batch.spans[letter.span].partition).or_default();
            found.records += 1;
            found.undecodable += 1;
        }
        let records = batch.rows.len() + batch.dead_letters.len();
        done.set(done.get() + u64::try_from(records)?);
    }
    Ok(found.into_values().collect())
}

/// Decodes a chunk as a lane would; nobody has claimed its partitions.
fn decode(builder: &mut BatchBuilder, chunk: Chunk) -> Batch {
    let chunk = Arc::new(chunk);
    for position in 0..chunk.len() {
        let raw = chunk.record(position);
        let claim = Claim {
            id: ClaimId(raw.partition().unsigned_abs().into()),
            partition: raw.partition(),
            epoch: 0,
            next_offset: raw.offset(),
            last: None,
        };
        builder.push(&claim, raw.offset(), &chunk, position);
    }
    builder.take()
}
