//! Binding sockets, with an error that says which option to change.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// At most so many connections wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`). The standard
/// library's 128 are taken by one burst of clients, and who finds no place waits a second before it tries again.
pub const BACKLOG: u32 = 1024;

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}; choose another address with {option}", reason(cause))]
pub struct ListenError {
    address: SocketAddr,
    option: &'static str,
    /// Told by the message, so not a source, which would tell it again.
    cause: std::io::Error,
}

/// Listens on the address; `option` is the flag it came from.
///
/// # Errors
/// [`ListenError`], which names address, reason and option.
pub async fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, ListenError> {
    listen(address).map_err(|cause| ListenError { address, option, cause })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted process takes the address of connections that have only just ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another process already listens there".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "not permitted (ports below 1024 need the right to)".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_one_clear_line() {
        let taken = bind("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(address, "--listen").await.unwrap_err();
        let expected = format!(
            "cannot listen on {address}: another process already listens there; choose another address with --listen"
        );
        assert_eq!(error.to_string(), expected);
    }
}
