use audit_producer::RecordingPublisher;
use prometheus::Registry;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::super::event::tests::{resource, rules};
use super::super::plan::plan;
use super::*;

/// What became of publishing a finished resource, and how many records there are.
async fn attempt(until: Option<Instant>) -> (Result<(), Unsettled>, usize) {
    let metrics = ControllerMetrics::new(&Registry::new()).unwrap();
    let term = Term::until(until);
    let settler =
        Settler::new(RecordingPublisher::default(), Resources::of_nobody(), true, metrics, term);
    let job = plan(&rules(), resource(json!({"phase": "completed"})), true).unwrap();
    let result = settler.attempt(&job, &mut None).await;
    (result, settler.publisher.records().len())
}

#[tokio::test]
async fn nothing_is_published_when_the_term_is_over() {
    let (result, records) = attempt(Some(Instant::now())).await;
    assert!(matches!(result, Err(Unsettled::NotLeading)), "{result:?}");
    assert_eq!(records, 0);

    for until in [None, Some(Instant::now() + Duration::from_secs(3_600))] {
        let (result, records) = attempt(until).await;
        assert!(matches!(result, Err(Unsettled::Unmarked(_))), "{result:?}");
        assert_eq!(records, 1);
    }
}
