//! One client's connection: what is planned for it, and when it ends.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
};

use super::{CutAt, Mode, pump, wire::Message};

/// What the owner of the proxy and its connections share.
#[derive(Debug, Default)]
pub(super) struct Controls {
    pub(super) mode: watch::Sender<Mode>,
    /// Raised to cut all connections that are older.
    pub(super) generation: watch::Sender<u64>,
    /// Connections cut at a COMMIT.
    pub(super) cuts: watch::Sender<u64>,
    planned: Mutex<Option<PlannedCuts>>,
}

#[derive(Debug)]
pub(super) struct PlannedCuts {
    /// Of these, what is left to do.
    pub(super) count: u32,
    pub(super) at: CutAt,
    pub(super) containing: String,
}

impl Controls {
    pub(super) fn plan(&self, cuts: PlannedCuts) {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(cuts);
    }

    /// A planned cut, if it is for a transaction of these statements. Whoever gets it does it.
    pub(super) fn claim(&self, statements: &[Arc<str>]) -> Option<CutAt> {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let cuts = planned.as_mut().filter(|cuts| cuts.count > 0)?;
        statements.iter().any(|sql| sql.contains(&cuts.containing)).then(|| {
            cuts.count -= 1;
            cuts.at
        })
    }
}

/// Forwards both directions until either ends or the connection is cut. Both sockets are closed
/// together, so that neither side sees half a connection.
pub(super) async fn run(
    client: TcpStream,
    server: TcpStream,
    controls: &Controls,
    mut generation: watch::Receiver<u64>,
) -> io::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut from_client = BufReader::new(from_client);
    let mut from_server = BufReader::new(from_server);
    let reply_is_cut = AtomicBool::new(false);
    let forward = async {
        startup(&mut from_client, &mut to_client, &mut from_server, &mut to_server).await?;
        tokio::select! {
            ended = pump::requests(&mut from_client, &mut to_server, controls, &reply_is_cut) => ended,
            ended = pump::replies(&mut from_server, &mut to_client, controls, &reply_is_cut) => ended,
        }
    };
    tokio::select! {
        ended = forward => ended,
        _cut = generation.changed() => Ok(()),
    }
}

/// The messages that have no type byte.
///
/// # Errors
/// A side has gone, or server and client agreed to encrypt, which nothing here can look into.
async fn startup(
    from_client: &mut (impl AsyncRead + Unpin),
    to_client: &mut (impl AsyncWrite + Unpin),
    from_server: &mut (impl AsyncRead + Unpin),
    to_server: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let message = Message::read_startup(from_client).await?;
        to_server.write_all(&message.0).await?;
        if !message.asks_for_encryption() {
            return Ok(());
        }
        let answer = from_server.read_u8().await?;
        to_client.write_u8(answer).await?;
        if answer != b'N' {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
}
