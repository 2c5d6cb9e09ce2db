//! What the controller costs an API server, how much memory it takes, and how soon an event is safe.
//!
//! ```text
//!  settings ─► site ──────────────► at_once   thousands that finish at once
//!              kube-apiserver,      steady    a few each second
//!              Kafka, controller
//! ```

mod at_once;
mod settings;
mod site;
mod steady;

use std::io::{Write, stdout};

use anyhow::Result;

pub(crate) use self::settings::Settings;
use self::site::Site;
use crate::{
    machine::{Machine, kafka_version},
    say,
};

pub(crate) async fn bench(settings: &Settings) -> Result<()> {
    let machine = Machine::now()?;
    say("starting Apache Kafka, etcd and kube-apiserver on free ports, in temporary directories")?;
    let site = Site::set().await?;
    let kafka = kafka_version();
    writeln!(
        stdout(),
        "{machine}\nApache Kafka {kafka}: 1 node; kube-apiserver and etcd do not flush to disk"
    )?;
    let report = at_once::bench(&site, settings.resources()).await?;
    writeln!(stdout(), "\n{report}")?;
    let report = steady::bench(&site, settings.seconds()).await?;
    Ok(writeln!(stdout(), "\n{report}")?)
}
