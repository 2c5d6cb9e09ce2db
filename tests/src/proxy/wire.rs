//! As much of the PostgreSQL protocol, version 3, as is needed to see a COMMIT go by.
//! Source: PostgreSQL documentation, "Message Formats".

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The codes that stand where a startup message has its protocol version.
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// One message, type and length included, as it came.
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    /// A message after startup: a type, a length that counts itself, a body.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        let mut bytes = vec![kind];
        read_counted(from, &mut bytes).await?;
        Ok(Self(bytes))
    }

    /// A message before startup is complete: a length and a body.
    pub(super) async fn read_startup(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = Vec::new();
        read_counted(from, &mut bytes).await?;
        Ok(Self(bytes))
    }

    /// Whether this startup message asks for encryption, which is answered by a single byte.
    pub(super) fn asks_for_encryption(&self) -> bool {
        let code = self.0.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
        matches!(code, Some(SSL_REQUEST | GSSENC_REQUEST))
    }

    pub(super) fn parts(&self) -> Part<'_> {
        let body = self.0.get(5..).unwrap_or_default();
        match self.0.first() {
            Some(b'Q') => Part::Query(text(body).0),
            Some(b'P') => {
                let (name, rest) = text(body);
                Part::Parse { name, sql: text(rest).0 }
            }
            Some(b'B') => {
                let (_portal, rest) = text(body);
                Part::Bind { name: text(rest).0 }
            }
            Some(b'C') => Part::CommandComplete(text(body).0),
            Some(b'Z') => Part::ReadyForQuery,
            _ => Part::Other,
        }
    }
}

/// What matters in a message. Some type bytes mean different things in the two directions ('C' is
/// Close when a client sends it); each side looks only at its own.
pub(super) enum Part<'a> {
    Query(&'a str),
    Parse { name: &'a str, sql: &'a str },
    Bind { name: &'a str },
    CommandComplete(&'a str),
    ReadyForQuery,
    Other,
}

async fn read_counted(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> io::Result<()> {
    let length = from.read_u32().await?;
    let body = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
    into.extend(length.to_be_bytes());
    let read = from.take(body.into()).read_to_end(into).await?;
    if u32::try_from(read) != Ok(body) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// The NUL-terminated text at the beginning, and what follows it.
fn text(bytes: &[u8]) -> (&str, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let rest = bytes.get(end + 1..).unwrap_or_default();
    (std::str::from_utf8(&bytes[..end]).unwrap_or_default(), rest)
}
