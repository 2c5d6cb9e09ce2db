//! What the pages say is so: what is made from the binaries, and what people have written.

mod commands;
mod links;
mod names;
mod operations;
mod page;
mod schema;

use std::{env, fs};

use anyhow::{Context, Result};
use audit_tests::binary::Binary;

use self::page::root;

/// The options of a binary's commands, as Markdown.
async fn reference(binary: &str) -> Result<String> {
    Binary::new(binary).args(["config", "reference"]).run().await?.success()
}

/// `make docs` sets `UPDATE_DOCS`, and the page is written instead.
#[tokio::test]
async fn configuration() -> Result<()> {
    let path = root().join("docs/configuration.md");
    let page = fs::read_to_string(&path)?;
    let mut expected = page.clone();
    for binary in ["audit-producer", "audit-consumer"] {
        let reference = reference(binary).await?;
        let begin = format!("<!-- begin: {binary} config reference -->\n");
        let end = format!("<!-- end: {binary} config reference -->\n");
        let (before, rest) = expected.split_once(&begin).with_context(|| begin.clone())?;
        let (_, after) = rest.split_once(&end).with_context(|| end.clone())?;
        expected = format!("{before}{begin}{reference}{end}{after}");
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected)?;
    } else {
        assert!(page == expected, "docs/configuration.md is out of date: run `make docs`");
    }
    Ok(())
}
