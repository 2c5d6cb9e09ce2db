//! Ports that stay free while a server is down.

use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::{Mutex, PoisonError},
};

/// Below the range from which the kernel takes the ports of outgoing connections (32768 and up by
/// default), so that nobody is given a server's port between its crash and its restart.
const CANDIDATES: Range<u16> = 15_000..32_000;
/// Ports that a process claims at a time.
const BLOCK: u16 = 100;

/// A port on 127.0.0.1 that nothing listens on, and that nobody who uses this harness was handed before: neither this
/// process nor another one that runs now.
///
/// # Panics
/// No port is free.
#[must_use]
pub fn free_port() -> u16 {
    static PORTS: Mutex<Ports> = Mutex::new(Ports { claims: Vec::new(), left: 0..0 });
    PORTS.lock().unwrap_or_else(PoisonError::into_inner).next()
}

struct Ports {
    /// Held for as long as this process lives.
    claims: Vec<UnixListener>,
    /// Of the block that was claimed last.
    left: Range<u16>,
}

impl Ports {
    fn next(&mut self) -> u16 {
        loop {
            let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
            if let Some(port) = self.left.find(is_free) {
                return port;
            }
            self.claim();
        }
    }

    /// Claims a block by a name that one process can have at a time, and that goes with it.
    fn claim(&mut self) {
        let blocks = u16::try_from(CANDIDATES.len()).expect("they are ports") / BLOCK;
        let first = fastrand::u16(..blocks);
        for block in (first..blocks).chain(0..first) {
            let name = SocketAddr::from_abstract_name(format!("audit-tests-ports-{block}"));
            if let Ok(claim) = name.and_then(|name| UnixListener::bind_addr(&name)) {
                self.claims.push(claim);
                let start = CANDIDATES.start + block * BLOCK;
                self.left = start..start + BLOCK;
                return;
            }
        }
        panic!("no port of 127.0.0.1 in {CANDIDATES:?} is free");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// As two processes would.
    #[test]
    fn a_block_is_claimed_once() {
        let mut both = [(); 2].map(|()| Ports { claims: Vec::new(), left: 0..0 });
        let mut starts = BTreeSet::new();
        for round in 0..30 {
            let ports = &mut both[round % 2];
            ports.claim();
            assert!(starts.insert(ports.left.start), "{:?} was claimed before", ports.left);
        }
    }
}
