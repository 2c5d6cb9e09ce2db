//! Tuples into a table by binary COPY.

use std::pin::pin;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use futures_util::SinkExt;
use tokio_postgres::Error;

use crate::batch::{Batch, HEADER, TRAILER};

/// Bytes handed to the connection at a time: large enough to be cheap, small enough not to hold a batch twice.
const PIECE: usize = 128 << 10;

/// Copies the tuples of some rows into the table that the statement names.
pub(super) async fn copy(
    transaction: &Transaction<'_>,
    statement: &str,
    batch: &Batch,
    rows: impl Iterator<Item = usize>,
) -> Result<(), Error> {
    let statement = transaction.prepare_cached(statement).await?;
    let mut sink = pin!(transaction.copy_in::<_, Bytes>(&statement).await?);
    let mut piece = Vec::with_capacity(PIECE);
    piece.extend_from_slice(HEADER);
    for position in rows {
        let tuple = &batch.tuples[batch.rows[position].tuple.clone()];
        if piece.len() + tuple.len() > PIECE {
            sink.feed(Bytes::from(std::mem::replace(
                &mut piece,
                Vec::with_capacity(PIECE.max(tuple.len())),
            )))
            .await?;
        }
        piece.extend_from_slice(tuple);
    }
    piece.extend_from_slice(TRAILER);
    sink.feed(Bytes::from(piece)).await?;
    sink.finish().await?;
    Ok(())
}
