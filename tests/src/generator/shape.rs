//! Events of a given size.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Map, Value};

/// Optional fields, the least missed first.
const OPTIONAL: [&str; 12] = [
    "step_executions",
    "adaptive_adjustments",
    "kubernetes",
    "error_message",
    "completed_at",
    "total_duration",
    "steps_completed",
    "steps_failed",
    "rollbacks_performed",
    "effectiveness_score",
    "total_steps",
    "status",
];
/// `,"padding":""`
const PADDING: usize = 13;

/// Leaves out what can be left out, a part of the remediation's id if need be, until the event is
/// small enough, then pads it to `bytes`. The padding is a field the table has no column for.
///
/// # Errors
/// Its required fields alone are larger.
pub fn resize(value: &[u8], bytes: usize, random: &mut Rng) -> Result<Vec<u8>> {
    let mut event: Map<String, Value> = serde_json::from_slice(value)?;
    let mut size = value.len();
    for name in OPTIONAL {
        if size <= bytes {
            break;
        }
        event.shift_remove(name);
        size = serde_json::to_vec(&event)?.len();
    }
    if let Some(Value::String(id)) = event.get_mut("remediation_id") {
        // Its end is what tells it from others.
        let cut = size.saturating_sub(bytes).min(id.len());
        id.drain(..cut);
        size -= cut;
    }
    let missing = bytes.checked_sub(size).with_context(|| format!("{size} bytes are required"))?;
    if missing > PADDING {
        // Random letters: a run of one would be compressed away by the broker and the table.
        let padding = (PADDING..missing).map(|_| random.alphanumeric()).collect();
        event.insert("padding".to_owned(), Value::String(padding));
    }
    let resized = serde_json::to_vec(&event)?;
    ensure!(resized.len() <= bytes, "{} bytes instead of {bytes}", resized.len());
    Ok(resized)
}
