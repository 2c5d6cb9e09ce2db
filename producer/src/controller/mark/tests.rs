use serde_json::from_value;

use super::*;

fn seen(metadata: Value) -> Seen {
    Seen::new(&from_value(metadata).unwrap())
}

fn published(refusal: Option<&str>) -> Published {
    Published {
        at: Acknowledged { id: uuid::Uuid::nil(), topic: "t".into(), partition: 1, offset: 7 },
        digest: "d1".into(),
        time: DateTime::UNIX_EPOCH,
        refusal: refusal.map(str::to_owned),
    }
}

/// What the API server makes of it.
fn patched(metadata: &Value, patch: &Patch) -> Value {
    let mut resource = json!({"metadata": metadata});
    json_patch::patch(&mut resource, patch).unwrap();
    resource["metadata"].take()
}

#[test]
fn it_is_held_beside_what_others_hold() {
    for (before, after) in [
        (json!({"resourceVersion": "1"}), json!([FINALIZER])),
        (json!({"resourceVersion": "1", "finalizers": ["a"]}), json!(["a", FINALIZER])),
    ] {
        let patch = seen(before.clone()).hold().unwrap();
        assert_eq!(patched(&before, &patch)["finalizers"], after);
    }
    assert_eq!(seen(json!({"finalizers": [FINALIZER]})).hold(), None);
    let deleted = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a"]});
    assert_eq!(seen(deleted).hold(), None, "the API server refuses it");
}

#[test]
fn it_is_marked_and_let_go_in_one_patch() {
    let bare = json!({"resourceVersion": "1", "finalizers": ["a", FINALIZER, "b"]});
    let full = json!({"resourceVersion": "1", "finalizers": [FINALIZER],
        "annotations": {"x": "y", ERROR: "old"}, "labels": {"x": "y"}});
    let after = patched(&bare, &seen(bare.clone()).mark(&published(None)));
    assert_eq!(after["finalizers"], json!(["a", "b"]));
    assert_eq!(seen(after).published.as_deref(), Some("d1"));
    let after = patched(&full, &seen(full.clone()).mark(&published(None)));
    assert_eq!(after["annotations"]["x"], "y");
    assert_eq!(after["annotations"][ERROR], Value::Null);
    assert_eq!(after["labels"], json!({"x": "y", PUBLISHED: "true"}));
    let after = patched(&full, &seen(full.clone()).mark(&published(Some(&"é".repeat(9_000)))));
    assert_eq!(after["annotations"][ERROR], "é".repeat(MAX_ERROR));
}

#[test]
fn a_change_of_another_version_takes_no_effect() {
    let patch = seen(json!({"resourceVersion": "1", "finalizers": [FINALIZER]})).release().unwrap();
    let mut now = json!({"metadata": {"resourceVersion": "2", "finalizers": ["a", FINALIZER]}});
    assert!(json_patch::patch(&mut now, &patch).is_err());
}

#[test]
fn a_spoilt_mark_is_none() {
    assert_eq!(seen(json!({"annotations": {PUBLISHED: "yes"}})).published, None);
}
