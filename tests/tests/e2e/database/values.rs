//! Content that is valid and strains every conversion on the way.

use anyhow::Result;
use audit_schema::topic::MAX_EVENT_BYTES;
use audit_tests::{kafka::Record, pipeline::Pipeline};
use uuid::Uuid;

/// Members of an event, each twice: spellings of the same content.
const SPELLINGS: [(&str, &str); 23] = [
    (r#""total_duration":-9223372036854775808"#, r#""total_duration":-9223372036854775001"#),
    (r#""total_duration":9223372036854775807"#, r#""total_duration":9223372036854775000"#),
    (r#""total_duration":-1"#, r#""total_duration":0"#),
    (r#""total_duration":null"#, r#""status":null"#),
    (
        r#""completed_at":"2024-02-29T23:59:59.123456789+14:00""#,
        r#""completed_at":"2024-02-29T09:59:59.123456Z""#,
    ),
    (
        r#""completed_at":"1969-12-31T23:59:59.999999999Z""#,
        r#""completed_at":"1970-01-01T00:59:59.999999001+01:00""#,
    ),
    (
        r#""completed_at":"9999-12-31T23:59:59.999999999Z""#,
        r#""completed_at":"9999-12-31T23:59:59.999999Z""#,
    ),
    (r#""completed_at":"0001-01-01T00:00:00Z""#, r#""completed_at":null"#),
    (
        r#""completed_at":"0001-01-01T00:00:00.000001Z""#,
        r#""completed_at":"0001-01-01T00:00:00.0000019Z""#,
    ),
    (r#""n":[1e2,1.0,10e-1,-0,-0.0,0e300,1E+2]"#, r#""n":[100,1,1,0,0,0,100.00]"#),
    (
        r#""n":1234567890123456789012345678901234567890123456789012345678901234"#,
        r#""n":   1234567890123456789012345678901234567890123456789012345678901234"#,
    ),
    (r#""n":[1e308,5e-308,-1e308]"#, r#""n":[10e307,0.5e-307,-10e307]"#),
    (r#""n":[123.456e-10,9007199254740993]"#, r#""n":[0.0000000123456,900719925474099.3e1]"#),
    (
        r#""text":"\u00e9\ud83d\ude00\u2028\u003c\u003e\u0026\/\b\f\n\r\t\"\\""#,
        r#""text":"é😀\u2028<>&/\u0008\u000c\u000a\u000d\u0009\u0022\u005c""#,
    ),
    (
        r#""z":{"b":1,"a":{"ä":[{}],"":null,"A":true}},"a":{},"Z":[]"#,
        r#""Z":[],"a":{},"z":{"a":{"A":true,"":null,"ä":[{}]},"b":1.0}"#,
    ),
    (r#""status":"","error_message":"""#, r#""error_message":"","status":"""#),
    (r#""effectiveness_score":-0.0"#, r#""effectiveness_score":0"#),
    (
        r#""effectiveness_score":1e-300,"total_steps":2147483647"#,
        r#""total_steps":2147483647,"effectiveness_score":0.1e-299"#,
    ),
    (
        r#""effectiveness_score":0.30000000000000004"#,
        r#""effectiveness_score":3.0000000000000004E-1"#,
    ),
    (
        r#""step_executions":[],"adaptive_adjustments":[{}]"#,
        r#""adaptive_adjustments":[{ }],"step_executions":[ ]"#,
    ),
    (
        r#""step_executions":[{"step_number":-2147483648,"action":"","duration":9223372036854775807,"status":null,"more":{"n":1.50}}]"#,
        r#""step_executions":[{"more":{"n":15e-1},"status":null,"duration":9223372036854775807,"action":"","step_number":-2147483648}]"#,
    ),
    (
        r#""adaptive_adjustments":[{"timestamp":"2024-01-01T00:00:00.999999999-23:59","reason":"\u00e4"}]"#,
        r#""adaptive_adjustments":[{"reason":"ä","timestamp":"2024-01-01T00:00:00.999999999-23:59"}]"#,
    ),
    (
        r#""deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"#,
        r#""deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ 1 ]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"#,
    ),
];

#[tokio::test]
async fn spellings_of_one_content_are_one_row() -> Result<()> {
    let pipeline = Pipeline::shared("values", 2).await?;
    let mut records = Vec::new();
    for (number, (one, other)) in (1_u128..).zip(SPELLINGS) {
        let id = Uuid::from_u128(number << 64);
        records.push(Record::new(event(id, one)).with_key(id.to_string()));
        records.push(Record::new(event(id, other)).with_key(id.to_string()));
    }
    let biggest = Uuid::from_u128(u128::MAX);
    records.push(Record::new(padded(biggest)));
    pipeline.servers.kafka.publish(&pipeline.topic, records).await?;
    let consumer = pipeline.start_consumer().await?;
    let summary = pipeline.verify().await?;
    assert_eq!((summary.ids, summary.history, summary.dead_letters), (SPELLINGS.len() + 1, 0, 0));
    pipeline.stop(&consumer).await
}

fn event(id: Uuid, members: &str) -> String {
    format!(
        r#"{{"id":"{id}","remediation_id":"","workflow_name":"w","workflow_version":"v",{members},"outcome":"partial"}}"#
    )
}

/// Of exactly the largest size there may be.
fn padded(id: Uuid) -> String {
    let frame = event(id, r#""error_message":"""#);
    let padding = "x".repeat(MAX_EVENT_BYTES - frame.len());
    let event = event(id, &format!(r#""error_message":"{padding}""#));
    assert_eq!(event.len(), MAX_EVENT_BYTES);
    event
}
