//! `audit-consumer report` says what a recomputation of the events says.

use anyhow::Result;
use audit_tests::{binary::Output, pipeline::Pipeline};

mod model;
mod plans;
mod recompute;
mod refusals;
mod single;
mod summaries;

/// `audit-consumer report` with these arguments, on the pipeline's database.
async fn report(pipeline: &Pipeline<'_>, args: &[&str]) -> Result<Output> {
    pipeline.command("report").args(args.iter().copied()).run().await
}
