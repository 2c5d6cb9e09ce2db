//! The equation between ledgers and tables.
//!
//! Whatever order records come in and whichever stream reads them, one of each id is the first (stored), and each further
//! content of an id is new once (superseding or late); a content that becomes current again changes places with
//! another. A record that cannot be stored is a dead letter of the stream that reads it first; what a retry makes of it later
//! is not in a ledger but with the dead letter.

use super::finding::{Finding, Findings};
use super::ledger::Ledger;
use super::letters::Retried;
use super::tables::Counted;

pub(super) fn check(
    ledger: &Ledger,
    retried: Retried,
    counted: Counted,
    dead_letters: i64,
    findings: &mut Findings,
) {
    let sums = [
        (
            "stored",
            ledger.sum(|batch| batch.stored) + retried.stored,
            counted.rows,
            "rows in the table",
        ),
        (
            "superseding or late",
            ledger.sum(|batch| batch.others) + retried.others,
            counted.history,
            "rows in the history",
        ),
        (
            "dead-lettered",
            ledger.sum(|batch| batch.dead_lettered),
            dead_letters,
            "dead letters, resolved ones included",
        ),
        ("expired", ledger.sum(|batch| batch.expired), 0, "months that were dropped"),
    ];
    for (what, booked, found, of) in sums {
        if booked != found {
            let found = format!(
                "ledgers and retries have {booked} records as {what}, and there are {found} {of}"
            );
            findings.push(Finding::new("sums", found));
        }
    }
}
