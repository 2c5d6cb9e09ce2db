use kube::ResourceExt;
use serde_json::json;

use super::super::event::tests::{resource, rules};
use super::super::mark::FINALIZER;
use super::*;

fn finished() -> DynamicObject {
    resource(json!({"phase": "completed", "steps": []}))
}

fn held(mut resource: DynamicObject) -> DynamicObject {
    resource.finalizers_mut().push(FINALIZER.to_owned());
    resource
}

fn marked(mut resource: DynamicObject) -> DynamicObject {
    let content = rules().content(resource.clone(), false).unwrap();
    let mark = json!({"digest": content.record.digest().to_string(), "time": ""});
    let annotations = resource.annotations_mut();
    annotations.insert("audit.kubernaut.ai/published".to_owned(), mark.to_string());
    resource
}

fn goal(resource: DynamicObject) -> Option<Goal> {
    plan(&rules(), resource, true).map(|job| job.goal)
}

#[test]
fn what_is_to_be_done_follows_from_how_it_is() {
    let running = || resource(json!({"phase": "executing"}));
    assert!(matches!(goal(running()), Some(Goal::Held)));
    assert!(goal(held(running())).is_none());
    assert!(plan(&rules(), running(), false).is_none());
    assert!(matches!(goal(finished()), Some(Goal::Published(_))));
    assert!(matches!(goal(held(finished())), Some(Goal::Published(_))));
    assert!(matches!(goal(held(marked(finished()))), Some(Goal::Released)));
    assert!(goal(marked(finished())).is_none());
}

#[test]
fn a_mark_holds_for_its_content_alone() {
    let mut changed = marked(finished());
    changed.data["status"]["error"] = json!("it failed after all");
    assert!(matches!(goal(changed), Some(Goal::Published(_))));
}

#[test]
fn of_what_is_gone_only_what_nobody_held_is_published() {
    let gone = |resource| plan_gone(&rules(), resource);
    assert!(gone(held(finished())).is_none());
    assert!(gone(marked(finished())).is_none());
    assert!(gone(finished()).is_some());
    assert!(gone(resource(json!({"phase": "executing"}))).is_some());
}
