//! The W3C `traceparent` header, in which a trace goes from one process to the next.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The span that a `traceparent` names; none if it is not valid.
#[must_use]
pub fn parse_traceparent(text: &str) -> Option<SpanContext> {
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(text));
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// The `traceparent` that names a span.
#[must_use]
pub fn traceparent(span: &SpanContext) -> String {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
}

struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
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
        for invalid in
            ["", "00-4bf9-00f0-01", &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))]
        {
            assert!(parse_traceparent(invalid).is_none(), "{invalid}");
        }
    }
}
