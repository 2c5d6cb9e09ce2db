//! Everything that can be wrong on the way to PostgreSQL.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Result, ensure};
use audit_tests::{
    binary::Binary,
    certificates::Authority,
    eventually,
    generator::{Event, Generator},
    http,
    pipeline::{Pipeline, Servers},
    postgres::PASSWORD,
    secured::{self, NAMES, SecuredPostgres},
    shared,
};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::SEED;
use crate::cli::{SECRET, names, only_complaint};

/// How long anything may take that a test waits for, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const AT_ONCE: usize = 6;
/// The password of `alice` as a URL has it.
const ALICE: &str = "alice:al%3Ace%40se%2Fcr%25et";

/// URL, exit code, and what the line has to name.
type Case = (String, i32, &'static [&'static str]);

fn migrate(url: &str) -> Binary {
    Binary::new("audit-consumer").args(["migrate"]).env("AUDIT_DATABASE_URL", url)
}

/// `migrate` and `run` say in one line what is wrong and which parameter of the URL to mend.
#[tokio::test]
async fn each_wrong_thing_is_one_clear_line() -> Result<()> {
    let (postgres, plain) = (secured::postgres().await?, shared::postgres().await?);
    let brokers = shared::kafka().await?.bootstrap();
    let database = shared::unique("refusals");
    postgres.create_database(&database).await?;
    let file = |name: &str| postgres.files.path(name);
    let address = postgres.server.address();
    let alice = |rest: &str| format!("postgres://{ALICE}@{address}/{database}?{rest}");
    let certified = |certificate: &str, key: &str| {
        let url = postgres.url("certified", &database);
        format!("{url}&sslcert={}&sslkey={}", file(certificate), file(key))
    };
    let as_user = |user: &str| postgres.url(user, &database);
    let other_ca = file("other-ca.pem");
    let elsewhere = format!(
        "host=elsewhere.example hostaddr=127.0.0.1 port={} user=alice dbname={database} \
         sslmode=verify-full sslrootcert='{}'",
        address.port(),
        file("ca.pem")
    );
    let open_key = file("open.key");
    fs::copy(file("certified.key"), &open_key)?;
    fs::set_permissions(&open_key, fs::Permissions::from_mode(0o644))?;
    let no_tls = plain.url("postgres") + "?sslmode=require";

    let cases: Vec<Case> = vec![
        (as_user(&format!("alice:{SECRET}")), 1, &["28P01", "alice", "password"]),
        (as_user("alice"), 1, &["password missing", "database URL"]),
        (as_user(&format!("nobody:{SECRET}")), 1, &["nobody", "28000", "pg_hba.conf"]),
        (postgres.url(ALICE, "nowhere"), 1, &["nowhere", "3D000", "create the database"]),
        (no_tls, 1, &["does not support TLS", "sslmode=disable"]),
        (alice("sslmode=disable"), 1, &["no encryption", "sslmode=require"]),
        (
            alice(&format!("sslmode=verify-ca&sslrootcert={other_ca}")),
            1,
            &["not signed by an authority", "sslrootcert"],
        ),
        (
            alice(&format!("sslmode=verify-full&sslrootcert={other_ca}")),
            1,
            &["not signed by an authority", "sslrootcert"],
        ),
        // As in libpq: authorities that are named are trusted alone, whatever the mode.
        (
            alice(&format!("sslmode=require&sslrootcert={other_ca}")),
            1,
            &["not signed by", "sslrootcert"],
        ),
        (alice("sslrootcert=system"), 1, &["not signed by an authority", "sslrootcert"]),
        (alice("sslmode=verify-full"), 2, &["sslmode=verify-full needs sslrootcert", "system"]),
        (alice("sslmode=verify-ca&sslrootcert=system"), 2, &["sslrootcert=system", "verify-full"]),
        (elsewhere, 1, &["another host name", "localhost", "elsewhere.example"]),
        (as_user("certified"), 1, &["client certificate", "sslcert and sslkey"]),
        (
            certified("stranger.pem", "stranger.key"),
            1,
            &["does not accept the certificate of sslcert"],
        ),
        (certified("bob.pem", "bob.key"), 1, &["certified", "28000", "sslcert", "common name"]),
        (certified("certified.pem", "bob.key"), 2, &["sslkey is not the key of sslcert"]),
        (certified("certified.pem", "open.key"), 2, &["sslkey", "644", "chmod 600"]),
        (certified("missing.pem", "bob.key"), 2, &["sslcert", "missing.pem", "No such file"]),
        (certified("bob.pem", "missing.key"), 2, &["sslkey", "missing.key", "No such file"]),
        (certified("bob.key", "bob.key"), 2, &["sslcert", "bob.key", "no PEM certificate"]),
        (certified("bob.pem", "bob.pem"), 2, &["sslkey", "bob.pem", "no PEM key"]),
        (alice("sslcert=x"), 2, &["sslcert and sslkey go together"]),
        (
            alice(&format!("sslmode=verify-full&sslrootcert={}", file("missing.pem"))),
            2,
            &["sslrootcert", "missing.pem", "No such file"],
        ),
        (
            postgres.server.url(&database) + "?sslmode=disable&channel_binding=require",
            1,
            &["channel binding", "sslmode=require"],
        ),
    ];
    let check = async |(url, code, words): Case| -> Result<()> {
        let run = Binary::new("audit-consumer")
            .args(["run", "--startup-timeout", "1s", "--log", "off"])
            .env("AUDIT_DATABASE_URL", &url)
            .env("AUDIT_BROKERS", brokers)
            .env("AUDIT_ADMIN_LISTEN", "127.0.0.1:0");
        for binary in [migrate(&url), run] {
            let output = binary.run().await?;
            let line = only_complaint(&output, code);
            names(line, words);
            assert!(!line.contains("cr%25et") && !line.contains("cr%et"), "{line}");
        }
        Ok(())
    };
    stream::iter(cases).map(check).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// What works: SCRAM bound to the TLS channel, certificates, verify-ca under another name, quoted files, several hosts.
#[tokio::test]
async fn ways_to_come_in() -> Result<()> {
    let postgres = secured::postgres().await?;
    let database = shared::unique("ways");
    postgres.create_database(&database).await?;
    migrate(&postgres.certified_url(&database)).run().await?.success()?;
    let (address, ca) = (postgres.server.address(), postgres.files.path("ca.pem"));
    let spaced = postgres.files.write("my ca.pem", &postgres.authority.certificate_pem())?;
    let (host, port) = (address.ip(), address.port());
    for url in [
        format!("{}&channel_binding=require", postgres.url(ALICE, &database)),
        format!(
            "postgres://{ALICE}@localhost:{port}/{database}?sslmode=verify-full&sslrootcert={ca}"
        ),
        format!("postgres://{ALICE}@{address}/{database}?sslmode=require"),
        format!("postgres://{ALICE}@{address}/{database}"),
        format!(
            "postgres://{ALICE}@127.0.0.1:9,{address}/{database}?sslmode=verify-full&sslrootcert={ca}"
        ),
        format!(
            "postgres://{ALICE}@{address}/{database}?sslmode=verify-full&sslrootcert={}",
            spaced.replace(' ', "%20")
        ),
        format!(
            "host=elsewhere.example hostaddr={host} port={port} user=alice password='al:ce@se/cr%et' \
             dbname={database} sslmode=verify-ca sslrootcert='{spaced}'"
        ),
    ] {
        migrate(&url).run().await?.success()?;
    }
    Ok(())
}

/// The server gets a certificate of a new authority, which a file of a running consumer has learnt before, then one that
/// has expired, then a good one: the consumer follows, waits, and goes on.
#[tokio::test]
async fn certificates_are_replaced() -> Result<()> {
    let postgres = SecuredPostgres::start().await?;
    let next = Authority::new()?;
    let first = postgres.authority.certificate_pem();
    let roots = postgres.files.write("roots.pem", &first)?;
    let servers = Servers { kafka: shared::kafka().await?, postgres: &postgres.server };
    let pipeline = Pipeline::on(servers, "rotation", 2).await?;
    let url = format!("{}?sslmode=verify-full&sslrootcert={roots}", pipeline.database_url);
    let consumer = pipeline.consumer().env("AUDIT_DATABASE_URL", &url).start_ready().await?;
    let mut generator = Generator::new(SEED + 2, Utc::now());
    let mut publish = async || {
        let records = generator.events(20).iter().map(Event::record).collect();
        servers.kafka.publish(&pipeline.topic, records).await
    };
    let expired = next.expired_server(&NAMES)?;
    let good = next.server(&NAMES)?;
    let install = async |pair: &audit_tests::certificates::Pair| {
        let files = [("server.crt", pair.cert_pem.as_str()), ("server.key", pair.key_pem.as_str())];
        postgres.server.replace_files(&files).await?;
        postgres.server.end_sessions(&pipeline.database).await
    };

    publish().await?;
    pipeline.reaches(20).await?;
    postgres.files.write("roots.pem", &(first + &next.certificate_pem()))?;
    install(&good).await?;
    publish().await?;
    pipeline.reaches(40).await?;

    install(&expired).await?;
    eventually(PATIENCE, "the server to show the expired certificate", async || {
        // Sessions made before the server has read the file live on.
        postgres.server.end_sessions(&pipeline.database).await?;
        let output = migrate(&url).run().await?;
        ensure!(output.code == Some(1), "{}", output.stderr);
        names(only_complaint(&output, 1), &["certificate has expired"]);
        Ok(())
    })
    .await?;
    publish().await?;
    eventually(PATIENCE, "the consumer to say why it waits", async || {
        let ready = http::get(consumer.admin(), "/readyz?verbose").await?;
        ensure!(ready.status == 200, "{}", ready.status);
        ensure!(ready.text().contains("certificate has expired"), "{}", ready.text());
        Ok(())
    })
    .await?;
    install(&good).await?;
    pipeline.verify().await?;
    assert!(!consumer.log()?.contains(PASSWORD));
    pipeline.stop(&consumer).await
}
