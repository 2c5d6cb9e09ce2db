//! Which dead letters a command is about.

use audit_runtime::exit::UsageError;
use audit_schema::problem::Code;
use chrono::{DateTime, Utc};
use postgres_types::{Timestamp, ToSql};

use crate::commands::moment::{Moment, in_order};
use crate::commands::place::Place;

/// Options that leave dead letters out.
#[derive(Debug, clap::Args)]
pub(super) struct Filters {
    /// Only those with this cause; repeatable
    #[arg(long, env = "AUDIT_CODE", value_name = "CODE", value_delimiter = ',', value_parser = code)]
    code: Vec<Code>,

    /// Only those first seen then or later: a time (RFC 3339), a date (its begin in UTC), or a duration ago
    #[arg(long, env = "AUDIT_SINCE", value_name = "TIME|DATE|DURATION")]
    since: Option<Moment>,

    /// Only those first seen before then, written likewise
    #[arg(long, env = "AUDIT_UNTIL", value_name = "TIME|DATE|DURATION")]
    until: Option<Moment>,

    /// Only those of this partition; repeatable
    #[arg(long, env = "AUDIT_ONLY_PARTITION", value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..))]
    partition: Vec<i32>,
}

/// What a dead letter has to be, as parameters of [`MATCHES`].
#[derive(Debug)]
pub(super) struct Criteria {
    resolved: bool,
    codes: Option<Vec<&'static str>>,
    since: Timestamp<DateTime<Utc>>,
    until: Timestamp<DateTime<Utc>>,
    partitions: Option<Vec<i32>>,
    places: Option<Vec<String>>,
}

/// The condition on `audit_dead_letter`, with six parameters.
pub(super) const MATCHES: &str = "($1 OR resolution IS NULL) AND ($2::text[] IS NULL OR error_code = ANY ($2)) \
    AND first_seen >= $3 AND first_seen < $4 AND ($5::integer[] IS NULL OR partition = ANY ($5)) \
    AND ($6::text[] IS NULL OR topic || ':' || partition || ':' || \"offset\" = ANY ($6))";

fn code(name: &str) -> Result<Code, String> {
    name.parse().map_err(|_| {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        format!("write one of {}", names.join(", "))
    })
}

impl Filters {
    pub(super) fn is_empty(&self) -> bool {
        self.code.is_empty()
            && self.since.is_none()
            && self.until.is_none()
            && self.partition.is_empty()
    }

    /// The criteria as of now; `resolved`: dead letters that are resolved as well.
    pub(super) fn criteria(&self, resolved: bool) -> Result<Criteria, UsageError> {
        let now = Utc::now();
        let since = self.since.map(|moment| moment.at("--since", now)).transpose()?;
        let until = self.until.map(|moment| moment.at("--until", now)).transpose()?;
        since.zip(until).map_or(Ok(()), |(since, until)| in_order(since, until))?;
        let codes: Vec<&str> = self.code.iter().map(|code| code.as_str()).collect();
        Ok(Criteria {
            resolved,
            codes: (!codes.is_empty()).then_some(codes),
            since: since.map_or(Timestamp::NegInfinity, Timestamp::Value),
            until: until.map_or(Timestamp::PosInfinity, Timestamp::Value),
            partitions: (!self.partition.is_empty()).then(|| self.partition.clone()),
            places: None,
        })
    }
}

impl Criteria {
    /// Those at these places, open or not.
    pub(super) fn at(places: &[Place]) -> Self {
        Self {
            resolved: true,
            codes: None,
            since: Timestamp::NegInfinity,
            until: Timestamp::PosInfinity,
            partitions: None,
            places: Some(places.iter().map(ToString::to_string).collect()),
        }
    }

    /// Of these only the open ones.
    pub(super) fn open(self) -> Self {
        Self { resolved: false, ..self }
    }

    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        [&self.resolved, &self.codes, &self.since, &self.until, &self.partitions, &self.places]
    }
}
