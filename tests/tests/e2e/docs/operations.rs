//! docs/operations.md has an answer to everything that can be asked of it.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;
use audit_consumer::claim::HaltReason;
use audit_schema::problem::Code;

use super::page::Page;

/// What the rows of a table of the page are about; a row may be about several.
fn listed(kind: &str) -> Result<BTreeSet<String>> {
    let page = Page::read(Path::new("docs/operations.md"))?;
    let cells = page.rows(kind).flat_map(|row| row.cells[0].split(", "));
    Ok(cells.map(str::to_owned).collect())
}

#[test]
fn every_reason_to_halt() -> Result<()> {
    let reasons = HaltReason::ALL.iter().map(|reason| reason.as_str().to_owned());
    assert_eq!(listed("reason")?, reasons.collect());
    Ok(())
}

#[test]
fn every_code_of_a_dead_letter() -> Result<()> {
    let codes = Code::ALL.iter().map(|code| code.as_str().to_owned());
    assert_eq!(listed("code")?, codes.collect());
    Ok(())
}

/// An alarm is a metric of ours that docs/metrics.md says when to look at.
#[test]
fn every_alarm() -> Result<()> {
    let metrics = Page::read(Path::new("docs/metrics.md"))?;
    let is_alarm = |cells: &[String]| {
        cells[0].starts_with("kubernaut_audit_")
            && cells.last().is_some_and(|when| !when.is_empty())
    };
    let alarms = metrics.rows("metric").filter(|row| is_alarm(&row.cells));
    assert_eq!(listed("metric")?, alarms.map(|row| row.cells[0].clone()).collect());
    Ok(())
}
