//! What the routes have in common: the headers they read and the problems they answer with.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response};
use utoipa::{IntoParams, IntoResponses};

use crate::gateway::problem::MEDIA_TYPE;
use crate::gateway::request::Context;

/// An idempotency key as the gateway reads it: a quoted string with its escapes, or bare.
const KEY: &str = r#"^(?:"(?:[\t !#-\[\]-~]|\\["\\]){1,255}"|[!#-~](?:[\t -~]{0,253}[!-~])?)$"#;

impl IntoParams for Context {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = |name: &str, description: &str, schema: ObjectBuilder| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema.schema_type(Type::String)))
                .build()
        };
        vec![
            header(
                "Idempotency-Key",
                "The sender's own name for what has no id: up to 255 characters, quoted or not",
                ObjectBuilder::new().pattern(Some(KEY)),
            ),
            header(
                "traceparent",
                "W3C trace context, carried into the records; a malformed one is ignored",
                ObjectBuilder::new(),
            ),
        ]
    }
}

/// Problems of a request that both routes can have.
pub(in crate::gateway) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([
            problem("400", "The body or a header is not valid: `errors` names each field"),
            challenge("401", "The gateway tells its callers apart, and no known token came along"),
            problem(
                "403",
                "The gateway tells its callers apart, and this one is not let in any more",
            ),
            problem("408", "The body did not arrive in time"),
            problem("413", "The body is too large"),
            problem("415", "The body is of a type that is not taken here"),
            retriable_problem("429", "Too many requests are under way"),
        ])
    }
}

/// Problems of publishing that are the answer to one event; in a batch they are results.
pub(in crate::gateway) struct Unavailable;

impl IntoResponses for Unavailable {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([
            problem("500", "Kafka says that it will never take this event: tell an operator"),
            retriable_problem("503", "Kafka did not take the event in time, or the queue is full"),
        ])
    }
}

fn problem(status: &str, description: &str) -> (String, RefOr<Response>) {
    (status.to_owned(), response(description).build().into())
}

fn retriable_problem(status: &str, description: &str) -> (String, RefOr<Response>) {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build();
    let retry_after =
        HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait")).build();
    let response = response(description).header("Retry-After", retry_after);
    (status.to_owned(), response.build().into())
}

fn challenge(status: &str, description: &str) -> (String, RefOr<Response>) {
    let scheme = ObjectBuilder::new().schema_type(Type::String).build();
    let header = HeaderBuilder::new().schema(Some(scheme)).description(Some("Bearer")).build();
    (status.to_owned(), response(description).header("WWW-Authenticate", header).build().into())
}

fn response(description: &str) -> ResponseBuilder {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, problem)
}
