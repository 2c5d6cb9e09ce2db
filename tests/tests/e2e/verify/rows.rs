//! Whole rows: deleted, inserted, exchanged, never written.

use anyhow::{Context, Result};

use super::stage::Stage;

const SEED: u64 = 0x0A0D_1111;

#[tokio::test]
async fn rows_that_are_gone_or_too_many() -> Result<()> {
    let stage = Stage::set("rows", SEED).await?;
    for (fault, found) in [
        (
            "DELETE FROM workflow_execution_audit WHERE id = (SELECT id FROM workflow_execution_audit LIMIT 1)",
            &["as stored, and there are"][..],
        ),
        (
            "INSERT INTO workflow_execution_audit SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* \
             FROM workflow_execution_audit r LIMIT 1",
            &["row", "was changed"],
        ),
        (
            "INSERT INTO workflow_execution_audit SELECT (jsonb_populate_record(r, jsonb_build_object('created_at', '1999-05-01'))).* \
             FROM workflow_execution_audit r WHERE id IN (SELECT id FROM audit_id) LIMIT 1",
            &["row", "in the table 2 times"],
        ),
        (
            "DELETE FROM workflow_execution_audit_history WHERE content_digest = \
             (SELECT content_digest FROM workflow_execution_audit_history LIMIT 1)",
            &["as superseding or late, and there are"],
        ),
        (
            "INSERT INTO workflow_execution_audit_history SELECT r.*, now() FROM workflow_execution_audit r LIMIT 1",
            &["history", "the current content is in the history as well"],
        ),
        (
            "DELETE FROM audit_id WHERE id = (SELECT id FROM audit_id LIMIT 1)",
            &["audit_id", "is not registered"],
        ),
        (
            "INSERT INTO audit_id SELECT gen_random_uuid(), created_at, record_timestamp, source_partition, \
             source_offset FROM audit_id LIMIT 1",
            &["audit_id", "has no row"],
        ),
        (
            "DELETE FROM audit_dead_letter WHERE (partition, \"offset\") = \
             (SELECT partition, \"offset\" FROM audit_dead_letter LIMIT 1)",
            &["as dead-lettered, and there are"],
        ),
    ] {
        let (tables, topic) = stage.plant(fault).await?;
        tables.has(found).with_context(|| fault.to_owned())?;
        topic.has(found).with_context(|| fault.to_owned())?;
    }
    Ok(())
}

/// The contents of two rows change places, all but the ids.
#[tokio::test]
async fn two_rows_that_were_swapped() -> Result<()> {
    let stage = Stage::set("swapped", SEED + 1).await?;
    let two = "SELECT id FROM workflow_execution_audit WHERE audit_id_time(id) IS NOT NULL \
        AND id NOT IN (SELECT id FROM workflow_execution_audit_history) ORDER BY id LIMIT 2";
    let swap = |columns: &[&str]| {
        let assign = columns.iter().map(|column| format!("{column} = b.{column}"));
        format!(
            "UPDATE workflow_execution_audit a SET {} FROM workflow_execution_audit b WHERE \
             a.id IN ({two}) AND b.id IN ({two}) AND a.id <> b.id",
            assign.collect::<Vec<_>>().join(", ")
        )
    };
    let columns = stage.columns("workflow_execution_audit").await?;
    let columns: Vec<&str> = columns.iter().map(|(column, _)| &**column).collect();
    let contents: Vec<&str> =
        columns[1..].iter().filter(|c| **c != "created_at").copied().collect();
    let (tables, topic) = stage.plant(&swap(&contents)).await?;
    tables.has(&["row", "was changed"])?;
    topic.has(&["row", "was changed"])?;

    // Each place exists and is a record's: only the topic knows whose.
    let place = ["source_partition", "source_offset", "record_timestamp"];
    let (tables, topic) = stage.plant(&swap(&place)).await?;
    tables.is_clean()?;
    topic.has(&["row", "its rank is not that of the content's last record"])
}

/// The ledger says stored, the row is not there; with sums that agree, only the topic knows.
#[tokio::test]
async fn a_record_that_was_skipped() -> Result<()> {
    let stage = Stage::set("skipped", SEED + 2).await?;
    let skip = "WITH gone AS (DELETE FROM workflow_execution_audit WHERE id = \
        (SELECT id FROM workflow_execution_audit WHERE audit_id_time(id) IS NOT NULL \
         AND id NOT IN (SELECT id FROM workflow_execution_audit_history) LIMIT 1) \
        RETURNING source_partition, source_offset) \
        UPDATE audit_batch SET stored = stored - 1, duplicate = duplicate + 1 FROM gone \
        WHERE partition = source_partition AND source_offset BETWEEN first_offset AND last_offset";
    let (tables, topic) = stage.plant(skip).await?;
    tables.is_clean()?;
    topic.has(&["topic", "is neither current nor in the history", &stage.pipeline.topic])?;
    assert_eq!(topic.report["problems"], 1, "{topic:#?}");

    let letter = "WITH gone AS (DELETE FROM audit_dead_letter WHERE (partition, \"offset\") = \
        (SELECT partition, \"offset\" FROM audit_dead_letter LIMIT 1) RETURNING partition, \"offset\") \
        UPDATE audit_batch b SET dead_lettered = dead_lettered - 1, duplicate = duplicate + 1 FROM gone \
        WHERE b.partition = gone.partition AND gone.\"offset\" BETWEEN first_offset AND last_offset";
    let (tables, topic) = stage.plant(letter).await?;
    tables.is_clean()?;
    topic.has(&["dead letter", "is missing, and its record cannot be stored"])?;
    assert_eq!(topic.report["problems"], 1, "{topic:#?}");
    Ok(())
}
