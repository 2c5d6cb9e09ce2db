//! The W3C `traceparent` header, in which a trace goes from one process to the next.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The span that a `traceparent` names; none if it is not valid.
///
/// Stricter than the SDK's propagator, which takes ids of any length.
#[must_use]
pub fn parse_traceparent(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim().split('-');
    let mut hex = |length| parts.next().filter(|part| is_hex(part, length));
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    // Later versions may add parts; version ff is forbidden.
    if version == "ff" || version == "00" && parts.next().is_some() {
        return None;
    }
    let span = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    span.is_valid().then_some(span)
}

fn is_hex(part: &str, length: usize) -> bool {
    part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The `traceparent` that names a span.
#[must_use]
pub fn traceparent(span: &SpanContext) -> String {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_names_a_span() {
        for flags in ["00", "01"] {
            let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            let span = parse_traceparent(&text).unwrap();
            assert_eq!(span.is_sampled(), flags == "01");
            assert_eq!(traceparent(&span), text);
        }
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parse_traceparent(&format!("cc{}-more", &valid[2..])).is_some());
        for invalid in [
            "",
            "00-4bf9-00f0-01",
            &valid.to_uppercase(),
            &format!("ff{}", &valid[2..]),
            &format!("{valid}-more"),
            &valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
        ] {
            assert!(parse_traceparent(invalid).is_none(), "{invalid}");
        }
    }
}
