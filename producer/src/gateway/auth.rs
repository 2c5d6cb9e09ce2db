//! Who may publish: everybody, or those with a token of the token file.

use std::path::PathBuf;
use std::sync::Arc;

use audit_runtime::exit::UsageError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::callers::{self, Callers};
use super::problem::Problem;
use super::reload::{FileError, Files, NamedFile};

/// Who may publish.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Callers")]
pub(super) struct AuthOptions {
    /// Who may publish: none asks nobody for a token, token-file asks for one of --token-file
    #[arg(long, env = "AUDIT_AUTH", default_value = "none", value_name = "MODE")]
    auth: Mode,

    /// Callers and their tokens, one a line: NAME TOKEN, or NAME TOKEN disabled. Read again when it changes
    #[arg(long, env = "AUDIT_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Mode {
    None,
    TokenFile,
}

impl AuthOptions {
    /// The token file, if callers are to be asked.
    pub(super) fn files(&self) -> Result<Option<Files<Callers, 1>>, UsageError> {
        const FILE: &str = "--token-file (AUDIT_TOKEN_FILE)";
        match (self.auth, &self.token_file) {
            (Mode::None, None) => Ok(None),
            (Mode::None, Some(_)) => Err(UsageError(format!(
                "{FILE} is given, but --auth (AUDIT_AUTH) is none: set --auth token-file, or leave the file out"
            ))),
            (Mode::TokenFile, None) => {
                Err(UsageError(format!("--auth token-file (AUDIT_AUTH) needs {FILE} with it")))
            }
            (Mode::TokenFile, Some(path)) => Ok(Some(Files {
                name: "tokens",
                files: [NamedFile { option: FILE, path: path.clone() }],
                load: load_callers,
            })),
        }
    }
}

fn load_callers([file]: &[NamedFile; 1], [content]: [Vec<u8>; 1]) -> Result<Callers, FileError> {
    file.warn_if_readable_by_all();
    Callers::parse(&content).map_err(|error| file.error(error.to_string()))
}

/// What a request is let in by. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Auth {
    source: Arc<str>,
    callers: Option<watch::Receiver<Arc<Callers>>>,
}

/// CloudEvents source of what a request publishes: the gateway's own, or its caller's part of it. Idempotency keys are
/// scoped by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source(pub(super) Arc<str>);

impl Auth {
    /// `callers` are those to be told apart; without any, everybody is let in.
    pub(super) fn new(source: &str, callers: Option<watch::Receiver<Arc<Callers>>>) -> Self {
        Self { source: source.into(), callers }
    }

    /// Whether callers are told apart.
    pub(super) fn asks(&self) -> bool {
        self.callers.is_some()
    }

    fn admit(&self, headers: &HeaderMap) -> Result<Source, Refusal> {
        let Some(callers) = &self.callers else { return Ok(Source(Arc::clone(&self.source))) };
        let callers = Arc::clone(&callers.borrow());
        let caller = callers.find(bearer_token(headers)?).ok_or(Refusal::UnknownToken)?;
        if caller.disabled {
            return Err(Refusal::Disabled(caller.name.clone()));
        }
        let base = self.source.trim_end_matches('/');
        Ok(Source(format!("{base}/callers/{}", caller.name).into()))
    }
}

/// Lets a request through to its handler, with its [`Source`], or answers it before its body is read.
pub(super) async fn authenticate(
    State(auth): State<Auth>,
    mut request: Request,
    next: Next,
) -> Response {
    match auth.admit(request.headers()) {
        Ok(source) => {
            request.extensions_mut().insert(source);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Debug)]
enum Refusal {
    NoToken(&'static str),
    UnknownToken,
    Disabled(String),
}

/// RFC 6750, section 2.1.
fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken("there is no Authorization header"))?;
    if values.next().is_some() {
        return Err(Refusal::NoToken("there is more than one Authorization header"));
    }
    let malformed = Refusal::NoToken("the Authorization header is not a bearer token");
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            let token = token.trim();
            if callers::is_token(token) { Ok(token.as_bytes()) } else { Err(malformed) }
        }
        _ => Err(malformed),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (problem, challenge) = match self {
            Self::NoToken(why) => {
                (Problem::unauthenticated(why), Some(r#"Bearer realm="kubernaut-audit""#))
            }
            Self::UnknownToken => (
                Problem::unauthenticated("the token is not known"),
                Some(r#"Bearer realm="kubernaut-audit", error="invalid_token""#),
            ),
            Self::Disabled(name) => {
                tracing::debug!(caller = name, "a disabled caller was refused");
                (Problem::disabled(&name), None)
            }
        };
        let mut response = problem.into_response();
        if let Some(challenge) = challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::post;
    use axum::{Extension, Router};
    use tower::ServiceExt;

    use super::*;

    const FILE: &str = "payments 0123456789abcdef\nold fedcba9876543210 disabled";

    struct Test {
        router: Router,
        current: watch::Sender<Arc<Callers>>,
    }

    /// Answers with the source.
    fn test(source: &str) -> Test {
        let (current, callers) = watch::channel(Arc::new(Callers::parse(FILE.as_bytes()).unwrap()));
        Test { router: router(Auth::new(source, Some(callers))), current }
    }

    fn router(auth: Auth) -> Router {
        let handler = async |Extension(Source(source)): Extension<Source>| source.to_string();
        Router::new()
            .route("/", post(handler))
            .route_layer(axum::middleware::from_fn_with_state(auth, authenticate))
    }

    /// Status, challenge and body.
    async fn send(router: &Router, authorization: &[&str]) -> (StatusCode, Option<String>, String) {
        let mut request = Request::post("/");
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, challenge, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn callers_are_part_of_the_source() {
        for (source, expected) in [
            ("/gateway", "/gateway/callers/payments"),
            ("/clusters/eu/", "/clusters/eu/callers/payments"),
            ("https://example.org", "https://example.org/callers/payments"),
        ] {
            for spelling in ["Bearer 0123456789abcdef", "bearer   0123456789abcdef "] {
                let answer = send(&test(source).router, &[spelling]).await;
                assert_eq!(answer, (StatusCode::OK, None, expected.to_owned()));
            }
        }
        let open = router(Auth::new("/gateway", None));
        for anything in [&[][..], &["Bearer 0123456789abcdef"], &["Basic x"]] {
            let answer = send(&open, anything).await;
            assert_eq!(answer, (StatusCode::OK, None, "/gateway".to_owned()));
        }
    }

    #[tokio::test]
    async fn without_a_known_token_there_is_a_challenge() {
        let test = test("/gateway");
        let good = "Bearer 0123456789abcdef";
        for values in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["0123456789abcdef"],
            &["Basic 0123456789abcdef"],
            &["Bearer0123456789abcdef"],
            &["Bearer 0123456789abcdef, Basic x"],
            &["Bearer 0123456789\tabcdef"],
            &[good, good],
        ] {
            let (status, challenge, body) = send(&test.router, values).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{values:?}");
            assert_eq!(challenge.as_deref(), Some(r#"Bearer realm="kubernaut-audit""#));
            assert!(body.contains("problem:unauthenticated") && !body.contains("0123"), "{body}");
        }
        for unknown in ["0123456789abcde", "0123456789abcdef0", "payments", "x"] {
            let (status, challenge, body) =
                send(&test.router, &[&format!("Bearer {unknown}")]).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{unknown}");
            assert!(challenge.unwrap().ends_with(r#", error="invalid_token""#));
            assert!(body.contains("the token is not known"), "{body}");
        }
    }

    #[tokio::test]
    async fn disabled_is_forbidden_and_taken_out_is_unknown() {
        let test = test("/gateway");
        let old = "Bearer fedcba9876543210";
        let (status, challenge, body) = send(&test.router, &[old]).await;
        assert_eq!((status, challenge), (StatusCode::FORBIDDEN, None));
        assert!(body.contains("problem:disabled") && body.contains("of old"), "{body}");

        let changed = Callers::parse(b"old fedcba9876543210").unwrap();
        test.current.send_replace(Arc::new(changed));
        assert_eq!(send(&test.router, &[old]).await.0, StatusCode::OK);
        let gone = send(&test.router, &["Bearer 0123456789abcdef"]).await;
        assert_eq!(gone.0, StatusCode::UNAUTHORIZED);
    }
}
