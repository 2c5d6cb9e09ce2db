//! The rows that the consumer has stored, as bytes to store them again.

use std::{error::Error, ops::Range};

use anyhow::{Context, Result};
use audit_consumer::batch::{COLUMNS, HEADER, MAX_BATCH_BYTES, TRAILER};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{
    Client,
    binary_copy::BinaryCopyOutStream,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

/// Rows of one transaction: the consumer's default batch.
pub(crate) const BATCH: usize = 3_000;
/// Bytes of a COPY handed to the connection at a time, as the consumer does.
const PIECE: usize = 128 << 10;

/// All rows, batch by batch.
pub(crate) struct Rows {
    pub(crate) batches: Vec<Batch>,
    /// The columns' names and types, in order.
    pub(crate) columns: Vec<(String, Type)>,
}

/// Rows of one transaction, in the order of their ids as the consumer writes them.
pub(crate) struct Batch {
    /// A whole stream of PostgreSQL's binary COPY format.
    copy: Bytes,
    /// Where the fields are in it, row by row; none is NULL.
    fields: Vec<Option<Range<usize>>>,
    columns: usize,
}

/// A field as the server sends and takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a>(Option<&'a [u8]>);

impl Rows {
    /// Reads the whole table, in batches of the order in which the records came.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let statement =
            client.prepare(&format!("SELECT {COLUMNS} FROM workflow_execution_audit")).await?;
        let columns: Vec<(String, Type)> = statement
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.type_().clone()))
            .collect();
        let types: Vec<Type> = columns.iter().map(|(_, kind)| kind.clone()).collect();
        let copy = format!(
            "COPY (SELECT {COLUMNS} FROM workflow_execution_audit ORDER BY (row_number() OVER (
             ORDER BY record_timestamp, source_partition, source_offset) - 1) / {BATCH}, id) TO STDOUT (FORMAT binary)"
        );
        let stream = BinaryCopyOutStream::new(client.copy_out(&copy).await?, &types);
        pin_mut!(stream);
        let mut batches = Vec::new();
        let mut rendering = Rendering::default();
        while let Some(row) = stream.try_next().await? {
            rendering.row(types.len());
            for (at, kind) in types.iter().enumerate() {
                let Field(value) = row.try_get(at)?;
                match (kind, value) {
                    (&Type::JSONB, Some([1, json @ ..])) => rendering.field(Some(&as_sent(json)?)),
                    _ => rendering.field(value),
                }
            }
            if rendering.rows == BATCH || rendering.copy.len() >= MAX_BATCH_BYTES {
                batches.push(std::mem::take(&mut rendering).finish(types.len()));
            }
        }
        if rendering.rows > 0 {
            batches.push(rendering.finish(types.len()));
        }
        Ok(Self { batches, columns })
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.batches.iter().map(|batch| batch.fields.len() / batch.columns).sum()
    }
}

impl Batch {
    /// The COPY stream, in pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Bytes> {
        let starts = (0..self.copy.len()).step_by(PIECE);
        starts.map(|start| self.copy.slice(start..self.copy.len().min(start + PIECE)))
    }

    /// All fields, row by row.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|place| Field(place.as_ref().map(|range| &self.copy[range.clone()])))
    }

    /// All fields of a column.
    pub(crate) fn column(&self, column: usize) -> Vec<Field<'_>> {
        self.fields().skip(column).step_by(self.columns).collect()
    }
}

#[derive(Default)]
struct Rendering {
    copy: BytesMut,
    fields: Vec<Option<Range<usize>>>,
    rows: usize,
}

impl Rendering {
    fn row(&mut self, columns: usize) {
        if self.rows == 0 {
            self.copy.put_slice(HEADER);
        }
        self.rows += 1;
        self.copy.put_i16(i16::try_from(columns).expect("a table has at most 1,600 columns"));
    }

    fn field(&mut self, value: Option<&[u8]>) {
        let length = value
            .map_or(-1, |value| i32::try_from(value.len()).expect("an event has at most 1 MiB"));
        self.copy.put_i32(length);
        let start = self.copy.len();
        self.copy.put_slice(value.unwrap_or_default());
        self.fields.push(value.map(|_| start..self.copy.len()));
    }

    fn finish(mut self, columns: usize) -> Batch {
        self.copy.put_slice(TRAILER);
        Batch { copy: self.copy.freeze(), fields: self.fields, columns }
    }
}

/// jsonb comes with spaces that no publisher sends and every COPY would have to parse.
fn as_sent(json: &[u8]) -> Result<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(json).context("jsonb is JSON")?;
    let mut sent = vec![1];
    serde_json::to_writer(&mut sent, &value)?;
    Ok(sent)
}

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Field<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(raw) = self.0 else { return Ok(IsNull::Yes) };
        out.put_slice(raw);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
