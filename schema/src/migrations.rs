//! The database schema, as append-only migrations that any runner can apply in order.

/// Every migration as (name, SQL), oldest first. Names follow refinery's `V{version}__{title}`.
///
/// A migration that has been released is never edited: a change is a new file and a new line here.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__events", include_str!("../migrations/V1__events.sql")),
    ("V2__ledger", include_str!("../migrations/V2__ledger.sql")),
    ("V3__dead_letters", include_str!("../migrations/V3__dead_letters.sql")),
    ("V4__reports", include_str!("../migrations/V4__reports.sql")),
    ("V5__support", include_str!("../migrations/V5__support.sql")),
    ("V6__roles", include_str!("../migrations/V6__roles.sql")),
    ("V7__report_filters", include_str!("../migrations/V7__report_filters.sql")),
    ("V8__id_time_inlined", include_str!("../migrations/V8__id_time_inlined.sql")),
    ("V9__dead_letter_retries", include_str!("../migrations/V9__dead_letter_retries.sql")),
    ("V10__replay", include_str!("../migrations/V10__replay.sql")),
];

/// The schema version this build was made for: that of its newest migration.
pub const SCHEMA_VERSION: i32 = 10;

/// The oldest schema version this build can work with.
pub const OLDEST_SCHEMA: i32 = 6;

/// The oldest schema version the reports can be read from.
pub const OLDEST_REPORT_SCHEMA: i32 = 7;

/// The oldest schema version whose dead letters can be looked at, tried again and verified.
pub const OLDEST_DEAD_LETTER_SCHEMA: i32 = 9;

/// The oldest schema version that has replays.
pub const OLDEST_REPLAY_SCHEMA: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_their_version_in_order() {
        for (at, (name, _)) in MIGRATIONS.iter().enumerate() {
            assert!(name.starts_with(&format!("V{}__", at + 1)), "{name}");
        }
        assert_eq!(MIGRATIONS.len(), usize::try_from(SCHEMA_VERSION).unwrap());
    }
}
