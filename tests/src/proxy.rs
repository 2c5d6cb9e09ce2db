//! A TCP proxy in front of PostgreSQL that loses connections at the worst moments.

mod pump;
mod session;
mod wire;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

use self::session::{Controls, PlannedCuts};
use crate::os::free_port;

/// What happens to traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It passes.
    #[default]
    Forward,
    /// Nothing passes; connections stay, and new ones are accepted: a network that swallows packets.
    Stall,
    /// New connections are refused, and existing ones go on: a port that nobody listens on.
    Refuse,
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutAt {
    /// Instead of sending COMMIT to the server: the transaction is rolled back.
    Commit,
    /// Instead of sending the server's answer to COMMIT: the transaction is committed, and the
    /// client cannot know.
    CommitReply,
}

/// A proxy on a port of its own. It runs on its own thread, so a test that blocks does not stop it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    controls: Arc<Controls>,
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Starts to forward connections to `target`.
    ///
    /// # Errors
    /// No thread or no port is to be had.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()?;
        let controls = Arc::new(Controls::default());
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(serve(listener, address, target, controls.clone()));
        Ok(Self { address, controls, runtime: Some(runtime) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the target with this proxy's address instead.
    #[must_use]
    pub fn url(&self, target: SocketAddr, url: &str) -> String {
        url.replace(&target.to_string(), &self.address.to_string())
    }

    /// Changes what happens to traffic, from this moment. Back to [`Mode::Forward`], stalled bytes
    /// go on their way.
    pub fn set_mode(&self, mode: Mode) {
        self.controls.mode.send_replace(mode);
    }

    /// Cuts all connections that are open now.
    pub fn cut_all(&self) {
        self.controls.generation.send_modify(|generation| *generation += 1);
    }

    /// Cuts the connection of the next transaction that commits, once. `containing` narrows it to
    /// transactions one of whose statements holds this text (also statements prepared earlier on
    /// the connection); "" takes any. A COMMIT is seen as a simple query without TLS.
    pub fn cut_next_commit(&self, at: CutAt, containing: &str) {
        self.cut_next_commits(1, at, containing);
    }

    /// The same for so many of the next, further attempts of the same work included.
    pub fn cut_next_commits(&self, count: u32, at: CutAt, containing: &str) {
        self.controls.plan(PlannedCuts { count, at, containing: containing.to_owned() });
    }

    /// How many connections were cut at a COMMIT so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        *self.controls.cuts.borrow()
    }

    /// Waits until `count` connections were cut at a COMMIT.
    ///
    /// # Errors
    /// It has not come to that within `limit`.
    pub async fn wait_for_cuts(&self, count: u64, limit: Duration) -> Result<()> {
        let mut cuts = self.controls.cuts.subscribe();
        let enough = cuts.wait_for(|cuts| *cuts >= count);
        tokio::time::timeout(limit, enough)
            .await
            .with_context(|| format!("{} cuts of {count} within {limit:?}", self.cuts()))??;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not be dropped the ordinary way inside another one.
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    controls: Arc<Controls>,
) {
    let mut mode = controls.mode.subscribe();
    let mut listener = Some(listener);
    loop {
        if *mode.borrow_and_update() == Mode::Refuse {
            listener = None;
            if mode.wait_for(|mode| *mode != Mode::Refuse).await.is_err() {
                return;
            }
        }
        if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else { continue };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(connect(client, target, controls.clone()));
                }
            }
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, controls: Arc<Controls>) -> io::Result<()> {
    let generation = controls.generation.subscribe();
    forwarding(&controls.mode).await;
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    session::run(client, server, &controls, generation).await
}

/// Waits while traffic is stalled.
async fn forwarding(mode: &watch::Sender<Mode>) {
    // The error would be that the sender is gone, and we hold it.
    mode.subscribe().wait_for(|mode| *mode != Mode::Stall).await.ok();
}
