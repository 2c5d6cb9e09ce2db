//! What is odd about a resource, said so that it can be found and mended.

use serde::Serialize;

/// The top-level field of the event that lists problems.
pub(super) const FIELD: &str = "mapping_problems";

/// One odd thing that does not keep the event from being published. Depends on the resource alone, since it is part of
/// the event's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// Where in the resource.
    pub(super) path: String,
    /// What is odd.
    pub(super) problem: String,
    /// What stands there, where it would otherwise be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

impl Problem {
    /// Something odd about a field whose value is in the event.
    pub(super) fn at(path: impl Into<String>, problem: &str) -> Self {
        Self { path: path.into(), problem: problem.to_owned(), value: None }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// Where serde stopped and why, without the value: it may be long, or secret.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // "invalid type: string "the value", expected i32"
    let (kind, rest) = text.split_once(": ").unwrap_or((&text, ""));
    match rest.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => text,
    }
}
