//! What `make soak` does for hours, for a minute.

use anyhow::Result;
use audit_tests::soak::{self, Plan};

const SEED: u64 = 0x0A0D_1201;

#[tokio::test]
async fn random_faults_leave_what_the_topic_holds() -> Result<()> {
    soak::round(&Plan { events: 20_000, faults: 12, seed: SEED }).await
}
