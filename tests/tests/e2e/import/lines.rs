//! Good lines become rows, each other is told by its number and can be mended.

use std::{fs, iter, path::Path};

use anyhow::{Context, Result};
use audit_schema::{problem::Code, topic::MAX_EVENT_BYTES};
use audit_tests::{
    generator::{Generator, IdKind},
    oracle::Counts,
    pipeline::Pipeline,
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{Lines, publish, summary};

const SEED: u64 = 0x0A0D_2101;
const COUNT: usize = 20_000;
/// Every so many lines, one is not as it should be.
const EVERY: usize = 500;

#[tokio::test]
async fn good_lines_become_rows_and_bad_ones_can_be_mended() -> Result<()> {
    let pipeline = Pipeline::shared("import", 3).await?;
    let consumer = pipeline.start_consumer().await?;
    let mut generator = Generator::new(SEED, Utc::now());

    let spoilt: Vec<(Code, Vec<u8>)> = Generator::poisons()
        .filter(|code| is_about_the_value(*code))
        .filter_map(|code| Some((code, generator.poison(code).value?)))
        .collect();
    let mut expected = Vec::new();
    let mut lines = vec![b"\xEF\xBB\xBF\r\n".to_vec()];
    for (at, event) in generator.events(COUNT).iter().enumerate() {
        let line_end: &[u8] = if at % 2 == 0 { b"\n" } else { b"\r\n" };
        lines.push([event.value().as_slice(), line_end].concat());
        if at % EVERY == EVERY - 1 {
            let (code, value) = &spoilt[at / EVERY % spoilt.len()];
            lines.push([value, &b"\n"[..]].concat());
            expected.push((lines.len(), code.as_str()));
            lines.push(b" \t\n".to_vec());
        }
    }
    lines.push(iter::repeat_n(b'x', 5 * MAX_EVENT_BYTES).chain(*b"\n").collect());
    expected.push((lines.len(), Code::TooLarge.as_str()));
    // The last line has no line end.
    lines.push(generator.event(IdKind::Dated).value());
    let total = lines.len();
    let lines = Lines::write(lines)?;

    let errors = lines.beside("refused.ndjson");
    let import = |file: &Path| {
        publish(file)
            .args(["--errors", &errors.display().to_string()])
            .env("AUDIT_BROKERS", pipeline.servers.kafka.bootstrap())
            .env("AUDIT_TOPIC", &pipeline.topic)
    };
    let output = import(&lines.path).run().await?;
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    let result = summary(&output.stdout)?;
    assert_eq!(result["events"], COUNT + expected.len() + 1, "{result}");
    assert_eq!(result["published"], COUNT + 1, "{result}");
    assert_eq!(result["refused"], expected.len(), "{result}");
    assert_eq!(result["next_line"], total + 1, "{result}");

    let told = fs::read_to_string(&errors)?;
    let told: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let found: Vec<(usize, &str)> = told
        .iter()
        .map(|told| {
            let number = told["number"].as_u64().and_then(|number| usize::try_from(number).ok());
            Ok((number.context("no number")?, told["code"].as_str().context("no code")?))
        })
        .collect::<Result<_>>()?;
    assert_eq!(found, expected);

    // One of them is mended and imported again, twice over: that is one more row.
    let outcome = told.iter().find(|told| told["code"] == "invalid_outcome").context("no such")?;
    let mended = outcome["line"].as_str().context("no line")?.replace("exploded", "failed");
    let mended = Lines::write([format!("{mended}\n{mended}\n").into_bytes()])?;
    let result = summary(&import(&mended.path).run().await?.success()?)?;
    assert_eq!((&result["published"], &result["refused"]), (&json!(2), &json!(0)), "{result}");

    let summary = pipeline.verify().await?;
    let stored = i64::try_from(COUNT)? + 2;
    assert_eq!(summary.ledger, Counts { stored, duplicate: 1, ..Counts::default() });
    pipeline.stop(&consumer).await
}

/// Lines have no headers that could be wrong.
fn is_about_the_value(code: Code) -> bool {
    use Code::{IdMismatch, InvalidSubject, StructuredMode, Tombstone};
    use Code::{UnknownEventType, UnsupportedSpecVersion};
    !matches!(
        code,
        Tombstone
            | UnknownEventType
            | UnsupportedSpecVersion
            | StructuredMode
            | InvalidSubject
            | IdMismatch
    )
}
