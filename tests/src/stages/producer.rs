//! From an event to the record that is sent.

use std::hint::black_box;

use anyhow::Result;
use audit_producer::{Identity, Record};
use audit_schema::event::WorkflowExecutionAudit;

use super::{Pass, Size, events};

const SOURCE: &str = "/clusters/prod-eu/namespaces/payments";

/// What the gateway does with a body: validation, id, headers.
pub(super) fn record_from_json(size: Size) -> Result<Pass> {
    let bodies = events::bodies(size)?;
    Ok(Box::new(move || {
        for body in &bodies {
            let _ = black_box(Record::from_json(body, Identity::Content, SOURCE));
        }
    }))
}

/// What the library does with an event of the types.
pub(super) fn record_from_event(size: Size) -> Result<Pass> {
    let events: Vec<WorkflowExecutionAudit> = events::bodies(size)?
        .iter()
        .map(|body| serde_json::from_slice(body))
        .collect::<Result<_, _>>()?;
    Ok(Box::new(move || {
        for event in &events {
            let _ = black_box(Record::from_event(event, SOURCE));
        }
    }))
}
