use std::time::Duration;

use anyhow::{Result, ensure};
use audit_tests::{
    kafka::{KafkaCluster, Record},
    shared,
};

#[tokio::test]
async fn records_come_back_as_they_were_sent() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("round-trip");
    kafka.create_topic(&topic, 3, &[("message.timestamp.type", "LogAppendTime")]).await?;

    let sent: Vec<Record> = (0..100u8)
        .map(|n| {
            Record::new([n; 10]).with_key([n]).to_partition(i32::from(n % 3)).with_header("n", [n])
        })
        .chain([Record { value: None, ..Record::default().to_partition(0) }])
        .collect();
    let acknowledged = kafka.publish(&topic, sent.clone()).await?;
    let read = kafka.read_all(&topic).await?;

    ensure!(read.len() == sent.len(), "{} of {}", read.len(), sent.len());
    for (record, at) in sent.iter().zip(acknowledged) {
        let back = read.iter().find(|back| back.at == at).expect("acknowledged records are there");
        assert_eq!(
            (&back.key, &back.value, &back.headers),
            (&record.key, &record.value, &record.headers)
        );
    }
    Ok(())
}

#[tokio::test]
async fn aborted_records_are_not_read_and_take_offsets() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("transactions");
    kafka.create_topic(&topic, 1, &[]).await?;

    let aborted = kafka.begin(&topic).await?;
    aborted.publish(&topic, vec![Record::new("aborted")]).await?;
    aborted.abort().await?;
    let committed = kafka.begin(&topic).await?;
    committed.publish(&topic, vec![Record::new("committed")]).await?;
    committed.commit().await?;

    let read = kafka.read_all(&topic).await?;
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].value.as_deref(), read[0].at.offset), (Some(&b"committed"[..]), 2));
    assert_eq!(kafka.watermarks(&topic, 0).await?, (0, 4), "two records, two markers");
    Ok(())
}

#[tokio::test]
async fn topics_can_be_truncated_altered_grown_and_recreated() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("topic");
    kafka.create_topic(&topic, 1, &[("retention.ms", "-1")]).await?;
    kafka.publish(&topic, vec![Record::new("a"), Record::new("b"), Record::new("c")]).await?;

    kafka.delete_records(&topic, 0, 2).await?;
    assert_eq!(kafka.watermarks(&topic, 0).await?, (2, 3));

    kafka.alter_topic(&topic, &[("message.timestamp.type", "CreateTime")]).await?;
    let settings = kafka.topic_settings(&topic).await?;
    assert_eq!(settings["message.timestamp.type"], "CreateTime");
    assert_eq!(settings["retention.ms"], "-1", "what was set before stays");

    kafka.add_partitions(&topic, 2).await?;
    assert_eq!(kafka.watermarks(&topic, 1).await?, (0, 0));

    kafka.delete_topic(&topic).await?;
    kafka.create_topic(&topic, 1, &[]).await?;
    assert_eq!(kafka.watermarks(&topic, 0).await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn three_nodes_survive_the_loss_of_a_leader() -> Result<()> {
    let kafka = KafkaCluster::start(3).await?;
    let topic = "replicated";
    kafka.create_topic(topic, 1, &[]).await?;
    kafka.publish(topic, vec![Record::new("before")]).await?;

    let leader = kafka.leader_of(topic, 0).await?;
    kafka.kill(leader).await?;
    kafka.publish(topic, vec![Record::new("after")]).await?;
    assert_ne!(kafka.leader_of(topic, 0).await?, leader);

    kafka.restart(leader).await?;
    assert_eq!(kafka.read_all(topic).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_node_can_be_paused_killed_and_stopped() -> Result<()> {
    let kafka = KafkaCluster::start(1).await?;
    kafka.create_topic("events", 1, &[]).await?;
    kafka.publish("events", vec![Record::new("1")]).await?;

    kafka.pause(1)?;
    {
        let published = kafka.publish("events", vec![Record::new("2")]);
        tokio::pin!(published);
        let soon = Duration::from_millis(300);
        assert!(tokio::time::timeout(soon, &mut published).await.is_err());
        kafka.resume(1)?;
        published.await?;
    }

    kafka.kill(1).await?;
    assert!(kafka.kill(1).await.is_err(), "it is dead already");
    kafka.restart(1).await?;
    kafka.stop(1).await?;
    kafka.restart(1).await?;
    assert_eq!(kafka.read_all("events").await?.len(), 2);
    Ok(())
}
