//! `audit-consumer doctor`: looks at everything that `run` depends on, and says how to mend what is wrong.
//!
//! Each file looks at one thing. What cannot be looked at since something else is away is skipped, not bad as well.

mod broker;
mod clock;
mod finding;
mod schema;
mod server;
mod stream;
mod topic;

use audit_runtime::exit::ExitCode;
use audit_runtime::format::{Format, Rows, print};
use audit_runtime::kafka::KafkaOptions;

use self::finding::{Finding, Status};
use crate::database::{Database, DatabaseOptions};
use crate::kafka::Probe;

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Consumer group, and name of the stream in the database
    #[arg(long, env = "AUDIT_GROUP", default_value = "kubernaut-audit", value_name = "NAME")]
    group: String,

    /// A topic to write a record to, so that the clocks of the brokers that lead its partitions can be read. It must
    /// have message.timestamp.type=LogAppendTime and must not be the topic of the events
    #[arg(long, env = "AUDIT_PROBE_TOPIC", value_name = "TOPIC")]
    probe_topic: Option<String>,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    kafka: KafkaOptions,
    #[command(flatten)]
    database: DatabaseOptions,
}

/// Prints a line for each check; one that is bad is a problem found.
///
/// # Errors
/// The clients cannot be set up, or the result cannot be written.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    if options.probe_topic.as_ref() == Some(&options.kafka.topic) {
        anyhow::bail!(audit_runtime::exit::UsageError(
            "--probe-topic must not be the topic of the events: the record would become a dead letter".into()
        ));
    }
    let probe = Probe::new(&options.kafka)?;
    let database = Database::new(&options.database.database_url, 1)?;
    let (mut findings, of_database) =
        tokio::join!(kafka(&options, &probe), postgres(&options, &database));
    findings.extend(of_database);
    print(&mut std::io::stdout().lock(), options.format, &Rows::of(&findings)?)?;
    let bad = findings.iter().any(|finding| finding.status == Status::Bad);
    Ok(if bad { ExitCode::ProblemsFound } else { ExitCode::Fine })
}

async fn kafka(options: &Options, probe: &Probe) -> Vec<Finding> {
    let metadata = match probe.metadata().await {
        Ok(metadata) => metadata,
        Err(error) => {
            let mut findings = vec![broker::unreachable(&options.kafka.brokers, &error)];
            let dependents = ["topic", "group", "broker clock"];
            findings.extend(dependents.map(|check| Finding::skipped(check, "no broker")));
            return findings;
        }
    };
    let mut findings = vec![broker::reachable(&metadata)];
    findings.extend(topic::check(probe, &metadata, &options.kafka.topic).await);
    findings.push(broker::group(probe, &options.group).await);
    findings.push(match &options.probe_topic {
        Some(topic) => clock::broker_by_probe(&options.kafka, topic).await,
        None => clock::broker_by_records(probe, &metadata).await,
    });
    findings
}

async fn postgres(options: &Options, database: &Database) -> Vec<Finding> {
    let client = match database.get().await {
        Ok(client) => client,
        Err(error) => {
            let advice = "start PostgreSQL, or correct --database-url";
            let why = database.unreachable(&error).to_string();
            let mut findings = vec![Finding::told("database", &why, advice)];
            let dependents =
                ["database settings", "database clock", "schema", "rights", "partitions", "stream"];
            findings.extend(dependents.map(|check| Finding::skipped(check, "no database")));
            return findings;
        }
    };
    let mut findings = server::check(&client, database.place()).await;
    findings.push(clock::database(&client).await);
    let schema = schema::version(&client).await;
    let usable = schema.status != Status::Bad;
    findings.push(schema);
    if usable {
        findings.push(schema::rights(&client).await);
        findings.extend(schema::partitions(&client).await);
        findings.extend(stream::check(&client, &options.group, &options.kafka.topic).await);
    } else {
        let dependents = ["rights", "partitions", "stream"];
        findings.extend(dependents.map(|check| Finding::skipped(check, "no schema to work with")));
    }
    findings
}
