//! Says why no broker can be reached: once in the log, and in `/readyz?verbose` for as long as it lasts.

use audit_runtime::admin::Health;
use audit_runtime::kafka::explain;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

/// Watches until told to stop. A service starts without a broker, so this is where wrong credentials show first.
pub(crate) async fn watch(
    mut trouble: Receiver<Option<String>>,
    properties: Vec<(String, String)>,
    health: Health,
    stop: CancellationToken,
) {
    let watching = async {
        let mut shown = None;
        while trouble.changed().await.is_ok() {
            let complaint = trouble.borrow_and_update().clone();
            let why = match complaint {
                None => None,
                Some(complaint) => {
                    let properties = properties.clone();
                    // It may look at the broker itself, which blocks.
                    let explaining =
                        tokio::task::spawn_blocking(move || explain(&properties, Some(&complaint)));
                    explaining.await.ok()
                }
            };
            match (&why, &shown) {
                // librdkafka says the same in other words (how long it took, say).
                (why, shown) if *why == *shown => continue,
                (Some(why), _) => tracing::warn!("cannot reach Kafka: {why}"),
                (None, _) => tracing::info!("Kafka can be reached again"),
            }
            health.set_condition("brokers", why.clone());
            shown = why;
        }
    };
    stop.run_until_cancelled(watching).await;
}
