//! From a resource to the record that is published of it. Pure: the same resource gives the same record everywhere and
//! for ever, whatever the clock says and however often the resource was written without its content being changed.

use audit_producer::Record;
use audit_schema::event::Outcome;
use audit_schema::identity;
use audit_schema::topic::MAX_EVENT_BYTES;
use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use uuid::Uuid;

use super::mark;
use super::problem::{self, Problem};
use super::redact::SecretNames;
use super::shape::{self, Execution, Shape};

/// The top-level field of the event that names its origin.
const ORIGIN: &str = "kubernetes";

/// The annotation in which `kubectl apply` keeps a copy of the whole resource, secrets included.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How resources are read.
pub(super) struct Rules {
    /// The cluster's name: part of every id.
    pub(super) cluster: String,
    /// The shape of all resources; none: each tells its own.
    pub(super) shape: Option<&'static Shape>,
    /// Which parameters are redacted.
    pub(super) secrets: SecretNames,
}

/// What is published of a resource.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) record: Record,
    /// What is odd about the event.
    pub(super) problems: Vec<Problem>,
    /// Why the record is the raw resource instead of an event.
    pub(super) refusal: Option<String>,
    /// When the execution ended, if that is known.
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Rules {
    /// What is to be published, once the execution has ended or the resource is on its way out.
    ///
    /// `is_gone`: it was deleted before anyone could wait for its end.
    pub(super) fn content(&self, mut resource: DynamicObject, is_gone: bool) -> Option<Content> {
        let shape = self.shape.or_else(|| Shape::of(&resource));
        let has_ended = shape::has_ended(shape, &resource);
        let deleted_at = time(resource.metadata.deletion_timestamp.as_ref());
        if !has_ended && deleted_at.is_none() && !is_gone {
            return None;
        }
        self.secrets.redact(&mut resource.data);
        let read = match shape {
            None => Err("it has neither spec.workflowRef nor steps".to_owned()),
            Some(shape) => shape.read(&resource).map_err(|error| problem::explain(&error)),
        };
        let read = read.map(|mut execution| {
            if !has_ended {
                // Cut short by whoever deleted it.
                execution.event.outcome = Outcome::Partial;
                execution.event.completed_at = deleted_at;
            }
            execution
        });
        let ended_at = read.as_ref().ok().and_then(|execution| execution.event.completed_at);
        let ended_at = ended_at.or(deleted_at);
        Some(match read.and_then(|execution| self.record(&resource, execution)) {
            Ok((record, problems)) => Content { record, problems, refusal: None, ended_at },
            Err(refusal) => Content {
                record: self.raw(&resource),
                problems: Vec::new(),
                refusal: Some(refusal),
                ended_at,
            },
        })
    }

    fn record(
        &self,
        resource: &DynamicObject,
        Execution { mut event, started_at, mut problems }: Execution,
    ) -> Result<(Record, Vec<Problem>), String> {
        event.total_duration = shape::duration(started_at, event.completed_at);
        if event.total_duration.is_some_and(i64::is_negative) {
            problems.push(Problem::at("status", "the execution ended before it began"));
        }
        event.id = Some(self.id(resource));
        event.extensions.insert(ORIGIN.to_owned(), self.origin(resource));
        if !problems.is_empty() {
            event.extensions.insert(problem::FIELD.to_owned(), json!(problems));
        }
        let record = Record::from_event(&event, &self.source(resource));
        record.map(|record| (record, problems)).map_err(|rejection| rejection.to_string())
    }

    /// The resource as it is, without what others change about it after its end.
    fn raw(&self, resource: &DynamicObject) -> Record {
        let mut data = resource.data.clone();
        if let Some(status) = data["status"].as_object_mut() {
            status.remove("conditions");
        }
        let metadata = &resource.metadata;
        let annotations = resource.annotations().iter();
        let annotations = annotations.filter(|(name, _)| !mark::is_ours(name) && *name != APPLIED);
        let raw = json!({
            "kubernetes": self.origin(resource),
            "metadata": {
                "creationTimestamp": metadata.creation_timestamp,
                "annotations": annotations.collect::<std::collections::BTreeMap<_, _>>(),
            },
            "spec": data["spec"],
            "status": data["status"],
        });
        let source = self.source(resource);
        Record::raw(self.id(resource), raw.to_string().as_bytes(), MAX_EVENT_BYTES, &source)
    }

    /// Stays the same as long as the resource exists, in a cluster of that name.
    fn id(&self, resource: &DynamicObject) -> Uuid {
        let uid = resource.uid().unwrap_or_default();
        identity::from_resource(&self.cluster, &uid, created_at(resource).unwrap_or_default())
    }

    fn origin(&self, resource: &DynamicObject) -> Value {
        json!({
            "cluster": self.cluster,
            "namespace": resource.namespace(),
            "name": resource.name_any(),
            "uid": resource.uid(),
            "apiVersion": resource.types.as_ref().map(|types| &types.api_version),
        })
    }

    fn source(&self, resource: &DynamicObject) -> String {
        let namespace = resource.namespace().unwrap_or_default();
        format!("/clusters/{}/namespaces/{namespace}", self.cluster)
    }
}

/// When the resource was created.
pub(super) fn created_at(resource: &DynamicObject) -> Option<DateTime<Utc>> {
    time(resource.metadata.creation_timestamp.as_ref())
}

fn time(time: Option<&Time>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time?.0.as_microsecond())
}

#[cfg(test)]
pub(super) mod tests;
