//! Ports that stay free while a server is down.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

/// Below the range from which the kernel takes the ports of outgoing connections (32768 and up by
/// default), so that nobody is given a server's port between its crash and its restart.
const CANDIDATES: std::ops::Range<u16> = 15_000..32_000;

/// A port on 127.0.0.1 that nothing listens on, and that this process has not handed out before.
///
/// # Panics
/// No port is free.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = taken.get_or_insert_default();
    for _ in CANDIDATES {
        let port = fastrand::u16(CANDIDATES);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && taken.insert(port) {
            return port;
        }
    }
    panic!("no port of 127.0.0.1 in {CANDIDATES:?} is free");
}
