//! Finished bytes into the table: nothing that checks, decides or accounts for anything.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use audit_consumer::batch::COLUMNS;
use bytes::Bytes;
use futures_util::{SinkExt, future::try_join_all};

use crate::{rows::Rows, stage::Stage};

/// Each connection takes the next batch when it has committed one.
pub(crate) async fn copy(
    stage: &Stage,
    database: &str,
    rows: &Rows,
    connections: u16,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let each = (0..connections).map(async |_| {
        let mut client = stage.postgres.connect(database).await?;
        let copy = format!("COPY workflow_execution_audit ({COLUMNS}) FROM STDIN (FORMAT binary)");
        let statement = client.prepare(&copy).await?;
        while let Some(batch) = rows.batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let transaction = client.transaction().await?;
            let mut sink = pin!(transaction.copy_in::<_, Bytes>(&statement).await?);
            for piece in batch.pieces() {
                sink.feed(piece).await?;
            }
            sink.finish().await?;
            transaction.commit().await?;
        }
        anyhow::Ok(())
    });
    try_join_all(each).await.map(drop)
}
