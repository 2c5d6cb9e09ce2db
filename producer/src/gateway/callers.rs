//! The token file: who may publish, and with which tokens.
//!
//! ```text
//! # one token a line: who it is, the token, and maybe `disabled`
//! payments    6f1c0e9b2d7a4c5f8e3b1a0d9c8f7e6d
//! payments    c41d8a77e2b94f0ea6d35b9c1f80e24a
//! old-cluster 9b2d7a4c5f8e3b1a0d9c8f7e6d6f1c0e disabled
//! ```

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Shorter tokens can be guessed.
const SHORTEST_TOKEN: usize = 16;
const LONGEST_NAME: usize = 64;

/// Everybody who has a token. Holds no tokens, only their SHA-256.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Callers(Vec<Caller>);

/// Who a token stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// One segment of a URI as it is.
    pub(super) name: String,
    /// Known, and refused.
    pub(super) disabled: bool,
    hash: [u8; 32],
}

/// Why a token file cannot be used. Says where and never what: the words there may be a token in the wrong place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenFileError {
    #[error("not UTF-8")]
    NotText,
    #[error("no tokens in it")]
    Empty,
    #[error("line {line}: {reason}")]
    Line { line: usize, reason: String },
}

impl Callers {
    pub(super) fn parse(text: &[u8]) -> Result<Self, TokenFileError> {
        let text = std::str::from_utf8(text).map_err(|_| TokenFileError::NotText)?;
        let mut callers = Vec::new();
        let mut lines_by_hash = HashMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let wrong = |reason: String| TokenFileError::Line { line, reason };
            let caller = Caller::parse(text).map_err(|reason| wrong(reason.to_owned()))?;
            if let Some(first) = lines_by_hash.insert(caller.hash, line) {
                return Err(wrong(format!("the same token as in line {first}")));
            }
            callers.push(caller);
        }
        if callers.is_empty() { Err(TokenFileError::Empty) } else { Ok(Self(callers)) }
    }

    /// Whose token this is. Takes the same time whichever it is, if any.
    pub(super) fn find(&self, token: &[u8]) -> Option<&Caller> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut found = Choice::from(0);
        let mut at = 0;
        for (index, caller) in (0_u64..).zip(&self.0) {
            let same = caller.hash.ct_eq(&hash);
            at.conditional_assign(&index, same);
            found |= same;
        }
        bool::from(found).then(|| usize::try_from(at).ok()).flatten().and_then(|at| self.0.get(at))
    }
}

impl Caller {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, token, disabled) = match words[..] {
            [name, token] => (name, token, false),
            [name, token, "disabled"] => (name, token, true),
            _ => return Err("write NAME TOKEN, or NAME TOKEN disabled"),
        };
        if !is_name(name) {
            return Err(
                "the name must be 1 to 64 characters of a-z, A-Z, 0-9, '-', '.', '_' and '~'",
            );
        }
        if !is_token(token) {
            return Err(
                "the token must be letters, digits, '-', '.', '_', '~', '+' and '/', then maybe '='",
            );
        }
        if token.len() < SHORTEST_TOKEN {
            return Err(
                "the token is shorter than 16 characters: `openssl rand -hex 32` makes one",
            );
        }
        Ok(Self { name: name.to_owned(), disabled, hash: Sha256::digest(token).into() })
    }
}

/// Unreserved characters of a URI (RFC 3986, section 2.3), and not a step up or on the spot.
fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.len() <= LONGEST_NAME && text.bytes().all(legal) && !matches!(text, "" | "." | "..")
}

/// What a client can send after `Bearer` (RFC 6750, section 2.1: b64token).
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "6f1c0e9b2d7a4c5f8e3b1a0d9c8f7e6d";
    const NEW: &str = "Tm90LWEtc2VjcmV0LTEyMw+/~.==";

    #[test]
    fn a_token_tells_its_caller() {
        let file = format!(
            "# callers\n\npayments {OLD}\r\n\tpayments\t{NEW}  \nold.cluster 0123456789abcdef disabled"
        );
        let callers = Callers::parse(file.as_bytes()).unwrap();
        let find = |token: &str| {
            callers.find(token.as_bytes()).map(|caller| (caller.name.as_str(), caller.disabled))
        };
        assert_eq!(find(OLD), Some(("payments", false)));
        assert_eq!(find(NEW), Some(("payments", false)));
        assert_eq!(find("0123456789abcdef"), Some(("old.cluster", true)));
        for unknown in ["", "0123456789abcde", "0123456789abcdefg", "0123456789ABCDEF", "payments"]
        {
            assert_eq!(find(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_without_the_words_there() {
        let secret = "hunter2-hunter2-hunter2";
        for (line, reason) in [
            (secret.to_owned(), "NAME TOKEN"),
            (format!("a:{secret}"), "NAME TOKEN"),
            (format!("a {secret} off"), "NAME TOKEN"),
            (format!("a {secret} disabled twice"), "NAME TOKEN"),
            (format!("a/b {secret}"), "the name"),
            (format!(".. {secret}"), "the name"),
            (format!("ä {secret}"), "the name"),
            (format!("{} {secret}", "n".repeat(65)), "the name"),
            (format!("a {secret}!"), "the token must be"),
            (format!("a ={secret}"), "the token must be"),
            ("a ================".to_owned(), "the token must be"),
            ("a 0123456789abcde".to_owned(), "shorter than 16"),
            (format!("{secret} short"), "shorter than 16"),
        ] {
            let file = format!("good 0123456789abcdef\n# comment\n{line}\n");
            let error = Callers::parse(file.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 3: ") && error.contains(reason), "{line}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_token_stands_for_one_caller() {
        let file = format!("a {OLD}\n\nb {OLD}");
        let error = Callers::parse(file.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "line 3: the same token as in line 1");
    }

    #[test]
    fn a_file_without_tokens_is_most_likely_half_written() {
        for file in [&b""[..], b"# nobody\n", b"\n\n"] {
            assert_eq!(Callers::parse(file), Err(TokenFileError::Empty));
        }
        assert_eq!(Callers::parse(b"a \xff"), Err(TokenFileError::NotText));
    }
}
