//! Who may publish, and as whom.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use audit_tests::{
    binary::Binary,
    eventually,
    gateway::{Gateway, PATH, acknowledged},
    generator::{Generator, IdKind},
    http::{self, Response},
    kafka::RawRecord,
    mount::Mount,
    os::free_port,
    shared,
};
use chrono::Utc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SEED: u64 = 0x0A0D_2011;
const LONG: Duration = Duration::from_secs(180);

const PAYMENTS: &str = "tok-payments-6f1c0e9b2d7a4c5f";
const PAYMENTS_NEXT: &str = "tok-payments-c41d8a77e2b94f0e";
const BILLING: &str = "tok-billing-9b2d7a4c5f8e3b1a";

#[tokio::test]
async fn a_caller_is_part_of_the_source_and_has_keys_of_its_own() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("callers");
    kafka.create_audit_topic(&topic, 1).await?;
    let mount = Mount::new(&[(
        "tokens",
        &format!("payments {PAYMENTS}\npayments {PAYMENTS_NEXT}\nbilling {BILLING}\n"),
    )])?;
    let sourced =
        |gateway| with_tokens(gateway, &mount).env("AUDIT_SOURCE", "https://example.org/gw/");
    let gateway = Gateway::start_with(kafka.bootstrap(), &topic, sourced).await?;

    let event = Generator::new(SEED, Utc::now()).event(IdKind::Absent).value();
    let post = async |token: &str| {
        let headers = [("authorization", &*format!("Bearer {token}")), ("idempotency-key", "k-1")];
        anyhow::Ok(acknowledged(&gateway.post_with(&headers, &event).await?)?.id)
    };
    let ids = [post(PAYMENTS).await?, post(PAYMENTS_NEXT).await?, post(BILLING).await?];
    assert_eq!(ids[0], ids[1], "both tokens are the same caller's");
    assert_ne!(ids[0], ids[2], "another caller's key is another key");

    let sources = kafka.read_all(&topic).await?.iter().map(source).collect::<Result<Vec<_>>>()?;
    let expected = ["payments", "payments", "billing"]
        .map(|name| format!("https://example.org/gw/callers/{name}"));
    assert_eq!(sources, expected);
    Ok(())
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so_before_the_body() -> Result<()> {
    let mount = Mount::new(&[("tokens", &format!("payments {PAYMENTS}\n"))])?;
    let gateway = start(&mount).await?;
    let unknown = format!("Bearer {BILLING}");
    for (headers, challenge) in [
        (&[][..], r#"Bearer realm="kubernaut-audit""#),
        (&[("authorization", "Basic dXNlcjpwYXNz")], r#"Bearer realm="kubernaut-audit""#),
        (
            &[("authorization", unknown.as_str())],
            r#"Bearer realm="kubernaut-audit", error="invalid_token""#,
        ),
    ] {
        let answer = gateway.post_with(headers, b"{}").await?;
        is_problem(&answer, 401, "unauthenticated")?;
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert!(!answer.text().contains("tok-"), "{}", answer.text());
    }

    // A body is announced and never sent.
    let mut waiting = TcpStream::connect(gateway.address).await?;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    );
    waiting.write_all(head.as_bytes()).await?;
    let mut status = [0; 12];
    tokio::time::timeout(LONG, waiting.read_exact(&mut status)).await??;
    assert_eq!(&status, b"HTTP/1.1 401");

    let labels = [("route", PATH), ("code", "401")];
    let refused =
        gateway.service.metrics().await?.sum("kubernaut_audit_http_requests_total", &labels);
    assert_eq!(refused, 4.0);
    let nowhere = http::get(gateway.address, "/nowhere").await?;
    is_problem(&nowhere, 404, "not-found")
}

#[tokio::test]
async fn tokens_change_without_a_restart() -> Result<()> {
    let mount =
        Mount::new(&[("tokens", &format!("# callers\npayments {PAYMENTS}\nbilling {BILLING}\n"))])?;
    let gateway = start(&mount).await?;
    assert_eq!(statuses(gateway.address).await?, [400, 401, 400], "400: let in, with no event");

    let file = format!("payments {PAYMENTS_NEXT}\nbilling {BILLING} disabled\n");
    mount.put(&[("tokens", &file)])?;
    settled(gateway.address, [401, 400, 403]).await?;
    let forbidden = post(gateway.address, BILLING).await?;
    is_problem(&forbidden, 403, "disabled")?;
    assert!(forbidden.text().contains("billing"), "{}", forbidden.text());

    for (times, broken) in [(1.0, "payments"), (2.0, ""), (3.0, &*format!("{PAYMENTS} x"))] {
        mount.put(&[("tokens", broken)])?;
        eventually(LONG, "the file to be refused", async || {
            let labels = [("file", "tokens"), ("outcome", "refused")];
            let metrics = gateway.service.metrics().await?;
            let refused = metrics.sum("kubernaut_audit_file_reloads_total", &labels);
            ensure!(refused == times, "{refused} times");
            Ok(())
        })
        .await?;
        assert_eq!(statuses(gateway.address).await?, [401, 400, 403], "{broken:?}");
    }
    eventually(LONG, "the file to be named", async || {
        let ready = http::get(gateway.service.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200 && ready.text().contains("--token-file"), "{}", ready.text());
        Ok(())
    })
    .await?;

    mount.put(&[("tokens", &format!("payments {PAYMENTS}\n"))])?;
    settled(gateway.address, [400, 401, 401]).await?;
    let log = gateway.service.log()?;
    assert!(log.contains("line 1: "), "{log}");
    assert!(!log.contains("tok-"), "a token is in the log: {log}");
    Ok(())
}

#[tokio::test]
async fn bad_options_are_usage_errors() -> Result<()> {
    let mount = Mount::new(&[("tokens", &format!("payments {PAYMENTS}\nbilling {PAYMENTS}\n"))])?;
    let path = mount.path("tokens").display().to_string();
    let missing = mount.path("missing").display().to_string();
    for (args, words) in [
        (vec!["--auth", "password"], ["--auth", "token-file"]),
        (vec!["--auth", "token-file"], ["--auth token-file", "--token-file"]),
        (vec!["--token-file", &path], ["--token-file", "--auth token-file"]),
        (vec!["--auth", "token-file", "--token-file", &missing], [&missing, "No such file"]),
        (
            vec!["--auth", "token-file", "--token-file", &path],
            [&path, "line 2: the same token as in line 1"],
        ),
    ] {
        let gateway = Binary::new("audit-producer").args(["gateway", "--log", "off"]).args(args);
        let output = gateway.run().await?;
        assert_eq!((output.code, output.stderr.lines().count()), (Some(2), 1), "{}", output.stderr);
        for word in words {
            assert!(output.stderr.contains(word), "{word:?} is not in {}", output.stderr);
        }
        assert!(!output.stderr.contains("tok-"), "{}", output.stderr);
    }
    Ok(())
}

fn with_tokens(gateway: Binary, mount: &Mount) -> Binary {
    gateway
        .env("AUDIT_AUTH", "token-file")
        .env("AUDIT_TOKEN_FILE", mount.path("tokens").display().to_string())
}

/// With a broker that cannot be reached.
async fn start(mount: &Mount) -> Result<Gateway> {
    let nobody = format!("127.0.0.1:{}", free_port());
    Gateway::start_with(&nobody, "nowhere", |gateway| with_tokens(gateway, mount)).await
}

/// What is no event, so that it is refused as such once its sender is let in.
async fn post(address: SocketAddr, token: &str) -> Result<Response> {
    let authorization = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    http::post(address, PATH, &headers, b"{}").await
}

/// Of each of the three tokens.
async fn statuses(address: SocketAddr) -> Result<[u16; 3]> {
    let mut statuses = [0; 3];
    for (status, token) in statuses.iter_mut().zip([PAYMENTS, PAYMENTS_NEXT, BILLING]) {
        *status = post(address, token).await?.status;
    }
    Ok(statuses)
}

async fn settled(address: SocketAddr, expected: [u16; 3]) -> Result<()> {
    eventually(LONG, "the changed tokens", async || {
        let statuses = statuses(address).await?;
        ensure!(statuses == expected, "{statuses:?}");
        Ok(())
    })
    .await
}

fn source(record: &RawRecord) -> Result<String> {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(name, _)| name == "ce_source").context("no ce_source")?;
    Ok(String::from_utf8(value.clone().context("no value")?)?)
}

fn is_problem(answer: &Response, status: u16, kind: &str) -> Result<()> {
    ensure!(answer.status == status, "{} {}", answer.status, answer.text());
    ensure!(answer.header("content-type") == Some("application/problem+json"), "{answer:?}");
    ensure!(answer.json()?["type"] == format!("urn:kubernaut-audit:problem:{kind}"), "{answer:?}");
    Ok(())
}
