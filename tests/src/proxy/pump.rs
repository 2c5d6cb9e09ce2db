//! The two directions of a connection, message by message.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    CutAt, forwarding,
    session::Controls,
    wire::{Message, Part},
};

/// Client to server. Returns to cut the connection where COMMIT must not arrive.
pub(super) async fn requests(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    controls: &Controls,
    reply_is_cut: &AtomicBool,
) -> io::Result<()> {
    let mut seen = Statements::default();
    loop {
        let message = Message::read(from).await?;
        forwarding(&controls.mode).await;
        if seen.commits(&message.parts()) {
            match controls.claim(&seen.of_transaction) {
                Some(CutAt::Commit) => {
                    controls.cuts.send_modify(|cuts| *cuts += 1);
                    return Ok(());
                }
                Some(CutAt::CommitReply) => reply_is_cut.store(true, Ordering::SeqCst),
                None => {}
            }
            seen.of_transaction.clear();
        }
        to.write_all(&message.0).await?;
    }
}

/// Server to client. Returns to cut the connection where the answer to COMMIT must not arrive: once
/// the server says that the commit is done and that it is ready for more. A COMMIT that failed is
/// answered by something else, which passes, as do all later answers on this connection.
pub(super) async fn replies(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    controls: &Controls,
    reply_is_cut: &AtomicBool,
) -> io::Result<()> {
    let mut held_back = false;
    loop {
        let message = Message::read(from).await?;
        forwarding(&controls.mode).await;
        match message.parts() {
            Part::CommandComplete("COMMIT") if reply_is_cut.load(Ordering::SeqCst) => {
                held_back = true;
            }
            Part::ReadyForQuery if held_back => {
                controls.cuts.send_modify(|cuts| *cuts += 1);
                return Ok(());
            }
            _ if held_back => {}
            _ => to.write_all(&message.0).await?,
        }
    }
}

/// The statements of a connection: those prepared, and those of the transaction in progress.
#[derive(Default)]
struct Statements {
    prepared: HashMap<String, Arc<str>>,
    of_transaction: Vec<Arc<str>>,
}

impl Statements {
    /// Takes note of a message; true if it is COMMIT.
    fn commits(&mut self, part: &Part<'_>) -> bool {
        match part {
            Part::Query(sql) => {
                let last = sql.trim_end_matches([';', ' ', '\n']).rsplit(';').next();
                if last.is_some_and(|last| last.trim().eq_ignore_ascii_case("COMMIT")) {
                    self.of_transaction.push((*sql).into());
                    return true;
                }
                if sql.trim_start().to_ascii_uppercase().starts_with("ROLLBACK")
                    && !sql.to_ascii_uppercase().contains("SAVEPOINT")
                {
                    self.of_transaction.clear();
                } else {
                    self.of_transaction.push((*sql).into());
                }
            }
            Part::Parse { name, sql } => {
                self.prepared.insert((*name).to_owned(), (*sql).into());
            }
            Part::Bind { name } => self.of_transaction.extend(self.prepared.get(*name).cloned()),
            Part::CommandComplete(_) | Part::ReadyForQuery | Part::Other => {}
        }
        false
    }
}
