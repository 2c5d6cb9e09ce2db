//! What the figures were taken on.

use std::{
    fmt::{self, Display},
    fs,
    thread::available_parallelism,
};

use anyhow::{Context, Result};
use audit_tests::postgres::PostgresServer;

/// The machine before anything was started on it.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gb: u64,
    load: String,
}

impl Machine {
    pub(crate) fn now() -> Result<Self> {
        let find = |text: &str, name: &str| -> Option<String> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory =
            find(&fs::read_to_string("/proc/meminfo")?, "MemTotal").context("no MemTotal")?;
        let kilobytes: u64 = memory.trim_end_matches(" kB").parse()?;
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            cores: available_parallelism()?.get(),
            processor: find(&fs::read_to_string("/proc/cpuinfo")?, "model name")
                .unwrap_or_default(),
            memory_gb: kilobytes >> 20,
            load: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        })
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, memory_gb, load } = self;
        write!(
            f,
            "machine: {cores} × {processor}, {memory_gb} GB, shared by all that is measured; \
             load average before the start: {load}"
        )
    }
}

/// Where it stands once: in the pom that fetches it.
pub(crate) fn kafka_version() -> &'static str {
    const POM: &str = include_str!("../../../kafka/pom.xml");
    let version = POM.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    version.map_or("of unknown version", |(version, _)| version)
}

/// PostgreSQL's version and what the figures depend on.
pub(crate) async fn postgres_settings(postgres: &PostgresServer) -> Result<String> {
    let names = "server_version, shared_buffers, max_wal_size, checkpoint_timeout, fsync, synchronous_commit, \
        full_page_writes, wal_compression, autovacuum, track_commit_timestamp, default_toast_compression";
    let client = postgres.connect("postgres").await?;
    let sql = "SELECT string_agg(name || '=' || current_setting(name), ', ' ORDER BY at) \
        FROM unnest(string_to_array($1, ', ')) WITH ORDINALITY AS wanted (name, at)";
    let row = client.query_one(sql, &[&names]).await?;
    row.try_get(0).context("read the server's settings")
}
