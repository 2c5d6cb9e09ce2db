//! What the controller writes on a resource: a finalizer that holds it, then the mark of what was published.
//!
//! Each change is a JSON Patch that tests the resource's version first, so that it takes effect on what was seen or
//! not at all; others keep finalizers and annotations in the same places.

use audit_producer::Acknowledged;
use chrono::{DateTime, SecondsFormat, Utc};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, TestOperation};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What all our names begin with.
const PREFIX: &str = "audit.kubernaut.ai/";
/// Keeps a resource until its event is safe.
pub(super) const FINALIZER: &str = "audit.kubernaut.ai/publish";
/// Annotation: what was published. Label: that something was.
const PUBLISHED: &str = "audit.kubernaut.ai/published";
/// Annotation: why the resource could not be made an event.
const ERROR: &str = "audit.kubernaut.ai/error";

/// Longest error that is written on a resource, in characters.
const MAX_ERROR: usize = 500;

/// Whether an annotation is one of these.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// A resource's metadata, as far as changing it takes.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    version: Option<String>,
    finalizers: Vec<String>,
    has_annotations: bool,
    has_labels: bool,
    has_error: bool,
    is_deleted: bool,
    /// The digest of what is published.
    pub(super) published: Option<String>,
}

/// What the mark says, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    #[serde(flatten)]
    at: Value,
    digest: String,
    time: String,
}

/// What was published of a resource, and when.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) at: Acknowledged,
    /// The digest of the content that the resource means.
    pub(super) digest: String,
    pub(super) time: DateTime<Utc>,
    /// Why it was not an event.
    pub(super) refusal: Option<String>,
}

impl Seen {
    pub(super) fn new(metadata: &ObjectMeta) -> Self {
        let annotation = |name| metadata.annotations.as_ref().and_then(|all| all.get(name));
        let mark = annotation(PUBLISHED).map(|text| serde_json::from_str::<Mark>(text));
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            version: metadata.resource_version.clone(),
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
            has_annotations: metadata.annotations.is_some(),
            has_labels: metadata.labels.is_some(),
            has_error: annotation(ERROR).is_some(),
            is_deleted: metadata.deletion_timestamp.is_some(),
            // A mark that somebody has spoilt is none.
            published: mark.and_then(Result::ok).map(|mark| mark.digest),
        }
    }

    /// Whether nothing has changed between the two.
    pub(super) fn is_version_of(&self, other: &Self) -> bool {
        self.version == other.version
    }

    /// Whether the resource stays until we let go of it.
    pub(super) fn is_held(&self) -> bool {
        self.finalizers.iter().any(|name| name == FINALIZER)
    }

    /// Holds the resource; nothing to do if it is held, or too late.
    pub(super) fn hold(&self) -> Option<Patch> {
        if self.is_held() || self.is_deleted {
            return None;
        }
        let mut changes = self.begin();
        let finalizers = ["metadata", "finalizers"];
        if self.finalizers.is_empty() {
            changes.push(add(finalizers, json!([FINALIZER])));
        } else {
            changes.push(add(["metadata", "finalizers", "-"], FINALIZER.into()));
        }
        Some(Patch(changes))
    }

    /// Lets go of the resource; nothing to do if it is not held.
    pub(super) fn release(&self) -> Option<Patch> {
        let release = self.without_finalizer()?;
        let mut changes = self.begin();
        changes.push(release);
        Some(Patch(changes))
    }

    /// Marks the resource, and lets go of it.
    pub(super) fn mark(&self, published: &Published) -> Patch {
        let mark = Mark {
            at: json!(published.at),
            digest: published.digest.clone(),
            time: published.time.to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        let mut changes = self.begin();
        if !self.has_annotations {
            changes.push(add(["metadata", "annotations"], json!({})));
        }
        if !self.has_labels {
            changes.push(add(["metadata", "labels"], json!({})));
        }
        changes.push(add(["metadata", "annotations", PUBLISHED], json!(mark).to_string().into()));
        changes.push(add(["metadata", "labels", PUBLISHED], "true".into()));
        let error = ["metadata", "annotations", ERROR];
        match &published.refusal {
            Some(refusal) => {
                let text: String = refusal.chars().take(MAX_ERROR).collect();
                changes.push(add(error, text.into()));
            }
            None if self.has_error => changes.push(remove(error)),
            None => {}
        }
        changes.extend(self.without_finalizer());
        Patch(changes)
    }

    fn begin(&self) -> Vec<PatchOperation> {
        let path = PointerBuf::from_tokens(["metadata", "resourceVersion"]);
        vec![PatchOperation::Test(TestOperation { path, value: json!(self.version) })]
    }

    fn without_finalizer(&self) -> Option<PatchOperation> {
        let place = self.finalizers.iter().position(|name| name == FINALIZER)?;
        Some(remove(["metadata", "finalizers", &place.to_string()]))
    }
}

fn add<const N: usize>(path: [&str; N], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(path), value })
}

fn remove<const N: usize>(path: [&str; N]) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(path) })
}

#[cfg(test)]
mod tests;
