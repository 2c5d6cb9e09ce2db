//! The two protocols by which a group shares a topic out.

use audit_tests::{binary::Binary, pipeline::Pipeline};

/// How the members of a group agree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// The members do, cooperatively.
    Classic,
    /// The brokers do (KIP-848); they also set the session timeout: 3 s on the test's nodes.
    Consumer,
}

impl Protocol {
    /// A consumer whose session times out after 3 s.
    pub(crate) fn consumer(self, pipeline: &Pipeline<'_>) -> Binary {
        let properties = match self {
            Self::Classic => "session.timeout.ms=3000,heartbeat.interval.ms=500",
            Self::Consumer => "group.protocol=consumer",
        };
        pipeline.consumer().env("AUDIT_KAFKA_PROPERTIES", properties)
    }
}
