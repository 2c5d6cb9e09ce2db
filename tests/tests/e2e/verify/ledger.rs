//! Rows of the ledger, removed or altered.

use anyhow::{Context, Result};

use super::stage::Stage;

const SEED: u64 = 0x0A0D_1121;

#[tokio::test]
async fn rows_of_the_ledger_that_are_gone_or_moved() -> Result<()> {
    let stage = Stage::set("ledger", SEED).await?;
    let last =
        "(partition, first_offset) = (SELECT partition, first_offset FROM audit_batch LIMIT 1)";
    for (fault, found) in [
        (format!("DELETE FROM audit_batch WHERE {last}"), "the rows end before offset"),
        (
            format!(
                "UPDATE audit_batch SET first_offset = first_offset + 1, duplicate = duplicate - 1 WHERE {last} \
                 AND duplicate > 0"
            ),
            "no row accounts for these offsets",
        ),
        (
            format!(
                "UPDATE audit_batch SET last_offset = last_offset - 1, duplicate = duplicate - 1 WHERE {last} \
                 AND duplicate > 0"
            ),
            "the rows end before offset",
        ),
        ("UPDATE audit_stream SET next_offset = next_offset + 1".to_owned(), "the rows end before"),
        ("UPDATE audit_stream SET open_batch = open_batch + 1".to_owned(), "is not the last one"),
    ] {
        let (tables, topic) = stage.plant(&fault).await?;
        let group = &*stage.pipeline.group;
        tables.has(&["ledger", found, group]).with_context(|| fault.clone())?;
        topic.has(&["ledger", found, group]).with_context(|| fault.clone())?;
    }
    Ok(())
}

/// Each count against each other one, with a sum that stays the same.
#[tokio::test]
async fn counts_that_were_altered() -> Result<()> {
    let stage = Stage::set("counts", SEED + 1).await?;
    let counts = ["stored", "duplicate", "superseding", "dead_lettered", "expired", "gap"];
    for more in counts {
        for less in ["stored", "duplicate", "dead_lettered"] {
            if more == less {
                continue;
            }
            let fault = format!(
                "UPDATE audit_batch SET {more} = {more} + 1, {less} = {less} - 1 WHERE partition = \
                 (SELECT partition FROM audit_batch WHERE {less} > 0 LIMIT 1)"
            );
            let (tables, topic) = stage.plant(&fault).await?;
            topic.has(&["ledgers", "sums"]).or_else(|_| topic.has(&["ledger", "the topic has"]))?;
            if (more, less) != ("gap", "duplicate") {
                tables.has(&["sums", "ledgers and retries have"]).with_context(|| fault.clone())?;
            }
        }
    }
    Ok(())
}
