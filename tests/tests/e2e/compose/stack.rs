//! The services as local processes. All that is not as in the file is where things are: see [`Places`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use audit_tests::{
    binary::Binary, eventually, kafka::KafkaCluster, os::free_port, postgres::PostgresServer,
    service::Service as Running,
};

use super::{
    file::{Condition, File, Service, repository},
    places::Places,
    secrets::Secrets,
};

/// How long a service may take to be well, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(180);

pub(super) struct Stack {
    pub(super) file: File,
    places: Places,
    /// Where the gateway takes events: what stands for the port it publishes.
    pub(super) gateway: SocketAddr,
    kafka_for_host: String,
    /// The containers of each lasting service.
    pub(super) running: BTreeMap<String, Vec<Running>>,
    kafka: Option<KafkaCluster>,
    postgres: PostgresServer,
    /// Removed after all has ended, Kafka's data with them: fields are dropped in this order.
    secrets: Secrets,
}

impl Stack {
    /// Starts all services, each as soon as what it depends on lets it.
    ///
    /// # Errors
    /// A service does not start, or a condition never holds.
    pub(super) async fn up() -> Result<Self> {
        let mut stack = Self::prepare().await?;
        stack.start_all().await?;
        Ok(stack)
    }

    /// Makes the secrets and gives everything a place; starts no service.
    ///
    /// # Errors
    /// The file or the script is wrong.
    pub(super) async fn prepare() -> Result<Self> {
        let secrets = Secrets::make().await?;
        // It is there before its service is, as its port is not ours to choose; the service is what sets it up.
        let postgres = PostgresServer::start_new(&[]).await?;
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (internal, host, controller) = (free_port(), free_port(), free_port());
        let data = secrets.path(Path::new("kafka-data"));
        let places = Places::default()
            .with("kafka:9092", local(internal).to_string())
            .with("kafka:9093", local(controller).to_string())
            .with("localhost:29092", local(host).to_string())
            .with("://:9092", format!("://:{internal}"))
            .with("://:9093", format!("://:{controller}"))
            .with("://:29092", format!("://:{host}"))
            .with("postgres:5432", postgres.address().to_string())
            .with("/var/lib/kafka/data", data.display().to_string());
        Ok(Self {
            file: File::read()?,
            places,
            gateway: local(free_port()),
            kafka_for_host: local(host).to_string(),
            running: BTreeMap::new(),
            kafka: None,
            postgres,
            secrets,
        })
    }

    async fn start_all(&mut self) -> Result<()> {
        // Ours come first: nothing but a condition of the file holds them back until the servers are there.
        let mut waiting: Vec<String> = self.file.services.keys().cloned().collect();
        waiting.sort_by_key(|name| !self.file.services[name].is_ours());
        let mut started = BTreeSet::new();
        while !waiting.is_empty() {
            let next = waiting.iter().position(|name| {
                self.file.services[name].depends_on.keys().all(|other| started.contains(other))
            });
            let name = waiting.remove(next.context("services wait for each other")?);
            for (other, dependency) in &self.file.services[&name].depends_on {
                match dependency.condition {
                    Condition::ServiceHealthy => self.becomes_healthy(other).await?,
                    // It was run to its end when it was started.
                    Condition::ServiceCompletedSuccessfully => {}
                }
            }
            self.start(&name).await.with_context(|| format!("start {name}"))?;
            started.insert(name);
        }
        Ok(())
    }

    /// Starts a service, and waits for nothing but the end of one that is to end.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn start(&mut self, name: &str) -> Result<()> {
        let service = &self.file.services[name];
        if service.image.starts_with("apache/kafka:") {
            let variables = self.environment(name, service)?;
            let kafka = KafkaCluster::start_as_image(&variables, &self.kafka_for_host).await?;
            self.kafka = Some(kafka);
        } else if service.image.starts_with("postgres:") {
            self.set_up_postgres(name, service).await?;
        } else if self.file.is_one_shot(name) {
            self.binary(name, service, &service.command)?.run().await?.success()?;
        } else {
            for replica in 0..service.replicas() {
                let container = format!("{name}-{replica}");
                let mut binary = self.binary(&container, service, &service.command)?;
                if service.ports().next().is_some() {
                    binary = binary.env("AUDIT_LISTEN", self.gateway.to_string());
                }
                self.running.entry(name.to_owned()).or_default().push(binary.start()?);
            }
        }
        Ok(())
    }

    /// What the image does on its first start: the database, then the files in the order of their names.
    async fn set_up_postgres(&self, name: &str, service: &Service) -> Result<()> {
        let variables = self.environment(name, service)?;
        let password = fs::read_to_string(&variables["POSTGRES_PASSWORD_FILE"])?;
        let (password, database) = (password.trim_end(), &variables["POSTGRES_DB"]);
        let superuser = self.postgres.connect("postgres").await?;
        let create = format!("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{password}'");
        superuser.batch_execute(&create).await?;
        self.postgres.create_database(database).await?;

        let mut files: Vec<_> = service
            .mounts()
            .filter_map(|(file, target)| {
                Some((target.strip_prefix("/docker-entrypoint-initdb.d/")?, file))
            })
            .collect();
        files.sort_unstable();
        let mut env = vec![("PGPASSWORD", password)];
        env.extend(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        for (target, file) in files {
            ensure!(target.ends_with(".sql"), "{target}: only SQL is run here");
            let file = repository().join(file).display().to_string();
            let arguments = ["-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--no-password"];
            let arguments = [
                &arguments[..],
                &["--username", "postgres", "--dbname", database, "--file", &file],
            ];
            self.postgres.client("psql", &arguments.concat(), &env).await?;
        }
        Ok(())
    }

    /// Waits for the health checks of a service.
    ///
    /// # Errors
    /// They fail for too long, or it has ended.
    pub(super) async fn becomes_healthy(&self, name: &str) -> Result<()> {
        let containers = self.running.get(name).map_or(1, Vec::len);
        for index in 0..containers {
            let what = format!("{name} to be healthy");
            let health = eventually(DEADLINE, &what, async || {
                let container = self.container(name, index);
                let has_ended = container.map(Running::status).transpose()?.flatten().is_some();
                match self.health(name, index).await {
                    // It will not become so any more.
                    Err(error) if has_ended => Ok(Err(error)),
                    health => health.map(Ok),
                }
            });
            health.await??;
        }
        Ok(())
    }

    /// Runs the health check of one of a service's containers.
    ///
    /// # Errors
    /// It says that it is not well.
    pub(super) async fn health(&self, name: &str, index: usize) -> Result<()> {
        let service = &self.file.services[name];
        let command = service.health_command()?;
        if service.is_ours() {
            return self.exec(name, index, command).await.map(drop);
        }
        let here: Vec<String> = command.iter().map(|word| self.places.apply(word)).collect();
        let here: Vec<&str> = here.iter().map(String::as_str).collect();
        let (program, args) = here.split_first().context("an empty command")?;
        match program.strip_prefix("/opt/kafka/bin/") {
            Some(script) => self.kafka()?.script(script, args).await,
            None => self.postgres.client(program, args, &[]).await,
        }
    }

    /// Runs a program in one of a service's containers to its end, and returns what it prints.
    ///
    /// # Errors
    /// It exits with another code than 0.
    pub(super) async fn exec(
        &self,
        name: &str,
        index: usize,
        command: &[String],
    ) -> Result<String> {
        let container = self.container(name, index).context("no such container")?;
        let service = &self.file.services[name];
        let binary = self.binary(&format!("{name}-{index}"), service, command)?;
        binary.env("AUDIT_ADMIN_LISTEN", container.admin().to_string()).run().await?.success()
    }

    /// A container of one of our lasting services.
    fn container(&self, name: &str, index: usize) -> Option<&Running> {
        self.running.get(name)?.get(index)
    }

    fn binary(&self, container: &str, service: &Service, command: &[String]) -> Result<Binary> {
        let (program, args) = command.split_first().context("an empty command")?;
        let mut binary = Binary::new(program).args(args);
        for (variable, value) in self.environment(container, service)? {
            binary = binary.env(&variable, value);
        }
        Ok(binary)
    }

    /// The variables of a container, whose secrets are those of its service and no other.
    fn environment(&self, container: &str, service: &Service) -> Result<BTreeMap<String, String>> {
        let mut secrets = Vec::new();
        for name in &service.secrets {
            let Some(secret) = self.file.secrets.get(name) else { bail!("no secret {name}") };
            secrets.push((name.as_str(), secret.file.as_path()));
        }
        let mounted = self.secrets.mount(container, &secrets, &self.places)?;
        let places = self.places.clone().with("/run/secrets", mounted.display().to_string());
        let variables = service.environment.iter();
        Ok(variables.map(|(name, value)| (name.clone(), places.apply(value))).collect())
    }

    /// The broker, seen from the host.
    pub(super) fn kafka(&self) -> Result<&KafkaCluster> {
        self.kafka.as_ref().context("Kafka is not started")
    }

    /// The database server, with a superuser of the harness's.
    pub(super) fn postgres(&self) -> &PostgresServer {
        &self.postgres
    }
}
