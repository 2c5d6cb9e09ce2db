//! The router with a recording publisher behind it.

mod batch;

use std::time::Duration;

use audit_producer::{Answer, PublishError, RecordingPublisher};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

use super::*;

const PATH: &str = EVENT;
const DEADLINE: Duration = Duration::from_secs(5);

/// What the Go client sends for the event of its own integration test.
const FROM_GO: &str = r#"{"id":"","remediation_id":"","workflow_name":"test-workflow","workflow_version":"v1","total_steps":3,"steps_completed":3,"steps_failed":0,"total_duration":0,"outcome":"success","effectiveness_score":0.95,"rollbacks_performed":0,"step_executions":null,"adaptive_adjustments":null,"completed_at":"0001-01-01T00:00:00Z","status":""}"#;

struct Test {
    publisher: RecordingPublisher,
    registry: Registry,
    health: Health,
    router: Router,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Test {
    fn new() -> Self {
        Self::with(Auth::new("/test", None))
    }

    fn with(auth: Auth) -> Self {
        let limits = Limits {
            max_concurrency: 2,
            max_connections: 1,
            body_timeout: Duration::from_millis(200),
            idle_timeout: Duration::from_secs(1),
        };
        let (publisher, registry, health) =
            (RecordingPublisher::default(), Registry::new(), Health::new());
        let gateway =
            Gateway::new(publisher.clone(), auth, &limits, DEADLINE, health.clone(), &registry)
                .unwrap();
        Self { publisher, registry, health, router: router(gateway) }
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, body: impl Into<Body>) -> Answered {
        self.send(post_json(body)).await
    }

    fn requests(&self, route: &str, code: &str) -> f64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "kubernaut_audit_http_requests_total")
            .unwrap();
        let labels = [("route", route), ("code", code)];
        let metric = family.get_metric().iter().find(|metric| {
            labels.iter().all(|(name, value)| {
                metric
                    .get_label()
                    .iter()
                    .any(|label| label.name() == *name && label.value() == *value)
            })
        });
        metric.map_or(0.0, |metric| metric.get_counter().get_value())
    }
}

impl Answered {
    fn is_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["type"], format!("urn:kubernaut-audit:problem:{kind}"));
        assert_eq!(self.body["status"], status);
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{}", self.body);
    }
}

fn post_json(body: impl Into<Body>) -> Request<Body> {
    Request::post(PATH).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

#[tokio::test]
async fn what_go_sends_is_published_and_acknowledged() {
    let test = Test::new();
    let answer = test.post(FROM_GO).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let record = &test.publisher.records()[0];
    let expected =
        serde_json::json!({"id": record.id(), "topic": "recorded", "partition": 0, "offset": 0});
    assert_eq!(answer.body, expected);
    let value = FROM_GO.replacen(r#""id":"""#, &format!(r#""id":"{}""#, record.id()), 1);
    assert_eq!(record.value(), value.as_bytes());
    assert!(record.headers().any(|header| header == ("ce_source", "/test")));
    assert_eq!(test.requests(PATH, "201"), 1.0);
}

#[tokio::test]
async fn the_same_event_has_the_same_id_and_a_key_counts_for_more_than_content() {
    let test = Test::new();
    let other = FROM_GO.replace("0.95", "0.5");
    let id = async |body: &str, key: Option<&str>| {
        let mut request = post_json(body.to_owned());
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        test.send(request).await.body["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id(FROM_GO, None).await, id(FROM_GO, None).await);
    assert_ne!(id(FROM_GO, None).await, id(&other, None).await);
    assert_eq!(id(FROM_GO, Some("k")).await, id(&other, Some("\"k\"")).await);
    assert_ne!(id(FROM_GO, Some("k")).await, id(FROM_GO, Some("l")).await);
}

#[tokio::test]
async fn a_well_formed_trace_is_carried_on_and_another_is_not() {
    let test = Test::new();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for value in [trace, "nonsense"] {
        let mut request = post_json(FROM_GO);
        request.headers_mut().insert("traceparent", value.parse().unwrap());
        assert_eq!(test.send(request).await.status, StatusCode::CREATED);
    }
    let carried: Vec<_> = test
        .publisher
        .records()
        .iter()
        .map(|r| r.headers().any(|h| h == ("traceparent", trace)))
        .collect();
    assert_eq!(carried, [true, false]);
    assert!(!test.publisher.records()[1].headers().any(|(name, _)| name == "traceparent"));
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let test = Test::new();
    let wrong = FROM_GO
        .replace("\"success\"", "\"done\"")
        .replace("\"total_steps\":3", "\"total_steps\":-3");
    let answer = test.post(wrong).await;
    answer.is_problem(400, "invalid-event");
    let fields: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["total_steps", "outcome"]);
    assert_eq!(answer.body["errors"][1]["code"], "invalid_outcome");

    for broken in ["", "{", "[]", "null", r#"{"a":1}"#, "\u{0}"] {
        test.post(broken).await.is_problem(400, "invalid-event");
    }
    assert!(test.publisher.records().is_empty());
}

#[tokio::test]
async fn media_types_other_than_json_are_refused() {
    let test = Test::new();
    for accepted in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = Request::post(PATH)
            .header(header::CONTENT_TYPE, accepted)
            .body(FROM_GO.into())
            .unwrap();
        assert_eq!(test.send(request).await.status, StatusCode::CREATED, "{accepted}");
    }
    for refused in ["text/plain", "application/jsonp", "application/cloudevents+json", ""] {
        let request =
            Request::post(PATH).header(header::CONTENT_TYPE, refused).body(FROM_GO.into()).unwrap();
        test.send(request).await.is_problem(415, "unsupported-media-type");
    }
    test.send(Request::post(PATH).body(FROM_GO.into()).unwrap())
        .await
        .is_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_bad_key_is_refused_before_anything_is_published() {
    let test = Test::new();
    let mut request = post_json(FROM_GO);
    request.headers_mut().insert("idempotency-key", "x".repeat(256).parse().unwrap());
    let answer = test.send(request).await;
    answer.is_problem(400, "invalid-header");
    assert_eq!(answer.body["errors"][0]["field"], "Idempotency-Key");
    assert!(test.publisher.records().is_empty());
}

#[tokio::test]
async fn an_event_of_a_mebibyte_is_taken_and_one_byte_more_is_not() {
    let test = Test::new();
    let with_id =
        FROM_GO.replacen(r#""id":"""#, r#""id":"01941f29-7c00-4a0d-9000-000000000001""#, 1);
    let padded = |size: usize| {
        with_id.replace(r#""status":"""#, &format!(r#""status":"","n":"{}""#, "x".repeat(size)))
    };
    let full = MAX_EVENT_BYTES - padded(0).len();
    assert_eq!(test.post(padded(full)).await.status, StatusCode::CREATED);
    test.post(padded(full + 1)).await.is_problem(413, "too-large");
    // Large enough to be cut off while it arrives.
    test.post("x".repeat(3 * MAX_EVENT_BYTES)).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let test = Test::new();
    test.send(Request::get("/nowhere").body(Body::empty()).unwrap())
        .await
        .is_problem(404, "not-found");
    let answer = test.send(Request::get(PATH).body(Body::empty()).unwrap()).await;
    answer.is_problem(405, "method-not-allowed");
    assert_eq!(answer.headers[header::ALLOW], "POST");
    assert_eq!(test.requests("_other", "404"), 1.0);
}

#[tokio::test]
async fn without_an_acknowledgement_there_is_no_201() {
    let test = Test::new();
    for (answer, kind, retry_after) in [
        (Answer::Refuse(PublishError::QueueFull), "queue-full", "1"),
        (Answer::Fail(PublishError::Deadline), "not-acknowledged", "5"),
        (Answer::Hang(Duration::from_millis(50)), "not-acknowledged", "5"),
        (Answer::Fail(PublishError::ClientFailed("fatal".into())), "not-acknowledged", "5"),
        (Answer::Refuse(PublishError::Closed), "stopping", "1"),
    ] {
        test.publisher.next_answer(answer);
        let answer = test.post(FROM_GO).await;
        answer.is_problem(503, kind);
        assert_eq!(answer.headers[header::RETRY_AFTER], retry_after);
    }
    assert_eq!(test.post(FROM_GO).await.status, StatusCode::CREATED);
    assert_eq!(test.requests(PATH, "503"), 5.0);
}

#[tokio::test]
async fn an_outage_is_a_condition_and_does_not_make_the_gateway_unready() {
    let test = Test::new();
    test.health.set_ready(true);
    test.publisher.next_answer(Answer::Fail(PublishError::Deadline));
    test.post(FROM_GO).await.is_problem(503, "not-acknowledged");
    assert!(test.health.is_ready());
    assert!(format!("{:?}", test.health).contains("did not acknowledge"));
    test.post(FROM_GO).await;
    assert!(!format!("{:?}", test.health).contains("did not acknowledge"));
}

#[tokio::test]
async fn one_request_too_many_is_told_so() {
    let test = Test::new();
    for _ in 0..2 {
        test.publisher.next_answer(Answer::Hang(Duration::from_secs(60)));
        let request = post_json(FROM_GO);
        let router = test.router.clone();
        tokio::spawn(async move { router.oneshot(request).await });
    }
    while test.publisher.records().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = test.post(FROM_GO).await;
    answer.is_problem(429, "too-many-requests");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn a_place_is_free_again_when_the_client_goes_away() {
    let test = Test::new();
    for _ in 0..4 {
        test.publisher.next_answer(Answer::Hang(Duration::from_secs(60)));
        let request = test.router.clone().oneshot(post_json(FROM_GO));
        assert!(tokio::time::timeout(Duration::from_millis(20), request).await.is_err());
    }
    assert_eq!(test.post(FROM_GO).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let test = Test::new();
    let endless = Body::from_stream(tokio_stream());
    test.post(endless).await.is_problem(408, "body-timeout");
    assert!(test.publisher.records().is_empty());
}

/// Some bytes, then nothing for ever.
fn tokio_stream() -> impl futures_util::Stream<Item = Result<&'static str, std::io::Error>> {
    use futures_util::StreamExt;
    futures_util::stream::iter([Ok("{")]).chain(futures_util::stream::pending())
}
