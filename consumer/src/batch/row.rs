//! One event as a tuple of PostgreSQL's binary COPY format.
//!
//! The format is that of the documentation's COPY page, "Binary Format": a 16-bit column count, then per
//! column a 32-bit length (-1 for NULL) and the value as the type's `recv` function reads it.

use audit_schema::columns::Columns;
use audit_schema::digest::Digest;
use audit_schema::version::Version;
use uuid::Uuid;

use super::tuple::TupleWriter;

/// The columns of a tuple, in order. A new column is added here and in `render`.
pub const COLUMNS: &str = "id, created_at, remediation_id, workflow_name, workflow_version, total_steps, \
    steps_completed, steps_failed, total_duration, outcome, effectiveness_score, rollbacks_performed, \
    step_executions, adaptive_adjustments, completed_at, status, error_message, extensions, content_digest, \
    source_topic, source_partition, source_offset, record_timestamp";
const COLUMN_COUNT: i16 = 23;

/// What a COPY stream begins with: signature, no flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Where `created_at` stands in a tuple: after the count, the id and its own length.
const CREATED_AT: std::ops::Range<usize> = 26..34;
/// 2000-01-01 in microseconds since the Unix epoch: PostgreSQL counts from there.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Appends the tuple of one event. `created_at` is in microseconds since the Unix epoch.
pub fn render(
    out: &mut TupleWriter<'_>,
    id: Uuid,
    created_at: i64,
    columns: &Columns<'_>,
    digest: &Digest,
    topic: &str,
    version: Version,
) {
    out.write(&COLUMN_COUNT.to_be_bytes());
    bytes(out, id.as_bytes());
    timestamp(out, Some(created_at));
    bytes(out, columns.remediation_id.as_bytes());
    bytes(out, columns.workflow_name.as_bytes());
    bytes(out, columns.workflow_version.as_bytes());
    integer(out, columns.total_steps);
    integer(out, columns.steps_completed);
    integer(out, columns.steps_failed);
    interval(out, columns.total_duration);
    bytes(out, columns.outcome.as_bytes());
    fixed(out, columns.effectiveness_score.map(f64::to_be_bytes));
    integer(out, columns.rollbacks_performed);
    jsonb(out, columns.step_executions);
    jsonb(out, columns.adaptive_adjustments);
    timestamp(out, columns.completed_at);
    text(out, columns.status);
    text(out, columns.error_message);
    jsonb(out, columns.extensions);
    bytes(out, digest.as_bytes());
    bytes(out, topic.as_bytes());
    integer(out, Some(version.partition));
    fixed(out, Some(version.offset.to_be_bytes()));
    timestamp(out, Some(version.timestamp_ms.saturating_mul(1_000)));
}

/// Puts another `created_at` into a rendered tuple.
pub fn set_created_at(tuple: &mut [u8], created_at: i64) {
    tuple[CREATED_AT].copy_from_slice(&postgres_time(created_at).to_be_bytes());
}

fn postgres_time(micros: i64) -> i64 {
    micros.saturating_sub(POSTGRES_EPOCH_MICROS)
}

fn length(out: &mut TupleWriter<'_>, length: usize) {
    let length = i32::try_from(length).expect("a value is at most 1 MiB");
    out.write(&length.to_be_bytes());
}

fn null(out: &mut TupleWriter<'_>) {
    out.write(&(-1_i32).to_be_bytes());
}

fn bytes(out: &mut TupleWriter<'_>, value: &[u8]) {
    length(out, value.len());
    out.write(value);
}

fn fixed<const N: usize>(out: &mut TupleWriter<'_>, value: Option<[u8; N]>) {
    match value {
        Some(value) => bytes(out, &value),
        None => null(out),
    }
}

fn integer(out: &mut TupleWriter<'_>, value: Option<i32>) {
    fixed(out, value.map(i32::to_be_bytes));
}

fn timestamp(out: &mut TupleWriter<'_>, micros: Option<i64>) {
    fixed(out, micros.map(|micros| postgres_time(micros).to_be_bytes()));
}

/// Microseconds, with no days and no months, as the type's binary form has them.
fn interval(out: &mut TupleWriter<'_>, micros: Option<i64>) {
    fixed(out, micros.map(|micros| (i128::from(micros) << 64).to_be_bytes()));
}

fn text(out: &mut TupleWriter<'_>, value: Option<&str>) {
    match value {
        Some(value) => bytes(out, value.as_bytes()),
        None => null(out),
    }
}

/// The version byte of jsonb's binary form, then JSON text.
fn jsonb(out: &mut TupleWriter<'_>, value: Option<&str>) {
    match value {
        Some(value) => {
            length(out, value.len() + 1);
            out.write(&[1]);
            out.write(value.as_bytes());
        }
        None => null(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_has_the_columns_it_says() {
        assert_eq!(COLUMNS.split(',').count(), usize::try_from(COLUMN_COUNT).unwrap());
        let tuple = rendered(Uuid::nil(), 0);
        let mut rest = &tuple[2..];
        let mut columns = 0;
        while let Some((head, tail)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
            rest = &tail[length..];
            columns += 1;
        }
        assert_eq!(columns, COLUMN_COUNT);
    }

    #[test]
    fn created_at_can_be_put_in_later() {
        let mut early = rendered(Uuid::max(), 5);
        set_created_at(&mut early, 1_700_000_000_000_000);
        assert_eq!(early, rendered(Uuid::max(), 1_700_000_000_000_000));
    }

    #[test]
    fn an_interval_is_microseconds_days_months() {
        let mut out = Vec::new();
        interval(&mut TupleWriter::new(&mut out, &mut Vec::new(), &[]), Some(-5));
        let mut expected = 16_i32.to_be_bytes().to_vec();
        expected.extend((-5_i64).to_be_bytes());
        expected.extend([0; 8]);
        assert_eq!(out, expected);
    }

    fn rendered(id: Uuid, created_at: i64) -> Vec<u8> {
        let mut tuple = Vec::new();
        let version = Version { timestamp_ms: 1, partition: 2, offset: 3 };
        let digest = Digest([7; 32]);
        let mut lent = Vec::new();
        let mut writer = TupleWriter::new(&mut tuple, &mut lent, &[]);
        render(&mut writer, id, created_at, &Columns::default(), &digest, "t", version);
        tuple
    }
}
