//! Which open dead letters are to be decided about. Nothing is selected unasked.

use anyhow::bail;
use audit_runtime::exit::UsageError;
use tokio_postgres::Client;

use super::filter::{Criteria, Filters};
use super::session::failed;
use crate::commands::place::Place;

/// What of these places cannot be decided about, and why.
const NOT_OPEN: &str = "\
SELECT p.place, max(format('%s by %s at %s', d.resolution, d.resolved_by, to_char(d.resolved_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))
    FILTER (WHERE d.topic IS NOT NULL)
FROM unnest($1::text[]) AS p (place)
LEFT JOIN audit_dead_letter d ON d.topic || ':' || d.partition || ':' || d.\"offset\" = p.place
GROUP BY p.place HAVING NOT coalesce(bool_or(d.topic IS NOT NULL AND d.resolution IS NULL), false)
ORDER BY p.place LIMIT 1";

/// Options that select dead letters: places, or filters, or all.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Which ones, as `dlq list` names them
    #[arg(value_name = "TOPIC:PARTITION:OFFSET")]
    places: Vec<Place>,

    /// All that are open
    #[arg(long, env = "AUDIT_ALL")]
    all: bool,

    #[command(flatten)]
    filters: Filters,
}

impl Selection {
    /// The criteria for the open ones that are selected.
    pub(super) fn criteria(&self) -> Result<Criteria, UsageError> {
        match (self.places.is_empty(), self.filters.is_empty(), self.all) {
            (false, true, false) => Ok(Criteria::at(&self.places).open()),
            (true, false, false) | (true, true, true) => self.filters.criteria(false),
            (true, true, false) => Err(UsageError(
                "say which dead letters: TOPIC:PARTITION:OFFSET, --code, --since, --until or --partition, or --all for \
                 every open one"
                    .into(),
            )),
            _ => Err(UsageError(
                "TOPIC:PARTITION:OFFSET, filters and --all exclude each other: leave out all but one".into(),
            )),
        }
    }

    /// That there is an open dead letter at every place that was named.
    ///
    /// # Errors
    /// The first place without one, and what became of it.
    pub(super) async fn check_places(&self, client: &Client) -> anyhow::Result<()> {
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        let Some(row) = client.query_opt(NOT_OPEN, &[&places]).await.map_err(failed("read"))?
        else {
            return Ok(());
        };
        match row.get::<_, Option<&str>>(1) {
            Some(how) => {
                bail!("the dead letter {} is resolved already: {how}", row.get::<_, &str>(0))
            }
            None => bail!(
                "no dead letter at {}; `audit-consumer dlq list --all` shows those there are",
                row.get::<_, &str>(0)
            ),
        }
    }
}
