//! HTTPS, and certificates that change under way. Where no event is to arrive, no broker is needed.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    certificates::{Authority, EXPIRES, Pair},
    eventually,
    gateway::{Gateway, PATH, acknowledged},
    generator::Generator,
    http,
    https::{Https, served},
    mount::Mount,
    os::free_port,
    shared,
};
use chrono::Utc;
use rustls::{
    ALL_VERSIONS,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SEED: u64 = 0x0A0D_2010;
const LONG: Duration = Duration::from_secs(180);
const NAMES: &[&str] = &["localhost", "127.0.0.1"];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn events_are_taken_over_both_versions() -> Result<()> {
    let kafka = shared::kafka().await?;
    let topic = shared::unique("tls");
    kafka.create_audit_topic(&topic, 1).await?;
    let authority = Authority::new()?;
    let mount = mounted(&authority.server(NAMES)?)?;
    let gateway =
        Gateway::start_with(kafka.bootstrap(), &topic, |gateway| with_tls(gateway, &mount)).await?;

    for version in [&TLS12, &TLS13] {
        let https = Https::new(&authority, &[version])?;
        let mut connection = https.connect(gateway.address).await?;
        let (_, tls) = connection.stream().get_ref();
        assert_eq!(tls.protocol_version(), Some(version.version));
        assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        for event in Generator::new(SEED, Utc::now()).events(3) {
            acknowledged(&connection.request("POST", PATH, JSON, &event.value()).await?)?;
        }
    }
    assert_eq!(kafka.read_all(&topic).await?.len(), 6);
    let expiry = "kubernaut_audit_tls_certificate_expiry_timestamp_seconds";
    let expires = gateway.service.metrics().await?.get(expiry);
    assert_eq!(expires.map(|seconds| format!("{seconds:.0}")), Some(EXPIRES.to_string()));

    let stranger = Https::new(&Authority::new()?, ALL_VERSIONS)?;
    assert!(stranger.connect(gateway.address).await.is_err(), "another authority's server");
    Ok(())
}

#[tokio::test]
async fn what_is_no_tls_is_closed_and_holds_up_nobody() -> Result<()> {
    let authority = Authority::new()?;
    let mount = mounted(&authority.server(NAMES)?)?;
    let gateway = start(&mount, |gateway| gateway.env("AUDIT_IDLE_TIMEOUT", "3s")).await?;

    let mut stalled = Vec::new();
    for n in 0..40 {
        let mut stream = TcpStream::connect(gateway.address).await?;
        // Every other one begins with a ClientHello's first bytes and never ends it.
        stream.write_all(if n % 2 == 0 { b"" } else { b"\x16\x03\x01\x02\x00\x01" }).await?;
        stalled.push(stream);
    }
    let mut plain = TcpStream::connect(gateway.address).await?;
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    // It may be reset as well: the request was never read to its end.
    tokio::time::timeout(LONG, plain.read_to_end(&mut answer)).await?.ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    let https = Https::new(&authority, ALL_VERSIONS)?;
    assert_eq!(status(&https, gateway.address).await?, 404);
    for stream in &mut stalled {
        let read = tokio::time::timeout(LONG, stream.read(&mut [0; 64])).await??;
        assert_eq!(read, 0, "closed without a word");
    }
    eventually(LONG, "every failed handshake to be counted", async || {
        let metrics = gateway.service.metrics().await?;
        let failures = metrics.get("kubernaut_audit_tls_handshake_failures_total");
        ensure!(failures == Some(41.0), "{failures:?}");
        Ok(())
    })
    .await?;
    assert_eq!(status(&https, gateway.address).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart() -> Result<()> {
    let authority = Authority::new()?;
    let [first, second, third] =
        [authority.server(NAMES)?, authority.server(NAMES)?, authority.server(NAMES)?];
    let mount = mounted(&first)?;
    let gateway = start(&mount, |gateway| gateway.env("AUDIT_IDLE_TIMEOUT", "10m")).await?;
    let https = Https::new(&authority, ALL_VERSIONS)?;
    let mut kept = https.connect(gateway.address).await?;
    assert_eq!(served(&mut kept)?, first.certificate()?);

    let serves = async |pair: &Pair| {
        eventually(LONG, "the new certificate", async || {
            let served = served(&mut https.connect(gateway.address).await?)?;
            ensure!(served == pair.certificate()?, "another certificate");
            Ok(())
        })
        .await
    };
    let reloads = async |outcome: &str| {
        let labels = [("file", "certificate"), ("outcome", outcome)];
        let metrics = gateway.service.metrics().await?;
        anyhow::Ok(metrics.sum("kubernaut_audit_file_reloads_total", &labels))
    };
    let loaded = async |times| {
        eventually(LONG, "the pair to be loaded", async || {
            ensure!(reloads("loaded").await? == times);
            Ok(())
        })
        .await
    };
    put(&mount, &second.cert_pem, &second.key_pem)?;
    serves(&second).await?;
    loaded(1.0).await?;
    assert_eq!(reloads("refused").await?, 0.0);

    // The first half of a new pair, as a copy in two steps leaves it for a moment.
    put(&mount, &third.cert_pem, &second.key_pem)?;
    let refused = async |times| {
        eventually(LONG, "the pair to be refused", async || {
            ensure!(reloads("refused").await? == times);
            Ok(())
        })
        .await
    };
    refused(1.0).await?;
    put(&mount, &third.cert_pem[..third.cert_pem.len() / 2], &third.key_pem)?;
    refused(2.0).await?;
    serves(&second).await?;
    let names_the_file = async |expected| {
        eventually(LONG, "what is wrong with the files to be told", async || {
            let ready = http::get(gateway.service.admin(), "/readyz?verbose").await?;
            ensure!(ready.status == 200, "{}", ready.text());
            ensure!(ready.text().contains("--tls-cert") == expected, "{}", ready.text());
            Ok(())
        })
        .await
    };
    names_the_file(true).await?;
    let log = gateway.service.log()?;
    assert!(log.contains("does not belong to the certificate"), "{log}");

    put(&mount, &third.cert_pem, &third.key_pem)?;
    serves(&third).await?;
    names_the_file(false).await?;

    assert_eq!(served(&mut kept)?, first.certificate()?);
    assert_eq!(kept.request("GET", "/", &[], &[]).await?.status, 404, "it goes on");
    Ok(())
}

#[tokio::test]
async fn what_was_taken_is_answered_before_the_end() -> Result<()> {
    let authority = Authority::new()?;
    let mount = mounted(&authority.server(NAMES)?)?;
    let slow =
        |gateway: Binary| gateway.env("AUDIT_DEADLINE", "10s").env("AUDIT_IDLE_TIMEOUT", "10m");
    let gateway = start(&mount, slow).await?;
    let https = Https::new(&authority, ALL_VERSIONS)?;
    let silent = TcpStream::connect(gateway.address).await?;
    let mut idle = https.connect(gateway.address).await?;
    assert_eq!(idle.request("GET", "/", &[], &[]).await?.status, 404);

    let event = Generator::new(SEED + 1, Utc::now()).events(1).remove(0).value();
    let mut busy = https.connect(gateway.address).await?;
    let answer = tokio::spawn(async move {
        let answer = busy.request("POST", PATH, JSON, &event).await?;
        busy.closed().await?;
        anyhow::Ok(answer)
    });
    eventually(LONG, "the event to be queued", async || {
        let queued = gateway.service.metrics().await?.get("kubernaut_audit_publish_queue_records");
        ensure!(queued == Some(1.0), "{queued:?}");
        Ok(())
    })
    .await?;
    let ended = gateway.service.terminate(LONG).await?;
    assert_eq!(ended.code(), Some(0));
    let log = gateway.service.log()?;
    assert!(!log.contains("did not end in time"), "a handshake held it up: {log}");
    let answer = answer.await??;
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
    idle.closed().await?;
    drop(silent);
    Ok(())
}

#[tokio::test]
async fn a_bad_pair_is_a_usage_error_that_names_the_file() -> Result<()> {
    let authority = Authority::new()?;
    let (pair, other) = (authority.server(NAMES)?, authority.server(NAMES)?);
    let encrypted = pair.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let (cert, key) = (pair.cert_pem.as_str(), pair.key_pem.as_str());
    for (cert, key, words) in [
        ("", key, ["tls.crt, given by --tls-cert (AUDIT_TLS_CERT)", "no certificate"]),
        (cert, &other.key_pem, ["tls.key, given by --tls-key (AUDIT_TLS_KEY)", "does not belong"]),
        (cert, &encrypted, ["tls.key, given by --tls-key (AUDIT_TLS_KEY)", "encrypted"]),
    ] {
        let mount = Mount::new(&[("tls.crt", cert), ("tls.key", key)])?;
        is_refused(with_tls(gateway_alone(), &mount), &words).await?;
    }
    let mount = mounted(&pair)?;
    let cert = mount.path("tls.crt").display().to_string();
    let missing = mount.path("missing").display().to_string();
    let absent = gateway_alone().env("AUDIT_TLS_CERT", &cert).env("AUDIT_TLS_KEY", &missing);
    is_refused(absent, &[&missing, "--tls-key", "No such file"]).await?;
    let alone = gateway_alone().env("AUDIT_TLS_CERT", &cert);
    is_refused(alone, &["--tls-cert", "--tls-key"]).await?;
    let alone = gateway_alone().args(["--tls-key", &cert]);
    is_refused(alone, &["--tls-key", "--tls-cert"]).await
}

fn gateway_alone() -> Binary {
    Binary::new("audit-producer").args(["gateway", "--listen", "127.0.0.1:0"]).args([
        "--admin-listen",
        "127.0.0.1:0",
        "--log",
        "off",
    ])
}

async fn is_refused(gateway: Binary, words: &[&str]) -> Result<()> {
    let output = gateway.run().await?;
    ensure!(output.code == Some(2), "{:?}: {}", output.code, output.stderr);
    ensure!(output.stderr.lines().count() == 1, "{}", output.stderr);
    for word in words {
        ensure!(output.stderr.contains(word), "{word:?} is not in {}", output.stderr);
    }
    Ok(())
}

fn mounted(pair: &Pair) -> Result<Mount> {
    Mount::new(&[("tls.crt", &pair.cert_pem), ("tls.key", &pair.key_pem)])
}

fn put(mount: &Mount, cert: &str, key: &str) -> Result<()> {
    mount.put(&[("tls.crt", cert), ("tls.key", key)])
}

fn with_tls(gateway: Binary, mount: &Mount) -> Binary {
    let path = |name| mount.path(name).display().to_string();
    gateway.env("AUDIT_TLS_CERT", path("tls.crt")).env("AUDIT_TLS_KEY", path("tls.key"))
}

/// With a broker that cannot be reached.
async fn start(mount: &Mount, adapt: impl FnOnce(Binary) -> Binary) -> Result<Gateway> {
    let nobody = format!("127.0.0.1:{}", free_port());
    Gateway::start_with(&nobody, "nowhere", |gateway| adapt(with_tls(gateway, mount))).await
}

/// Of a request on a connection of its own.
async fn status(https: &Https, address: SocketAddr) -> Result<u16> {
    let mut connection = https.connect(address).await?;
    Ok(connection.request("GET", "/", &[], &[]).await?.status)
}
