//! Tuples into a table by binary COPY.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::SinkExt;
use tokio_postgres::Error;

use crate::batch::{Batch, HEADER, TRAILER};

/// Bytes handed to the connection at a time: large enough to be cheap, small enough not to hold a batch twice. The
/// server does not mind where a piece ends.
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
    let mut piece = BytesMut::with_capacity(PIECE);
    piece.extend_from_slice(HEADER);
    for position in rows {
        for mut part in batch.tuple(&batch.rows[position]) {
            while piece.len() + part.len() > PIECE {
                let (now, later) = part.split_at(PIECE - piece.len());
                piece.extend_from_slice(now);
                sink.feed(piece.split().freeze()).await?;
                piece.reserve(PIECE);
                part = later;
            }
            piece.extend_from_slice(part);
        }
    }
    piece.extend_from_slice(TRAILER);
    sink.feed(piece.freeze()).await?;
    sink.finish().await?;
    Ok(())
}
