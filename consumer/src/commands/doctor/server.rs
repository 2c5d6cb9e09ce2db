//! The PostgreSQL server and how it is set up.

use tokio_postgres::{Client, Row};

use super::finding::Finding;
use crate::commands::writing::{DEFAULT_LANES, SIDE_CONNECTIONS};

/// The oldest version that is tested; its `server_version_num`.
const OLDEST: i32 = 150_000;

/// Reserved places are for superusers and, since version 16, for those who are granted them.
const SERVER: &str = "\
SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_user::text,
    current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
    getdatabaseencoding()::text,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int";

pub(super) async fn check(client: &Client, place: &str) -> Vec<Finding> {
    let row = match client.query_one(SERVER, &[]).await {
        Ok(row) => row,
        Err(error) => return vec![Finding::unanswered("database", &error)],
    };
    let found = format!(
        "PostgreSQL {} at {place}, as {}",
        row.get::<_, String>(0),
        row.get::<_, String>(2)
    );
    vec![version(row.get(1), found), encoding(&row), durability(&row), connections(&row)]
}

fn version(number: i32, found: String) -> Finding {
    if number < OLDEST {
        return Finding::bad("database", found, "upgrade it to version 15 or later");
    }
    Finding::good("database", found)
}

fn encoding(row: &Row) -> Finding {
    let encoding: String = row.get(6);
    if encoding != "UTF8" {
        let advice = "make a database with ENCODING 'UTF8': others cannot hold every event";
        return Finding::bad("database encoding", encoding, advice);
    }
    Finding::good("database encoding", encoding)
}

fn durability(row: &Row) -> Finding {
    let check = "database settings";
    let is_off = |column: usize| row.get::<_, String>(column) == "off";
    if is_off(3) {
        let advice = "set fsync = on: a crash of the machine can destroy the database";
        return Finding::bad(check, "fsync is off", advice);
    }
    if is_off(4) {
        let advice = "set full_page_writes = on: a crash of the machine can destroy pages";
        return Finding::bad(check, "full_page_writes is off", advice);
    }
    // Position and rows go back together, so what a crash takes is read again: nothing is lost, nor gained.
    if is_off(5) {
        let advice = "set synchronous_commit = on: off makes nothing here faster, and a crash takes the last commits back";
        return Finding::warning(check, "synchronous_commit is off", advice);
    }
    Finding::good(check, "fsync, full_page_writes and synchronous_commit are on")
}

fn connections(row: &Row) -> Finding {
    let check = "database connections";
    let free: i32 = row.get(7);
    let wanted = i32::from(DEFAULT_LANES) + i32::try_from(SIDE_CONNECTIONS).unwrap_or(i32::MAX);
    if free < wanted {
        return Finding::warning(
            check,
            format!("{free} free"),
            format!(
                "raise max_connections: a consumer takes up to {wanted} (--lanes and {SIDE_CONNECTIONS} more)"
            ),
        );
    }
    Finding::good(check, format!("{free} free"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn versions_before_fifteen_are_bad() {
        assert_eq!(version(140_020, String::new()).status, Status::Bad);
        assert_eq!(version(150_000, String::new()).status, Status::Good);
        assert_eq!(version(180_001, String::new()).status, Status::Good);
    }
}
