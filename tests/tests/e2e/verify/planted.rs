//! One value of one row, changed by hand.

use anyhow::{Context, Result};

use super::stage::{Stage, other_value};

const SEED: u64 = 0x0A0D_1101;

/// Where a row says it comes from, the tables alone cannot tell from another place in the log.
const PLACE: [&str; 4] = ["source_topic", "source_partition", "source_offset", "record_timestamp"];

#[tokio::test]
async fn each_column_of_a_row() -> Result<()> {
    each_column("workflow_execution_audit", "row", SEED).await
}

#[tokio::test]
async fn each_column_of_the_history() -> Result<()> {
    each_column("workflow_execution_audit_history", "history", SEED + 1).await
}

async fn each_column(table: &str, check: &str, seed: u64) -> Result<()> {
    let stage = Stage::set("planted", seed).await?;
    let columns = stage.columns(table).await?;
    assert!(columns.len() > 23, "{columns:?}");
    for (column, kind) in columns {
        let value = other_value(&column, &kind);
        // The table's own CHECK keeps the time of an id that carries it.
        let fault = format!(
            "UPDATE {table} SET {column} = {value} WHERE (id, content_digest) = \
             (SELECT id, content_digest FROM {table} WHERE audit_id_time(id) IS NULL LIMIT 1)"
        );
        let (tables, topic) = stage.plant(&fault).await?;
        topic.has(&[check]).with_context(|| column.clone())?;
        if !PLACE.contains(&&*column) {
            tables.has(&[check]).with_context(|| column.clone())?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_column_of_the_registry() -> Result<()> {
    let stage = Stage::set("registry", SEED + 2).await?;
    for (column, kind) in stage.columns("audit_id").await? {
        let value = other_value(&column, &kind);
        let fault = format!(
            "UPDATE audit_id SET {column} = {value} WHERE id = (SELECT id FROM audit_id LIMIT 1)"
        );
        let (_, topic) = stage.plant(&fault).await?;
        topic.has(&["audit_id"]).with_context(|| column.clone())?;
    }
    Ok(())
}

#[tokio::test]
async fn what_tells_a_dead_letter_from_another() -> Result<()> {
    let stage = Stage::set("letters", SEED + 3).await?;
    for column in ["topic", "partition", "\"offset\"", "record_timestamp", "value", "resolution"] {
        let value = match column {
            "topic" => "'other'",
            "record_timestamp" => "record_timestamp + interval '1 day'",
            "value" => "'\\x00'",
            "resolution" => "'stored', resolved_at = now()",
            _ => &format!("{column} + 1000"),
        };
        let fault = format!(
            "UPDATE audit_dead_letter SET {column} = {value} WHERE (partition, \"offset\") = \
             (SELECT partition, \"offset\" FROM audit_dead_letter LIMIT 1)"
        );
        let (_, topic) = stage.plant(&fault).await?;
        topic.has(&["dead letter"]).with_context(|| column.to_owned())?;
    }
    Ok(())
}
