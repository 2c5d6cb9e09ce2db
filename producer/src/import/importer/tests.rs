use std::collections::BTreeMap;

use audit_producer::{Answer, Identity, Record, RecordingPublisher};
use rdkafka::error::RDKafkaErrorCode;

use super::*;

const START: Place = Place { line: 1, position: 0 };

/// Lines of these remediations, each of which is its own event.
fn lines(count: u64) -> mpsc::Receiver<anyhow::Result<Checked>> {
    let (sender, receiver) = mpsc::channel(64);
    for number in 1..=count {
        let json = format!(
            r#"{{"remediation_id":"{number}","workflow_name":"w","workflow_version":"v","outcome":"failed"}}"#
        );
        let record = Record::from_json(json.as_bytes(), Identity::Content, "/test");
        let content = Content::Event(record.unwrap());
        sender.try_send(Ok(Checked { number, end: number * 100, content })).unwrap();
    }
    receiver
}

fn importer<'a>(
    publisher: &RecordingPublisher,
    tally: &'a Cell<Tally>,
    count: u64,
) -> Importer<'a, RecordingPublisher> {
    Importer {
        publisher: Some(publisher.clone()),
        lines: lines(count),
        window: Window::new(1024 * 1024),
        refused: Refused::Log,
        taken: START,
        tally,
    }
}

fn tally() -> Cell<Tally> {
    Cell::new(Tally { events: 0, published: 0, refused: 0, next: START })
}

fn remediations(publisher: &RecordingPublisher) -> Vec<u64> {
    let records = publisher.records();
    let remediation = |record: &Record| {
        let event: serde_json::Value = serde_json::from_slice(record.value()).unwrap();
        event["remediation_id"].as_str().unwrap().parse().unwrap()
    };
    records.iter().map(remediation).collect()
}

/// Takes all lines before anything is made of the answers, as if they had gone in one batch.
async fn take_all(importer: &mut Importer<'_, RecordingPublisher>) {
    while let Some(line) = importer.lines.recv().await {
        importer.take(line.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn after_a_failure_the_last_of_every_line_comes_in_the_order_of_the_file() {
    let (publisher, tally) = (RecordingPublisher::default(), tally());
    publisher.next_answer(Answer::Acknowledge);
    publisher.next_answer(Answer::Acknowledge);
    publisher.next_answer(Answer::Fail(PublishError::Deadline));
    let mut importer = importer(&publisher, &tally, 8);
    take_all(&mut importer).await;
    importer.run().await.unwrap();

    assert_eq!((tally.get().published, tally.get().next.line), (8, 9));
    let last: BTreeMap<u64, usize> =
        remediations(&publisher).into_iter().enumerate().map(|(at, line)| (line, at)).collect();
    assert_eq!(last.len(), 8);
    assert!(last.values().is_sorted(), "{last:?}");
}

#[tokio::test]
async fn kafka_that_takes_nothing_at_the_start_ends_the_import() {
    let (publisher, tally) = (RecordingPublisher::default(), tally());
    publisher.next_answer(Answer::Fail(PublishError::Deadline));
    let error = importer(&publisher, &tally, 3).run().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot publish the first event, line 1: "), "{error}");
    assert_eq!(tally.get().next, START);
}

#[tokio::test]
async fn a_refusal_is_believed_of_a_line_that_was_sent_alone() {
    let refusal = || Answer::Fail(PublishError::Refused(RDKafkaErrorCode::MessageSizeTooLarge));
    let (publisher, tally) = (RecordingPublisher::default(), tally());
    // On its own, only the first is refused.
    for _ in 0..4 {
        publisher.next_answer(refusal());
    }
    let mut importer = importer(&publisher, &tally, 3);
    take_all(&mut importer).await;
    importer.run().await.unwrap();
    let Tally { published, refused, next, .. } = tally.get();
    assert_eq!((published, refused, next.line), (2, 1, 4));
}

#[tokio::test]
async fn stopped_it_resumes_with_the_first_line_that_is_not_acknowledged() {
    let (publisher, tally) = (RecordingPublisher::default(), tally());
    publisher.next_answer(Answer::Acknowledge);
    publisher.next_answer(Answer::Hang(Duration::from_millis(300)));
    let mut importer = importer(&publisher, &tally, 5);
    take_all(&mut importer).await;
    importer.wind_up().await;
    let Tally { published, next, .. } = tally.get();
    assert_eq!((published, next), (1, Place { line: 2, position: 100 }));
}
