//! `audit-producer controller release`: lets go of every resource, for when no controller will run any more.

use std::io::stdout;

use anyhow::{Context, anyhow};
use audit_runtime::exit::ExitCode;
use audit_runtime::format::{self, Format, Rows};
use kube::api::ListParams;
use serde::Serialize;

use super::kubernetes::{KubernetesOptions, Resources};
use super::mark::Seen;
use super::patch::{self, Outcome};

const PAGE: u32 = 500;

/// Options of `audit-producer controller release`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Count, and change nothing
    #[arg(long, env = "AUDIT_DRY_RUN")]
    dry_run: bool,

    /// Form of the result
    #[arg(long, env = "AUDIT_FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    kubernetes: KubernetesOptions,
}

/// What was found and done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Released {
    resources: u64,
    /// Those with our finalizer.
    held: u64,
    /// Those of them that are not published, and can now be deleted unpublished.
    unpublished: u64,
    released: u64,
}

/// Releases, and prints what was done.
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let resources = Resources::new(&options.kubernetes).await?;
    let released = release(&resources, options.dry_run).await?;
    format::print(&mut stdout(), options.format, &Rows::of(&[released])?)
        .context("cannot write the result")?;
    Ok(ExitCode::Fine)
}

/// Takes our finalizer off everything.
///
/// # Errors
/// The API server refuses, or does not answer. What was released until then stays so.
pub(super) async fn release(resources: &Resources, dry_run: bool) -> anyhow::Result<Released> {
    let told = |error: kube::Error| anyhow!("{}", resources.explain(&error));
    let mut released = Released::default();
    for scope in resources.scopes() {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = scope.list_metadata(&page).await.map_err(told)?;
            for resource in &list.items {
                let seen = Seen::new(&resource.metadata);
                released.resources += 1;
                if !seen.is_held() {
                    continue;
                }
                released.held += 1;
                released.unpublished += u64::from(seen.published.is_none());
                if !dry_run {
                    let api = resources.within(&seen.namespace);
                    let outcome = patch::apply(&api, &seen, Seen::release).await.map_err(told)?;
                    released.released += u64::from(outcome == Outcome::Changed);
                }
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(released)
}
