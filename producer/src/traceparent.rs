//! W3C trace context.

use std::str::FromStr;

/// A well-formed `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

/// The text is no `traceparent`; a service that gets one like it carries on without a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// As in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |part: &str, length: usize| {
            part.len() == length
                && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id = |part: &str, length: usize| {
            is_hex(part, length) && part.bytes().any(|byte| byte != b'0')
        };
        let mut parts = text.trim().split('-');
        let [version, trace, parent, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
        // Later versions may add parts; version ff is forbidden, and 00 has exactly four.
        let complete = version != "00" || parts.next().is_none();
        let bounded = text.len() <= 512;
        let valid = is_hex(version, 2)
            && version != "ff"
            && is_id(trace, 32)
            && is_id(parent, 16)
            && is_hex(flags, 2);
        if valid && complete && bounded {
            Ok(Self(text.trim().to_owned()))
        } else {
            Err(InvalidTraceParent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_standard() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(valid.parse::<TraceParent>().unwrap().as_str(), valid);
        assert!(format!("cc{}-what", &valid[2..]).parse::<TraceParent>().is_ok());
        for invalid in [
            "",
            "00",
            &valid.to_uppercase(),
            &format!("ff{}", &valid[2..]),
            &format!("{valid}-what"),
            &valid.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &valid.replace("b7ad6b7169203331", &"0".repeat(16)),
            &valid[..valid.len() - 1],
        ] {
            assert!(invalid.parse::<TraceParent>().is_err(), "{invalid}");
        }
    }
}
