//! What other sinks do: upserts, with parameters that cost nothing to make.

use std::collections::HashMap;

use anyhow::Result;
use tokio_postgres::{
    Statement,
    types::{ToSql, Type},
};

use crate::{
    rows::{BATCH, Field, Rows},
    stage::Stage,
};

/// Rows of one statement: a statement has at most 65,535 parameters.
const VALUES_ROWS: usize = BATCH / 2;

/// One array a column, one statement a batch.
pub(super) async fn unnest(stage: &Stage, database: &str, rows: &Rows) -> Result<()> {
    let mut client = stage.postgres.connect(database).await?;
    let arrays: Vec<String> = rows
        .columns
        .iter()
        .zip(1..)
        .map(|((_, kind), at)| format!("${at}::{}[]", kind.name()))
        .collect();
    let source = format!("SELECT * FROM unnest({})", arrays.join(", "));
    let statement = client.prepare(&upsert(&rows.columns, &source)).await?;
    for batch in &rows.batches {
        let columns: Vec<Vec<Field<'_>>> =
            (0..rows.columns.len()).map(|column| batch.column(column)).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        let transaction = client.transaction().await?;
        transaction.execute(&statement, &parameters).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// One parameter a field, two statements a batch.
pub(super) async fn values(stage: &Stage, database: &str, rows: &Rows) -> Result<()> {
    let mut client = stage.postgres.connect(database).await?;
    let columns = rows.columns.len();
    let mut statements: HashMap<usize, Statement> = HashMap::new();
    for batch in &rows.batches {
        let fields: Vec<Field<'_>> = batch.fields().collect();
        for part in fields.chunks(VALUES_ROWS * columns) {
            let size = part.len() / columns;
            if let std::collections::hash_map::Entry::Vacant(entry) = statements.entry(size) {
                entry.insert(
                    client.prepare(&upsert(&rows.columns, &values_list(size, columns))).await?,
                );
            }
        }
        let transaction = client.transaction().await?;
        for part in fields.chunks(VALUES_ROWS * columns) {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                part.iter().map(|field| field as &(dyn ToSql + Sync)).collect();
            transaction.execute(&statements[&(part.len() / columns)], &parameters).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

fn upsert(columns: &[(String, Type)], source: &str) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let assignments: Vec<String> = names
        .iter()
        .filter(|name| !matches!(**name, "id" | "created_at"))
        .map(|name| format!("{name} = EXCLUDED.{name}"))
        .collect();
    format!(
        "INSERT INTO workflow_execution_audit ({}) {source} ON CONFLICT (id, created_at) DO UPDATE SET {}",
        names.join(", "),
        assignments.join(", ")
    )
}

fn values_list(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let parameters: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", parameters.join(", "))
    };
    format!("VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}
