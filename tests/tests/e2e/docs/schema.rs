//! docs/schema.md names what a migrated database has, and nothing else.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result};
use audit_schema::{event::JSON_SCHEMA, migrations::MIGRATIONS, problem::Code};
use audit_tests::{binary::Binary, shared};
use serde_json::Value;
use tokio_postgres::Client;

use super::page::{Page, Row};

/// Months look like the default partition, and that like the table.
const COLUMNS: &str = "
    SELECT format('%s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN ' not null' END)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition";
const FUNCTIONS: &str =
    "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
const INDEXES: &str = "
    SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND NOT i.indisprimary";

fn page() -> Result<Page> {
    Page::read(Path::new("docs/schema.md"))
}

#[tokio::test]
async fn tables_views_functions_and_indexes() -> Result<()> {
    let postgres = shared::postgres().await?;
    let database = shared::unique("schema_page");
    let url = postgres.create_database(&database).await?;
    let migrate = Binary::new("audit-consumer").args(["migrate"]);
    migrate.env("AUDIT_DATABASE_URL", url).run().await?.success()?;
    let client = postgres.connect(&database).await?;
    let page = page()?;
    same(&columns(&page)?, &names(&client, COLUMNS).await?);
    same(&first_cells(&page, "function"), &names(&client, FUNCTIONS).await?);
    same(&first_cells(&page, "index"), &names(&client, INDEXES).await?);
    Ok(())
}

#[test]
fn fields_of_the_event() -> Result<()> {
    let page = page()?;
    let schema: Value = serde_json::from_str(JSON_SCHEMA)?;
    for (heading, properties) in [
        ("The event", &schema["properties"]),
        ("step_executions", &schema["$defs"]["StepExecutionAudit"]["properties"]),
        ("adaptive_adjustments", &schema["$defs"]["AdaptiveAdjustment"]["properties"]),
    ] {
        let properties = properties.as_object().context(heading)?;
        let rows = page.rows("field").filter(|row| row.heading == heading);
        same(&rows.flat_map(listed).collect(), &properties.keys().cloned().collect());
    }
    Ok(())
}

#[test]
fn migrations_and_codes() -> Result<()> {
    let page = page()?;
    let migrations = MIGRATIONS.iter().map(|(name, _)| (*name).to_owned());
    same(&first_cells(&page, "migration"), &migrations.collect());
    let codes = Code::ALL.iter().map(|code| code.as_str().to_owned());
    same(&first_cells(&page, "code"), &codes.collect());
    Ok(())
}

/// `table.column type` for each column; a row may name several of one type, or all of another table.
fn columns(page: &Page) -> Result<BTreeSet<String>> {
    let mut columns = BTreeSet::new();
    for row in page.rows("column") {
        let table = &row.heading;
        if let Some(other) = row.cells[0].strip_prefix("all of ") {
            let other = format!("{other}.");
            let same: Vec<_> =
                columns.iter().filter_map(|column: &String| column.strip_prefix(&other)).collect();
            let same = same.iter().map(|column| format!("{table}.{column}"));
            columns.extend(same.collect::<Vec<_>>());
        } else {
            let kind = row.cells.get(1).context("a column has a type")?;
            columns.extend(listed(row).map(|column| format!("{table}.{column} {kind}")));
        }
    }
    Ok(columns)
}

fn first_cells(page: &Page, kind: &str) -> BTreeSet<String> {
    page.rows(kind).map(|row| row.cells[0].clone()).collect()
}

fn listed(row: &Row) -> impl Iterator<Item = String> {
    row.cells[0].split(", ").map(str::to_owned)
}

/// What a statement finds, with the short names of types.
async fn names(client: &Client, sql: &str) -> Result<BTreeSet<String>> {
    let rows = client.query(sql, &[]).await?;
    let short = |name: String| {
        let name = name.replace("timestamp with time zone", "timestamptz");
        name.replace("character varying", "varchar").replace(",", ", ")
    };
    Ok(rows.iter().map(|row| short(row.get(0))).collect())
}

#[track_caller]
fn same(page: &BTreeSet<String>, there: &BTreeSet<String>) {
    let missing: Vec<_> = there.difference(page).collect();
    let invented: Vec<_> = page.difference(there).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "docs/schema.md lacks {missing:#?} and has {invented:#?}"
    );
}
