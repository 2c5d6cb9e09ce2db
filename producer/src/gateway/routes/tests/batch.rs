//! Batches: each event has its own result, and none waits for, or suffers from, another.

use audit_schema::topic::MAX_EVENT_BYTES;

use super::*;
use crate::gateway::batch::MAX_BATCH_EVENTS;

const EVENT_JSON: &str =
    r#"{"remediation_id":"r","workflow_name":"w","workflow_version":"v1","outcome":"success"}"#;

fn post(media_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(BATCH).header(header::CONTENT_TYPE, media_type).body(body.into()).unwrap()
}

async fn lines(test: &Test, body: impl Into<Body>) -> Answered {
    test.send(post("application/x-ndjson", body)).await
}

async fn array(test: &Test, body: impl Into<Body>) -> Answered {
    test.send(post("application/json", body)).await
}

/// The status of each event.
fn statuses(answer: &Answered) -> Vec<u64> {
    let results = answer.body["results"].as_array().unwrap();
    assert!(results.iter().enumerate().all(|(at, result)| result["index"] == at));
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

fn named(name: &str) -> String {
    EVENT_JSON.replacen(r#""w""#, &format!(r#""{name}""#), 1)
}

#[tokio::test]
async fn all_acknowledged_is_201_in_either_format() {
    let test = Test::new();
    let (one, two) = (named("one"), named("two"));
    let from_lines = lines(&test, format!("{one}\n{two}\n")).await;
    let from_array = array(&test, format!(" [{one} ,\n{two}] ")).await;
    for (answer, first) in [(&from_lines, 0), (&from_array, 2)] {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(statuses(answer), [201, 201]);
        let result = &answer.body["results"][1];
        assert_eq!(result["id"], test.publisher.records()[1].id().to_string());
        assert_eq!((&result["topic"], &result["partition"]), (&"recorded".into(), &0.into()));
        assert_eq!(result["offset"], first + 1);
    }
    assert_eq!(from_lines.body["results"][1]["line"], 2);
    assert!(from_array.body["results"][1].get("line").is_none());
    assert_eq!(test.requests(BATCH, "201"), 2.0);
}

#[tokio::test]
async fn lines_may_be_blank_end_with_cr_and_lack_their_end() {
    let test = Test::new();
    let body = format!("\r\n{EVENT_JSON}\r\n \t\n\n{{\r\n{EVENT_JSON}");
    for media_type in ["application/x-ndjson", "application/jsonl", "Application/X-JSONLines; a=b"]
    {
        let answer = test.send(post(media_type, body.clone())).await;
        assert_eq!(answer.status, StatusCode::MULTI_STATUS);
        assert_eq!(statuses(&answer), [201, 400, 201]);
        let lines = answer.body["results"].as_array().unwrap().iter().map(|result| &result["line"]);
        assert_eq!(lines.collect::<Vec<_>>(), [2, 5, 6]);
    }
}

#[tokio::test]
async fn a_poison_line_is_its_own_problem_as_for_a_single_event() {
    let test = Test::new();
    let twice = EVENT_JSON.replacen('{', r#"{"a":{"b":1,"b":2},"#, 1);
    let huge = EVENT_JSON.replacen('{', r#"{"a":1e999,"#, 1);
    for poison in [twice.as_bytes(), huge.as_bytes(), b"not json", b"[]", b"{\"a\":\"\xFF\"}"] {
        let alone = test.post(poison.to_vec()).await;
        let body = [EVENT_JSON.as_bytes(), poison, EVENT_JSON.as_bytes()].join(&b'\n');
        let answer = lines(&test, body).await;
        assert_eq!(statuses(&answer), [201, 400, 201]);
        let result = &answer.body["results"][1];
        for member in ["type", "title", "status", "detail", "errors"] {
            assert_eq!(result[member], alone.body[member], "{member}");
        }
    }
    // What an array holds is not decoded on the way to the decoder either.
    let answer = array(&test, format!("[{EVENT_JSON},{twice},{huge},7]")).await;
    assert_eq!(statuses(&answer), [201, 400, 400, 400]);
    assert_eq!(answer.body["results"][1]["errors"][0]["code"], "duplicate_key");
    assert_eq!(answer.body["results"][2]["errors"][0]["code"], "number_out_of_range");
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_a_problem_that_says_where() {
    let test = Test::new();
    for (body, at) in [
        (format!("[{EVENT_JSON},{{\"a\":}}]"), "event 1: expected value at line 1 column 94"),
        (format!("[{EVENT_JSON}\n"), "event 1: EOF while parsing a list at line 2 column 0"),
        (format!("[{EVENT_JSON}] x"), "event 1: trailing characters at line 1 column 90"),
        (EVENT_JSON.to_owned(), "an array of events"),
        (String::new(), "event 0: EOF"),
    ] {
        let answer = array(&test, body).await;
        answer.is_problem(400, "invalid-batch");
        assert!(answer.body["detail"].as_str().unwrap().contains(at), "{}", answer.body);
    }
    array(&test, "[]").await.is_problem(400, "empty-batch");
    lines(&test, "").await.is_problem(400, "empty-batch");
    lines(&test, "\r\n \n").await.is_problem(400, "empty-batch");
    assert!(test.publisher.records().is_empty(), "all or nothing of it is read");
}

#[tokio::test]
async fn other_media_types_are_refused_and_the_right_ones_named() {
    let test = Test::new();
    for media_type in ["text/plain", "application/ndjson+json", ""] {
        let answer = test.send(post(media_type, EVENT_JSON)).await;
        answer.is_problem(415, "unsupported-media-type");
        assert!(answer.body["detail"].as_str().unwrap().contains("application/x-ndjson"));
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_has_the_status_it_would_have_alone() {
    let test = Test::new();
    for answer in [
        Answer::Acknowledge,
        Answer::Fail(PublishError::Deadline),
        Answer::Hang(Duration::from_millis(50)),
        Answer::Refuse(PublishError::Closed),
        Answer::Acknowledge,
    ] {
        test.publisher.next_answer(answer);
    }
    let answer = lines(&test, [EVENT_JSON; 5].join("\n")).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    assert_eq!(statuses(&answer), [201, 503, 503, 503, 201]);
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    assert_eq!(test.publisher.records().len(), 4, "none waited for another");

    let answer = lines(&test, format!("{EVENT_JSON}\n7")).await;
    assert!(!answer.headers.contains_key(header::RETRY_AFTER), "no other try would help");
}

#[tokio::test]
async fn a_key_names_each_event_by_its_place() {
    let test = Test::new();
    let ids = async |body: String, media_type: &str| {
        let mut request = post(media_type, body);
        request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        let answer = test.send(request).await;
        let results = answer.body["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, two) = (named("one"), named("two"));
    let first = ids(format!("{one}\n{one}\n"), "application/x-ndjson").await;
    assert_ne!(first[0], first[1], "two events never share an identity");
    assert_eq!(ids(format!("\n{one}\n{two}\n"), "application/jsonl").await, first);
    assert_eq!(ids(format!("[{two},{one}]"), "application/json").await, first);

    let alone = |key: &'static str| {
        let mut request = post_json(one.clone());
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        test.send(request)
    };
    for key in ["k", "k0", "k/0"] {
        let id = alone(key).await.body["id"].clone();
        assert!(!first.iter().any(|known| id == *known), "{key}");
    }
    // Without a key, the same content is the same event.
    let answer = lines(&test, format!("{one}\n{one}")).await;
    assert_eq!(answer.body["results"][0]["id"], answer.body["results"][1]["id"]);
}

#[tokio::test]
async fn every_record_carries_the_trace_and_the_source() {
    let test = Test::new();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut request = post("application/jsonl", format!("{EVENT_JSON}\n{EVENT_JSON}"));
    request.headers_mut().insert("traceparent", trace.parse().unwrap());
    assert_eq!(test.send(request).await.status, StatusCode::CREATED);
    for record in test.publisher.records() {
        assert!(record.headers().any(|header| header == ("traceparent", trace)));
        assert!(record.headers().any(|header| header == ("ce_source", "/test")));
    }
}

#[tokio::test]
async fn sixteen_mebibytes_are_taken_and_one_byte_more_is_not() {
    let test = Test::new();
    let full = format!("{EVENT_JSON}{}", " ".repeat(16 * MAX_EVENT_BYTES - EVENT_JSON.len() - 1));
    // The spaces are a line of their own, and blank.
    let body = full.replacen("} ", "}\n", 1);
    assert_eq!(body.len(), 16 * MAX_EVENT_BYTES - 1);
    assert_eq!(lines(&test, format!("{body} ")).await.status, StatusCode::CREATED);
    lines(&test, format!("{body}  ")).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn an_event_of_a_mebibyte_is_taken_and_one_byte_more_is_its_problem_alone() {
    let test = Test::new();
    let id = "01941f29-7c00-4a0d-9000-000000000001";
    let padded = |size: usize| {
        EVENT_JSON.replacen('{', &format!(r#"{{"id":"{id}","n":"{}","#, "x".repeat(size)), 1)
    };
    let full = MAX_EVENT_BYTES - padded(0).len();
    let body = [padded(full), padded(full + 1), EVENT_JSON.to_owned()].join("\r\n");
    assert_eq!(statuses(&lines(&test, body).await), [201, 413, 201]);
    let body = [padded(full), padded(full + 1), EVENT_JSON.to_owned()].join(" , ");
    assert_eq!(statuses(&array(&test, format!("[{body}]")).await), [201, 413, 201]);
}

#[tokio::test]
async fn a_batch_has_a_bounded_number_of_events_and_a_bounded_answer() {
    let test = Test::new();
    let most = "1\n".repeat(MAX_BATCH_EVENTS);
    let answer = lines(&test, most.clone()).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let results = answer.body["results"].as_array().unwrap();
    assert_eq!(results.len(), MAX_BATCH_EVENTS);
    assert!(results[0]["errors"].is_array() && results[MAX_BATCH_EVENTS - 1]["errors"].is_null());
    assert!(answer.body.to_string().len() < 400 * MAX_BATCH_EVENTS);
    lines(&test, most + "1").await.is_problem(413, "too-large");
    let too_many = format!("[1{}]", ",1".repeat(MAX_BATCH_EVENTS));
    array(&test, too_many).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn a_batch_takes_as_much_room_as_it_may_need() {
    // There is room for two requests.
    let test = Test::new();
    test.publisher.next_answer(Answer::Hang(Duration::from_secs(60)));
    let router = test.router.clone();
    tokio::spawn(async move { router.oneshot(post_json(FROM_GO)).await });
    while test.publisher.records().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sized = |size: usize| {
        let mut request = post("application/jsonl", EVENT_JSON);
        request.headers_mut().insert(header::CONTENT_LENGTH, size.into());
        request
    };
    assert_eq!(test.send(sized(MAX_EVENT_BYTES)).await.status, StatusCode::CREATED);
    let refused = test.send(sized(MAX_EVENT_BYTES + 1)).await;
    refused.is_problem(429, "too-many-requests");
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    // A body without a length may be the largest, and tiny events need room of their own.
    lines(&test, EVENT_JSON).await.is_problem(429, "too-many-requests");
    let mut tiny = post("application/jsonl", "1\n".repeat(4097));
    tiny.headers_mut().insert(header::CONTENT_LENGTH, (2 * 4097).into());
    test.send(tiny).await.is_problem(429, "too-many-requests");
}
