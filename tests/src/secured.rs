//! Servers that ask for TLS and credentials, shared by all tests of a process: one of each kind.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::Result;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    certificates::{Authority, Pair},
    kafka::{KafkaCluster, Setup},
    os::Reaper,
    postgres::PostgresServer,
};

/// Under what names the servers are reached.
pub const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// A user of both servers.
pub const ALICE: &str = "alice";
/// Her password, on both. It has what must be escaped in a URL.
pub const ALICE_PASSWORD: &str = "al:ce@se/cr%et";

/// Kafka with the harness's plain listener and, all on 127.0.0.1:
///
/// | listener | what it is |
/// |---|---|
/// | `TLS` | TLS, no client certificate |
/// | `MUTUAL` | TLS with a client certificate |
/// | `SCRAM` | TLS and SCRAM-SHA-256 or SCRAM-SHA-512 as [`ALICE`] |
/// | `SCRAM_AGAIN` | the same, again every three seconds |
/// | `EXPIRED` | a certificate whose time is over |
/// | `ELSEWHERE` | a certificate for another host |
pub struct SecuredKafka {
    /// The cluster.
    pub cluster: KafkaCluster,
    /// Signs its certificates, and those of clients it accepts.
    pub authority: Authority,
    /// PEM files for clients.
    pub files: PemFiles,
}

/// The secured Kafka, started by whoever asks first.
///
/// # Errors
/// It does not start.
pub async fn kafka() -> Result<&'static SecuredKafka> {
    static KAFKA: OnceCell<SecuredKafka> = OnceCell::const_new();
    KAFKA.get_or_try_init(SecuredKafka::start).await
}

impl SecuredKafka {
    async fn start() -> Result<Self> {
        let authority = Authority::new()?;
        let good = authority.server(&NAMES)?;
        let trusted = authority.certificate_pem();
        let mutual = [
            ("ssl.client.auth", "required"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &trusted),
        ];
        let setup = Setup::default()
            .tls("TLS", &good, &[])
            .tls("MUTUAL", &good, &mutual)
            .scram("SCRAM", &good, &[])
            // Sessions have to log in again, so that credentials taken away are missed soon.
            .scram("SCRAM_AGAIN", &good, &[("connections.max.reauth.ms", "3000")])
            .tls("EXPIRED", &authority.expired_server(&NAMES)?, &[])
            .tls("ELSEWHERE", &authority.server(&["elsewhere.example"])?, &[])
            .user(ALICE, ALICE_PASSWORD);
        let cluster = KafkaCluster::start_setup(1, setup).await?;
        let files = PemFiles::new(&authority)?;
        Ok(Self { cluster, authority, files })
    }
}

/// PostgreSQL with TLS for [`NAMES`]. The harness's own user comes in as ever; [`ALICE`] with TLS and
/// her password, and the user `certified` with a client certificate of that name; she may do what it may.
/// Nobody else comes in.
pub struct SecuredPostgres {
    /// The server.
    pub server: PostgresServer,
    /// Signs its certificate, and those of clients it accepts.
    pub authority: Authority,
    /// PEM files for clients.
    pub files: PemFiles,
}

/// The secured PostgreSQL, started by whoever asks first.
///
/// # Errors
/// It does not start.
pub async fn postgres() -> Result<&'static SecuredPostgres> {
    static POSTGRES: OnceCell<SecuredPostgres> = OnceCell::const_new();
    POSTGRES.get_or_try_init(SecuredPostgres::start).await
}

/// Who may come in how, in the words of `pg_hba.conf`.
const HBA: &str = "\
host    all audit     127.0.0.1/32 scram-sha-256
hostssl all alice     127.0.0.1/32 scram-sha-256
hostssl all certified 127.0.0.1/32 cert
";

impl SecuredPostgres {
    /// One of its own for a test that changes it. Its certificates are in the files `server.crt` and
    /// `server.key` of its data directory.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start() -> Result<Self> {
        let authority = Authority::new()?;
        let Pair { cert_pem, key_pem } = authority.server(&NAMES)?;
        let settings = [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("ssl", "on"),
            ("ssl_ca_file", "root.crt"),
        ];
        let trusted = authority.certificate_pem();
        let files = [
            ("server.crt", cert_pem.as_str()),
            ("server.key", key_pem.as_str()),
            ("root.crt", trusted.as_str()),
            ("pg_hba.conf", HBA),
        ];
        let server = PostgresServer::start_with_files(&settings, &files).await?;
        let password = ALICE_PASSWORD.replace('\'', "''");
        let users = format!(
            "CREATE ROLE alice LOGIN PASSWORD '{password}'; CREATE ROLE certified LOGIN; GRANT certified TO alice"
        );
        server.connect("postgres").await?.batch_execute(&users).await?;
        let files = PemFiles::new(&authority)?;
        Ok(Self { server, authority, files })
    }
}

impl SecuredPostgres {
    /// The URL of a database for the user `certified`, by certificate and with the strictest sslmode.
    #[must_use]
    pub fn certified_url(&self, database: &str) -> String {
        let (certificate, key) =
            (self.files.path("certified.pem"), self.files.path("certified.key"));
        format!("{}&sslcert={certificate}&sslkey={key}", self.url("certified", database))
    }

    /// The URL of a database for a user (and password, percent-encoded), with the strictest sslmode.
    #[must_use]
    pub fn url(&self, user: &str, database: &str) -> String {
        let (address, ca) = (self.server.address(), self.files.path("ca.pem"));
        format!("postgres://{user}@{address}/{database}?sslmode=verify-full&sslrootcert={ca}")
    }

    /// Creates a database that belongs to `certified`.
    ///
    /// # Errors
    /// It exists.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.server.create_database(name).await?;
        let give = format!("ALTER DATABASE \"{name}\" OWNER TO certified");
        Ok(self.server.connect("postgres").await?.batch_execute(&give).await?)
    }
}

/// What clients of a server have in files, good and bad.
#[derive(Debug)]
pub struct PemFiles {
    directory: TempDir,
}

impl PemFiles {
    /// `ca.pem` of the authority and `other-ca.pem` of another. Client certificates, with their keys:
    /// `certified.pem` and `bob.pem` of the authority, `stranger.pem` of the other in `certified`'s name.
    fn new(authority: &Authority) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("audit-pem-").tempdir()?;
        Reaper::remove(directory.path());
        let files = Self { directory };
        files.write("ca.pem", &authority.certificate_pem())?;
        let other = Authority::new()?;
        files.write("other-ca.pem", &other.certificate_pem())?;
        files.write_pair("stranger", &other.client("certified")?)?;
        files.write_pair("certified", &authority.client("certified")?)?;
        files.write_pair("bob", &authority.client("bob")?)?;
        Ok(files)
    }

    /// The path of a file, which need not exist.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Writes a file for its owner alone and gives its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<String> {
        let path = self.path(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn write_pair(&self, name: &str, pair: &Pair) -> Result<()> {
        self.write(&format!("{name}.pem"), &pair.cert_pem)?;
        self.write(&format!("{name}.key"), &pair.key_pem)?;
        Ok(())
    }
}
