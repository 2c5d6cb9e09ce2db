//! Each rule of an event, broken on its own: which code, at which path, at which byte.

use audit_schema::columns::Columns;
use audit_schema::decode::Decoder;
use audit_schema::problem::{Code, MAX_PROBLEMS, Rejection};
use audit_schema::topic::MAX_EVENT_BYTES;

/// A valid event with `members` added.
fn event(members: &str) -> String {
    format!(
        r#"{{"remediation_id":"r","workflow_name":"w","workflow_version":"v1","outcome":"success"{}{members}}}"#,
        if members.is_empty() { "" } else { "," },
    )
}

fn rejection(value: &str) -> Rejection {
    let rejection = Decoder::default().decode(value.as_bytes()).expect_err(value);
    assert!(!rejection.problems.is_empty());
    rejection
}

#[track_caller]
fn accepted(value: &str, check: impl FnOnce(&Columns<'_>)) {
    let mut decoder = Decoder::default();
    let event = decoder.decode(value.as_bytes()).unwrap_or_else(|error| panic!("{error}: {value}"));
    check(&event.columns);
}

/// `members` break one rule, and the message names the limit.
#[track_caller]
fn refused(members: &str, code: Code, path: &str) {
    let value = event(members);
    let rejection = rejection(&value);
    let found: Vec<_> = rejection.problems.iter().map(|p| (p.code, p.path.as_str())).collect();
    assert_eq!(found, [(code, path)], "{members}: {rejection}");
    assert_eq!(rejection.code, code);
    assert!(rejection.problems[0].offset < value.len());
}

#[test]
fn the_smallest_event_is_accepted() {
    accepted(&event(""), |columns| {
        let expected = Columns {
            remediation_id: "r",
            workflow_name: "w",
            workflow_version: "v1",
            outcome: "success",
            ..Columns::default()
        };
        assert_eq!(*columns, expected);
    });
}

#[test]
fn null_is_absent() {
    let members = r#""id":null,"total_steps":null,"steps_completed":null,"steps_failed":null,
        "total_duration":null,"effectiveness_score":null,"rollbacks_performed":null,
        "step_executions":null,"adaptive_adjustments":null,"completed_at":null,"status":null,
        "error_message":null"#;
    let mut decoder = Decoder::default();
    let absent = decoder.decode(event("").as_bytes()).unwrap().content_hash();
    assert_eq!(decoder.decode(event(members).as_bytes()).unwrap().content_hash(), absent);
}

#[test]
fn required_fields() {
    let rejection = rejection("{}");
    let found: Vec<_> = rejection.problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(found, ["remediation_id", "workflow_name", "workflow_version", "outcome"]);
    assert!(rejection.problems.iter().all(|problem| problem.code == Code::MissingField));

    for name in ["remediation_id", "workflow_name", "workflow_version", "outcome"] {
        let value = event("").replace(&format!("\"{name}\":"), &format!("\"{name}\":null,\"x\":"));
        let rejection = self::rejection(&value);
        assert_eq!(rejection.code, Code::MissingField, "{value}");
        assert_eq!(rejection.problems[0].path, name);
        assert_eq!(rejection.problems.len(), 1);
    }
}

#[test]
fn the_root_is_an_object() {
    for value in ["[]", "null", "3", "\"x\"", "true", " [ {} ] "] {
        assert_eq!(rejection(value).code, Code::NotAnObject, "{value}");
    }
}

#[test]
fn ids() {
    for id in ["\"\"", "null", "\"7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55\""] {
        accepted(&event(&format!("\"id\":{id}")), |_| {});
    }
    for id in [
        "7a1c3f0e9b1d4a578a432f0f4a1d9c55",
        "{7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c5}",
        "urn:uuid:7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55",
        "7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c5g",
        "7a1c3f0e-9b1d-4a57-8a432-f0f4a1d9c55",
        " 7a1c3f0e-9b1d-4a57-8a43-2f0f4a1d9c55",
        "x",
    ] {
        refused(&format!("\"id\":\"{id}\""), Code::InvalidId, "id");
    }
    refused("\"id\":7", Code::WrongType, "id");
}

#[test]
fn string_limits_count_characters() {
    for (name, limit) in
        [("remediation_id", 255), ("workflow_name", 255), ("workflow_version", 50), ("status", 50)]
    {
        let with = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(&event("")).unwrap();
            value[name] = text.into();
            value.to_string()
        };
        accepted(&with(&"é".repeat(limit)), |_| {});
        let rejection = rejection(&with(&"é".repeat(limit + 1)));
        assert_eq!((rejection.code, rejection.problems[0].path.as_str()), (Code::TooLong, name));
        assert!(rejection.to_string().contains(&limit.to_string()), "{rejection}");
    }
    let long = "x".repeat(100_000);
    accepted(&event(&format!("\"error_message\":\"{long}\"")), |columns| {
        assert_eq!(columns.error_message, Some(long.as_str()));
    });
    refused("\"status\":{}", Code::WrongType, "status");
}

#[test]
fn outcomes() {
    for outcome in ["", "Success", "completed", "success "] {
        let value = event("").replace("success", outcome);
        assert_eq!(rejection(&value).code, Code::InvalidOutcome, "{value}");
    }
    accepted(&event("").replace("success", "p\\u0061rtial"), |columns| {
        assert_eq!(columns.outcome, "partial");
    });
}

#[test]
fn counts() {
    for name in ["total_steps", "steps_completed", "steps_failed", "rollbacks_performed"] {
        accepted(&event(&format!("\"{name}\":0")), |_| {});
        accepted(&event(&format!("\"{name}\":2147483647")), |_| {});
        for number in ["-1", "2147483648", "99999999999999999999"] {
            refused(&format!("\"{name}\":{number}"), Code::OutOfRange, name);
        }
        for value in ["3.0", "1e2", "\"3\"", "true", "[]"] {
            refused(&format!("\"{name}\":{value}"), Code::WrongType, name);
        }
    }
}

#[test]
fn durations() {
    for (nanoseconds, micros) in [
        ("0", 0),
        ("999", 0),
        ("-999", 0),
        ("-1001", -1),
        ("1500000000", 1_500_000),
        ("9223372036854775807", i64::MAX / 1000),
        ("-9223372036854775808", i64::MIN / 1000),
    ] {
        accepted(&event(&format!("\"total_duration\":{nanoseconds}")), |columns| {
            assert_eq!(columns.total_duration, Some(micros), "{nanoseconds}");
        });
    }
    refused("\"total_duration\":9223372036854775808", Code::OutOfRange, "total_duration");
    refused("\"total_duration\":1.5e9", Code::WrongType, "total_duration");
    refused("\"total_duration\":\"1.5s\"", Code::WrongType, "total_duration");
}

#[test]
fn scores() {
    for (literal, score) in
        [("0", 0.0), ("1", 1.0), ("1.0e0", 1.0), ("0.95", 0.95), ("1e-7", 1e-7), ("-0", 0.0)]
    {
        accepted(&event(&format!("\"effectiveness_score\":{literal}")), |columns| {
            let bits = columns.effectiveness_score.map(f64::to_bits);
            assert_eq!(bits, Some(f64::to_bits(score)), "{literal}");
        });
    }
    for literal in ["-0.1", "1.0000001", "95", "1e300"] {
        let members = format!("\"effectiveness_score\":{literal}");
        refused(&members, Code::OutOfRange, "effectiveness_score");
    }
    refused("\"effectiveness_score\":\"0.5\"", Code::WrongType, "effectiveness_score");
}

#[test]
fn times() {
    for zero in ["0001-01-01T00:00:00Z", "0001-01-01T02:00:00+02:00"] {
        accepted(&event(&format!("\"completed_at\":\"{zero}\"")), |columns| {
            assert_eq!(columns.completed_at, None);
        });
    }
    accepted(&event(r#""completed_at":"1969-12-31T23:59:59.9999991Z""#), |columns| {
        assert_eq!(columns.completed_at, Some(-1));
    });
    for time in ["", "2025-01-15", "2025-01-15 10:30:00Z", "2025-02-30T10:30:00Z"] {
        let members = format!("\"completed_at\":\"{time}\"");
        refused(&members, Code::InvalidTimestamp, "completed_at");
    }
    refused("\"completed_at\":1736937000", Code::WrongType, "completed_at");
}

#[test]
fn steps() {
    accepted(&event(r#""step_executions":[{},{"step_number":null,"extra":[{}]}]"#), |_| {});
    let at = |member: &str| format!(r#""step_executions":[{{}},{{{member}}}]"#);
    for (member, code, path) in [
        (r#""step_number":1.5"#, Code::WrongType, "step_number"),
        (r#""step_number":2147483648"#, Code::OutOfRange, "step_number"),
        (r#""retries_attempted":"2""#, Code::WrongType, "retries_attempted"),
        (r#""duration":"3s""#, Code::WrongType, "duration"),
        (r#""duration":9223372036854775808"#, Code::OutOfRange, "duration"),
        (r#""action":7"#, Code::WrongType, "action"),
        (r#""status":[]"#, Code::WrongType, "status"),
        (r#""error_message":{}"#, Code::WrongType, "error_message"),
        (r#""a":1,"a":2"#, Code::DuplicateKey, "a"),
    ] {
        refused(&at(member), code, &format!("step_executions[1].{path}"));
    }
    refused(r#""step_executions":{}"#, Code::WrongType, "step_executions");
    refused(r#""step_executions":"[]""#, Code::WrongType, "step_executions");
    refused(r#""step_executions":[{},null]"#, Code::WrongType, "step_executions[1]");
    refused(r#""step_executions":[[]]"#, Code::WrongType, "step_executions[0]");
}

#[test]
fn a_step_that_does_not_say_counts_as_empty() {
    let value = event(r#""step_executions":[{"action":"a\n"},{"status":null},{"status":"s"}]"#);
    let mut decoder = Decoder::default();
    let event = decoder.decode(value.as_bytes()).unwrap();
    assert_eq!(event.steps().collect::<Vec<_>>(), [("a\n", ""), ("", ""), ("", "s")]);
}

#[test]
fn adjustments() {
    let good = r#""adaptive_adjustments":[{"timestamp":"0001-01-01T00:00:00Z","reason":null}]"#;
    accepted(&event(good), |_| {});
    for (member, code, path) in [
        (r#""step_number":true"#, Code::WrongType, "step_number"),
        (r#""adjustment_type":1"#, Code::WrongType, "adjustment_type"),
        (r#""reason":1"#, Code::WrongType, "reason"),
        (r#""timestamp":1"#, Code::WrongType, "timestamp"),
        (r#""timestamp":"noon""#, Code::InvalidTimestamp, "timestamp"),
    ] {
        let members = format!(r#""adaptive_adjustments":[{{{member}}}]"#);
        refused(&members, code, &format!("adaptive_adjustments[0].{path}"));
    }
}

#[test]
fn duplicate_keys_at_any_depth_and_in_any_spelling() {
    refused(r#""outcome":"failed""#, Code::DuplicateKey, "outcome");
    refused(r#""\u006futcome":"failed""#, Code::DuplicateKey, "outcome");
    refused(r#""a":1,"b":2,"a":1"#, Code::DuplicateKey, "a");
    refused(r#""a":1,"\u0061":1"#, Code::DuplicateKey, "a");
    refused(r#""x":[0,{"y":{"k":1,"l":2,"k":3}}]"#, Code::DuplicateKey, "x[1].y.k");
    refused(r#""x":{"":1,"":2}"#, Code::DuplicateKey, "x.");
    refused(r#""x":{"a_long_key_1":1,"a_long_key_1":2}"#, Code::DuplicateKey, "x.a_long_key_1");
    accepted(
        &event(r#""x":{"a":1,"A":1,"a ":1,"ab":1,"":1,"a_long_key_1":1,"a_long_key":1}"#),
        |_| {},
    );

    let twice = rejection(&event(r#""x":{"a":1,"b":1,"a":1,"a":1,"b":1}"#));
    assert_eq!(twice.problems.len(), 3, "{twice}");
    let offsets: Vec<_> = twice.problems.iter().map(|problem| problem.offset).collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
}

#[test]
fn depth() {
    let nested = |levels: usize| format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
    accepted(&event(&nested(31)), |_| {});
    let rejection = rejection(&event(&nested(32)));
    assert_eq!(rejection.code, Code::TooDeep);
    assert!(rejection.to_string().contains("32"), "{rejection}");
    // However deep: the stack does not grow with it.
    let rejection = self::rejection(&format!("{{\"x\":{}", "[".repeat(1_000_000)));
    assert_eq!(rejection.code, Code::TooDeep);
    assert!(rejection.to_string().len() < 1000);
}

#[test]
fn characters_postgresql_cannot_store() {
    refused(r#""x":"a\u0000b""#, Code::NulCharacter, "x");
    refused(r#""status":"\u0000""#, Code::NulCharacter, "status");
    refused(r#""x":{"a\u0000":1}"#, Code::NulCharacter, "x.a");
    for text in
        [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\ud83d\ude00", r"\ude00\ud83d"]
    {
        refused(&format!("\"x\":[\"{text}\"]"), Code::LoneSurrogate, "x[0]");
    }
    accepted(&event(r#""status":"\ud83d\ude00\u0001\uFFFF""#), |columns| {
        assert_eq!(columns.status, Some("😀\u{1}\u{FFFF}"));
    });
}

#[test]
fn numbers_jsonb_cannot_give_back() {
    for literal in ["1e309", "1e-309", "1E+1000", "1e99999999999999999999", "0e309"] {
        refused(&format!("\"x\":{{\"y\":{literal}}}"), Code::NumberOutOfRange, "x.y");
    }
    for literal in ["1e308", "-1e-308", "1e0000308"] {
        accepted(&event(&format!("\"x\":{literal}")), |_| {});
    }
    accepted(&event(&format!("\"x\":-{}", "9".repeat(63))), |_| {});
    refused(&format!("\"x\":-{}", "9".repeat(64)), Code::NumberOutOfRange, "x");
    // Said once, although it is no count either.
    refused("\"total_steps\":1e309", Code::NumberOutOfRange, "total_steps");
}

#[test]
fn size() {
    let padded = |size: usize| {
        let empty = event("\"x\":\"\"");
        empty.replace("\"x\":\"", &format!("\"x\":\"{}", "x".repeat(size - empty.len())))
    };
    accepted(&padded(MAX_EVENT_BYTES), |_| {});
    assert_eq!(rejection(&padded(MAX_EVENT_BYTES + 1)).code, Code::TooLarge);
}

#[test]
fn the_size_counts_the_id() {
    let empty = event("\"x\":\"\"");
    let value = empty
        .replace("\"x\":\"", &format!("\"x\":\"{}", "x".repeat(MAX_EVENT_BYTES - empty.len())));
    let mut decoder = Decoder::default();
    let decoded = decoder.decode(value.as_bytes()).unwrap();
    let error = decoded.encode_with_id(uuid::Uuid::nil()).unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
}

#[test]
fn an_id_is_written_into_the_value() {
    let id = uuid::Uuid::from_u128(0xFEED);
    for value in [event(""), event("\"id\":\"\""), event("\"\\u0069d\" : null , \"x\" : 1.00")] {
        let mut decoder = Decoder::default();
        let decoded = decoder.decode(value.as_bytes()).unwrap();
        let hash = decoded.content_hash();
        let with_id = decoded.encode_with_id(id).unwrap();

        let mut decoder = Decoder::default();
        let decoded = decoder.decode(&with_id).unwrap();
        assert_eq!(decoded.id, Some(id));
        assert_eq!(decoded.content_hash(), hash);
        assert_eq!(decoded.encode_with_id(id).unwrap(), with_id);
    }
}

#[test]
fn what_is_not_json() {
    for value in [
        "",
        " ",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "{} {}",
        "nul",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"",
        "{\"a\":NaN}",
        "\u{feff}{}",
        "{\"a\":1 /* x */}",
        "{\"a\":\"\\",
    ] {
        let rejection = rejection(value);
        assert_eq!(rejection.code, Code::InvalidJson, "{value:?}");
        assert!(rejection.problems.iter().all(|problem| problem.offset <= value.len()));
    }
    let bytes = b"{\"a\":\"\xC3\x28\"}";
    assert_eq!(Decoder::default().decode(bytes).unwrap_err().code, Code::InvalidUtf8);
}

#[test]
fn a_syntax_error_is_the_code_and_what_was_found_before_it_is_told() {
    let value = event(r#""total_steps":-1,"x":tru"#);
    let rejection = rejection(&value);
    assert_eq!(rejection.code, Code::InvalidJson);
    let codes: Vec<_> = rejection.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::OutOfRange, Code::InvalidJson]);
    assert_eq!(rejection.problems[1].path, "x");
    assert_eq!(rejection.problems[1].offset, value.find("tru}").unwrap());
}

#[test]
fn problems_are_bounded_and_hold_no_values() {
    let secret = "s3cr3t".repeat(1000);
    let elements = vec![format!("\"{secret}\""); 100].join(",");
    let rejection = rejection(&event(&format!("\"step_executions\":[{elements}]")));
    assert!(rejection.problems.len() <= MAX_PROBLEMS);
    assert!(!rejection.to_string().contains("s3cr3t"), "{rejection}");
    assert!(rejection.to_string().len() < 3000);
}

#[test]
fn unknown_fields_are_kept_as_they_came() {
    let value = event(r#""z" : [1.50, {"b":1 ,"a":2}], "\u0061" :"\u003c","kubernetes":{}"#);
    accepted(&value, |columns| {
        let expected = r#"{"z" : [1.50, {"b":1 ,"a":2}],"\u0061" :"\u003c","kubernetes":{}}"#;
        assert_eq!(columns.extensions, Some(expected));
    });
}

#[test]
fn a_decoder_forgets_the_event_before() {
    let mut decoder = Decoder::default();
    let small = decoder.decode(event("").as_bytes()).unwrap().content_hash();
    let rich = event(r#""x":{"b":"\n","a":[1,2]},"step_executions":[{"action":"\t"}]"#);
    let rich_hash = decoder.decode(rich.as_bytes()).unwrap().content_hash();
    assert!(decoder.decode(b"{\"x\":[{\"y\":{").is_err());
    assert_eq!(decoder.decode(rich.as_bytes()).unwrap().content_hash(), rich_hash);
    assert_eq!(decoder.decode(event("").as_bytes()).unwrap().content_hash(), small);
    assert_eq!(decoder.decode(event("").as_bytes()).unwrap().steps().len(), 0);
}
