//! Keeps the table's monthly partitions: ahead of time, and on demand.
//!
//! The write path does no DDL. It asks for a month that is missing, waits a little, and then writes to the default
//! partition; the keeper moves those rows when it makes the month.

mod month;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::Notify;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::database::{Database, describe};

pub use month::Month;

/// Months after the current one that always have their partition.
const AHEAD: usize = 3;
/// How long a writer waits for a month.
const WAIT: Duration = Duration::from_secs(2);
/// How long writers do not wait again for a month that did not come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the keeper looks without being asked; a month that could not be made is tried again as often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The months that have a partition, and those that are asked for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Months(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    asked: Notify,
    made: Notify,
}

#[derive(Default)]
struct State {
    present: BTreeSet<Month>,
    wanted: BTreeSet<Month>,
    given_up: BTreeMap<Month, Instant>,
}

impl Months {
    /// Waits until every month has its partition, or has been waited for long enough: then the rows go to the
    /// default partition.
    pub async fn ensure(&self, months: &BTreeSet<Month>) {
        let now = Utc::now();
        let missing: BTreeSet<Month> = {
            let state = self.lock();
            let needed = |month: &&Month| {
                let given_up =
                    state.given_up.get(month).is_some_and(|since| since.elapsed() < PATIENCE);
                month.may_have_partition(now) && !state.present.contains(month) && !given_up
            };
            months.iter().filter(needed).copied().collect()
        };
        if missing.is_empty() {
            return;
        }
        self.lock().wanted.extend(&missing);
        self.0.asked.notify_one();
        let made = async {
            loop {
                let made = self.0.made.notified();
                if missing.is_subset(&self.lock().present) {
                    return;
                }
                made.await;
            }
        };
        if tokio::time::timeout(WAIT, made).await.is_err() {
            let mut state = self.lock();
            for month in missing.difference(&state.present.clone()) {
                warn!(%month, "no partition yet: writing to the default partition");
                state.given_up.insert(*month, Instant::now());
            }
        }
    }

    /// Makes months until told to stop.
    pub async fn keep(self, database: Database, stop: CancellationToken) {
        let work = async {
            loop {
                if let Err(error) = self.make_all(&database).await {
                    warn!("cannot look after the partitions: {error:#}");
                }
                // Asked or not: a month that could not be made is tried again.
                let _ = tokio::time::timeout(LOOK_EVERY, self.0.asked.notified()).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Makes every month that is missing, once.
    ///
    /// # Errors
    /// The database cannot be asked. A single month that cannot be made is only logged.
    pub async fn make_all(&self, database: &Database) -> anyhow::Result<()> {
        let mut client = database.get().await?;
        let present = present(&client).await.map_err(|error| anyhow::anyhow!(describe(&error)))?;
        let missing: BTreeSet<Month> = {
            let mut state = self.lock();
            state.present = present;
            let wanted = std::mem::take(&mut state.wanted);
            ahead().chain(wanted).filter(|month| !state.present.contains(month)).collect()
        };
        let mut missing = missing.into_iter();
        while let Some(month) = missing.next() {
            match make(&mut client, month).await {
                Ok(made) => {
                    if made {
                        info!(%month, "made a partition");
                    }
                    let mut state = self.lock();
                    state.present.insert(month);
                    state.given_up.remove(&month);
                }
                Err(error) => {
                    warn!(%month, "cannot make the partition yet: {}", describe(&error));
                    self.lock().wanted.insert(month);
                    // Whoever is in the way is in the way of every month, and writers queue behind each try.
                    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                        self.lock().wanted.extend(missing);
                        break;
                    }
                }
            }
            self.0.made.notify_waiters();
        }
        self.0.made.notify_waiters();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Months that should be there ahead of time and are not.
///
/// # Errors
/// The database does not answer.
pub async fn missing_ahead(
    client: &tokio_postgres::Client,
) -> Result<Vec<Month>, tokio_postgres::Error> {
    let present = present(client).await?;
    Ok(ahead().filter(|month| !present.contains(month)).collect())
}

/// How many months after the current one have their partition, up to the first that has none.
///
/// # Errors
/// The database does not answer.
pub async fn months_ahead(client: &tokio_postgres::Client) -> Result<usize, tokio_postgres::Error> {
    let present = present(client).await?;
    Ok(months().skip(1).take_while(|month| present.contains(month)).count())
}

/// This month and those that always have their partition.
fn ahead() -> impl Iterator<Item = Month> {
    months().take(AHEAD + 1)
}

/// This month and all that follow.
fn months() -> impl Iterator<Item = Month> {
    std::iter::successors(Some(Month::of(Utc::now())), |month| Some(month.next()))
}

async fn present(
    client: &tokio_postgres::Client,
) -> Result<BTreeSet<Month>, tokio_postgres::Error> {
    let sql = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
               WHERE i.inhparent = 'workflow_execution_audit'::regclass";
    let rows = client.query(sql, &[]).await?;
    Ok(rows.iter().filter_map(|row| Month::of_partition(row.get(0))).collect())
}

/// A long reader of the table holds the default partition: better to try again than to make all writers queue.
async fn make(
    client: &mut deadpool_postgres::Client,
    month: Month,
) -> Result<bool, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute("SET LOCAL lock_timeout = '1s'").await?;
    let made = transaction
        .query_one("SELECT audit_add_partition($1)", &[&month.first_day()])
        .await?
        .get(0);
    transaction.commit().await?;
    Ok(made)
}
