//! What is measured: each case differs from new events of the usual size in one thing.

use audit_tests::generator::IdKind;
use clap::ValueEnum;

use super::settings::Settings;
use crate::{
    events::Mixture,
    load::{Before, Plan},
};

const SMALL_BYTES: u32 = 200;
const LARGE_BYTES: u32 = 100_000;
/// There are as many fewer large events.
const LARGE_FEWER: u32 = 20;

/// What the events are, or what the table holds before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Case {
    /// Ids that carry their time, from 12 partitions, into an empty table
    New,
    /// 1 % of the records repeat an earlier one
    #[value(name = "duplicates-1")]
    Duplicates1,
    /// 10 % of them
    #[value(name = "duplicates-10")]
    Duplicates10,
    /// A topic that is stored already, by another group
    Replay,
    /// Every record has another content for an id that is stored already
    Conflicts,
    /// Ids without their own time
    Undated,
    /// Events of 200 bytes
    Small,
    /// Events of 100 KB
    Large,
    /// Every thousandth record can only become a dead letter
    Poison,
    /// A topic of 100 partitions
    #[value(name = "partitions-100")]
    Partitions100,
    /// A table with rows in it
    Full,
}

impl Case {
    /// In words.
    pub(super) fn title(self, settings: &Settings) -> String {
        let title = match self {
            Self::New => "new ids, 12 partitions, empty table",
            Self::Duplicates1 => "1 % sent twice",
            Self::Duplicates10 => "10 % sent twice",
            Self::Replay => "replay: all stored before",
            Self::Conflicts => "conflicts: other contents stored before",
            Self::Undated => "ids without their own time",
            Self::Small => "small events",
            Self::Large => "large events",
            Self::Poison => "1 of 1,000 a dead letter",
            Self::Partitions100 => "100 partitions",
            Self::Full => return format!("{} rows in the table", settings.rows()),
        };
        title.to_owned()
    }

    pub(super) fn plan(self, settings: &Settings) -> Plan {
        let plain = Mixture::plain(settings.seed);
        let (mixture, before) = match self {
            Self::New | Self::Partitions100 => (plain, Before::Nothing),
            Self::Duplicates1 => (Mixture { duplicates: 10, ..plain }, Before::Nothing),
            Self::Duplicates10 => (Mixture { duplicates: 100, ..plain }, Before::Nothing),
            Self::Replay => (plain, Before::TheSame),
            Self::Conflicts => (Mixture { contradicting: true, ..plain }, Before::OtherContents),
            Self::Undated => (Mixture { ids: IdKind::Undated, ..plain }, Before::Nothing),
            Self::Small => (Mixture { event_bytes: Some(SMALL_BYTES), ..plain }, Before::Nothing),
            Self::Large => (Mixture { event_bytes: Some(LARGE_BYTES), ..plain }, Before::Nothing),
            Self::Poison => (Mixture { poison: 1, ..plain }, Before::Nothing),
            Self::Full => (plain, Before::Rows(settings.rows())),
        };
        let name = self.to_possible_value().expect("no case is hidden");
        Plan {
            name: name.get_name().to_owned(),
            partitions: if self == Self::Partitions100 { 100 } else { 12 },
            records: settings.events() / if self == Self::Large { LARGE_FEWER } else { 1 },
            mixture,
            before,
        }
    }
}
