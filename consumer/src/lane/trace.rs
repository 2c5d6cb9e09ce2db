//! Spans of batches: a trace that began with a request ends where its record is committed.
//!
//! A batch holds records of many traces, so its span begins a trace of its own, with a link to each; and each traced
//! record has a span in its own trace, with a link to the batch's. Both are made once the batch is done with, so that
//! the write path knows nothing of them, and only of records whose `traceparent` says that they are sampled.
//! Names and attributes are those of OpenTelemetry's semantic conventions for messaging.

use std::sync::Arc;
use std::time::SystemTime;

use audit_runtime::telemetry::{Tracer, parse_traceparent};
use audit_schema::headers::RecordHeaders;
use audit_schema::version::Disposition;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
};
use opentelemetry::{Context, KeyValue};

use crate::batch::{Batch, Place};
use crate::source::RawRecord;
use crate::store::Written;

/// Records of a batch that get a span, and links that the batch's span gets.
const MAX_RECORDS: usize = 128;

/// Makes the spans of batches.
#[derive(Clone)]
pub struct BatchTraces {
    /// Makes spans.
    pub tracer: Tracer,
    /// Topic.
    pub topic: Arc<str>,
    /// Consumer group.
    pub group: Arc<str>,
}

/// How a batch ended.
pub(super) enum End<'a> {
    Committed(&'a Written),
    /// It was not written, for this reason.
    Refused(&'static str),
}

/// A sampled record of a batch, and what became of it.
struct Traced<'a> {
    record: RawRecord<'a>,
    parent: SpanContext,
    disposition: &'static str,
    /// Why it is a dead letter.
    code: Option<&'static str>,
}

impl BatchTraces {
    /// Makes the spans of a batch that has ended just now, after so many further attempts.
    pub(super) fn ended(&self, batch: &Batch, end: &End<'_>, retries: u32) {
        let records = traced(batch, end);
        if records.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let opened = now.checked_sub(batch.opened.elapsed()).unwrap_or(now);
        let count = i64::try_from(batch.rows.len() + batch.dead_letters.len()).unwrap_or(i64::MAX);
        let mut attributes = self.attributes("commit");
        attributes.push(KeyValue::new("messaging.batch.message_count", count));
        attributes.push(KeyValue::new("kubernaut_audit.retries", i64::from(retries)));
        if let End::Committed(written) = end {
            let counts = written.counts.named();
            attributes.extend(counts.iter().filter(|(_, count)| *count > 0).map(
                |(disposition, count)| {
                    KeyValue::new(format!("kubernaut_audit.records.{disposition}"), *count)
                },
            ));
        }
        let links = records.iter().map(|record| Link::with_context(record.parent.clone()));
        let builder = self
            .tracer
            .span_builder(format!("commit {}", self.topic))
            .with_kind(SpanKind::Consumer)
            .with_start_time(opened)
            .with_attributes(attributes)
            .with_links(links.collect());
        let mut span = self.tracer.build_with_context(builder, &Context::new());
        if let End::Refused(reason) = end {
            span.set_attribute(KeyValue::new("error.type", *reason));
            span.set_status(Status::error(*reason));
        } else {
            for record in records {
                self.record(record, span.span_context(), opened, now);
            }
        }
        span.end_with_timestamp(now);
    }

    fn record(&self, traced: Traced<'_>, batch: &SpanContext, opened: SystemTime, now: SystemTime) {
        let Traced { record, parent, disposition, code } = traced;
        let mut attributes = self.attributes("store");
        let partition = record.partition().to_string();
        attributes.push(KeyValue::new("messaging.destination.partition.id", partition));
        attributes.push(KeyValue::new("messaging.kafka.offset", record.offset()));
        attributes.push(KeyValue::new("kubernaut_audit.disposition", disposition));
        let builder = self
            .tracer
            .span_builder(format!("store {}", self.topic))
            .with_kind(SpanKind::Consumer)
            .with_start_time(opened)
            .with_attributes(attributes)
            .with_links(vec![Link::with_context(batch.clone())]);
        let parent = Context::new().with_remote_span_context(parent);
        let mut span = self.tracer.build_with_context(builder, &parent);
        if let Some(code) = code {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
        span.end_with_timestamp(now);
    }

    fn attributes(&self, operation: &'static str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.destination.name", Arc::clone(&self.topic)),
            KeyValue::new("messaging.consumer.group.name", Arc::clone(&self.group)),
        ]
    }
}

/// The first sampled records of the batch; dead letters before rows, since they are what traces are looked at for.
fn traced<'a>(batch: &'a Batch, end: &End<'_>) -> Vec<Traced<'a>> {
    let dispositions: &[Option<Disposition>] = match end {
        End::Committed(written) => &written.dispositions,
        End::Refused(_) => &[],
    };
    let letters = batch
        .dead_letters
        .iter()
        .map(|letter| (letter.place, "dead_lettered", Some(letter.code.as_str())));
    let rows = batch.rows.iter().enumerate().map(|(position, row)| {
        let disposition = dispositions.get(position).copied().flatten();
        (row.place, disposition.map_or("unknown", Disposition::as_str), None)
    });
    let sampled = |(place, disposition, code): (Place, &'static str, Option<&'static str>)| {
        let record = batch.raw(place);
        let header = record.headers().collect::<RecordHeaders<'_>>().traceparent?;
        let parent = parse_traceparent(std::str::from_utf8(header).ok()?)?;
        parent.is_sampled().then_some(Traced { record, parent, disposition, code })
    };
    letters.chain(rows).filter_map(sampled).take(MAX_RECORDS).collect()
}
