//! What was sent, what became of it, and whether that is proven.

use anyhow::Result;
use audit_tests::screen::Screen;

use crate::{
    proof::{Account, Proof},
    publish::Published,
    settings::Settings,
    table::{grouped, table},
    watch::Run,
};

pub(crate) fn title(settings: &Settings, screen: &Screen) -> Result<()> {
    screen.say(format!(
        "kubernaut-audit demo: {} audit events go through a real Kafka into a real PostgreSQL, some of them\n\
         twice, some contradicting others, some broken; one of two consumers is killed on the way. Then all of it\n\
         is checked. It takes about a minute. The events are made from seed {} (SEED=.. for others).\n",
        grouped(settings.events + Settings::HTTP_EVENTS),
        settings.seed,
    ))
}

pub(crate) fn print(
    published: &Published,
    run: &Run,
    proof: &Proof,
    screen: &Screen,
) -> Result<()> {
    sent(published, screen)?;
    arrived(run, proof, screen)?;
    ledger(proof, screen)?;
    verdict(published, proof, screen)
}

fn sent(published: &Published, screen: &Screen) -> Result<()> {
    let rows = [
        (published.library, "new events through the AuditPublisher library"),
        (published.library_repeated, "of these once more, as after a lost acknowledgement"),
        (published.contradicted, "other contents for an id that was sent before"),
        (published.http, "new events by HTTP through the gateway, each answered 201"),
        (published.http_repeated, "of these once more, spelled differently"),
        (
            published.poison,
            "broken records that no publisher lets through, written to the topic directly",
        ),
        (published.total(), "in all"),
    ];
    screen.say("\nPublished, and acknowledged by Kafka")?;
    for (count, what) in rows {
        screen.say(format!("  {:>9}  {what}", grouped(count)))?;
    }
    Ok(())
}

fn arrived(run: &Run, proof: &Proof, screen: &Screen) -> Result<()> {
    let total = |count: fn(&Account) -> i64| -> i64 { proof.ledger.iter().map(count).sum() };
    let stored = total(|account| account.stored);
    let rows = [
        (stored, "stored: one row for each id"),
        (total(|account| account.duplicate), "duplicate: the same content again; nothing written"),
        (
            total(|account| account.superseding),
            "superseding: newer content is the row now, the older is in the history table",
        ),
        (total(|account| account.late), "late: older content that arrived later, put into history"),
        (
            total(|account| account.dead_lettered),
            "dead-lettered: broken, kept byte for byte with the reason",
        ),
    ];
    screen.say("\nWhat became of it in PostgreSQL")?;
    for (count, what) in rows {
        screen.say(format!("  {:>9}  {what}", grouped(count)))?;
    }
    #[expect(clippy::cast_precision_loss, reason = "to be read, not to be reckoned with")]
    let rate = stored as f64 / run.took.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
    let rate = grouped(rate as u64);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    screen.say(format!(
        "  {rate} rows/s from the first event to the last row ({:.1} s), everything sharing {cores} cores; the killed\n  \
         consumer's partitions had a new owner {:.1} s after the kill",
        run.took.as_secs_f64(),
        run.takeover.as_secs_f64(),
    ))
}

fn ledger(proof: &Proof, screen: &Screen) -> Result<()> {
    let header = [
        "partition",
        "start",
        "end",
        "stored",
        "duplicate",
        "superseding",
        "late",
        "dead",
        "other",
        "sum",
        "= end-start",
    ];
    let row = |name: String, account: &Account| {
        let numbers = [
            account.start,
            account.end,
            account.stored,
            account.duplicate,
            account.superseding,
            account.late,
            account.dead_lettered,
            account.other,
            account.sum(),
        ];
        let mut row = vec![name];
        row.extend(numbers.map(grouped));
        row.push(yes_no(account.balances()).to_owned());
        row
    };
    let mut rows: Vec<_> =
        proof.ledger.iter().map(|account| row(account.partition.to_string(), account)).collect();
    let all = proof.ledger.iter().fold(
        Account {
            partition: -1,
            start: 0,
            end: 0,
            stored: 0,
            duplicate: 0,
            superseding: 0,
            late: 0,
            dead_lettered: 0,
            other: 0,
        },
        |all, one| Account {
            partition: -1,
            start: all.start + one.start,
            end: all.end + one.end,
            stored: all.stored + one.stored,
            duplicate: all.duplicate + one.duplicate,
            superseding: all.superseding + one.superseding,
            late: all.late + one.late,
            dead_lettered: all.dead_lettered + one.dead_lettered,
            other: all.other + one.other,
        },
    );
    rows.push(row("all".to_owned(), &all));
    screen.say(
        "\nThe ledger (table audit_batch) against the topic's offsets, as the broker gives them",
    )?;
    screen.say(table(&header, &rows))
}

fn verdict(published: &Published, proof: &Proof, screen: &Screen) -> Result<()> {
    screen.say("\nProof")?;
    screen.say(format!(
        "  every offset is accounted for: {}",
        yes_no(proof.every_offset_is_accounted_for())
    ))?;
    screen.say(format!(
        "  every acknowledged event is in the topic, and nothing else is\n  ({} acknowledged, {} records): {}",
        grouped(published.total()),
        grouped(proof.records),
        yes_no(proof.lost == 0 && proof.nothing_else),
    ))?;
    match &proof.comparison {
        Ok(summary) => screen.say(format!(
            "  the tables hold exactly what the topic's records come to, recomputed and compared row by row\n  \
             ({} rows, {} in history, {} dead letters, every digest taken anew): yes",
            grouped(summary.ids),
            grouped(summary.history),
            grouped(summary.dead_letters),
        ))?,
        Err(differences) => screen.say(format!(
            "  the tables hold exactly what the topic's records come to: NO\n  {differences:#}"
        ))?,
    }
    screen.say(format!(
        "  the database's own word, complete up to (view audit_completeness): {}",
        proof.complete_up_to.as_deref().unwrap_or("not known")
    ))?;
    screen.say(if proof.holds() {
        "  => each event that was acknowledged arrived, and arrived once"
    } else {
        "  => THE PROOF FAILED: something was lost, doubled or altered"
    })
}

fn yes_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "NO" }
}
