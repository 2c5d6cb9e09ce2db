//! Pages that are made from the binaries say what the binaries do.

use std::{env, fs};

use anyhow::{Context, Result};
use audit_tests::binary::Binary;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

/// `make docs` sets `UPDATE_DOCS`, and the page is written instead.
#[tokio::test]
async fn configuration() -> Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let mut expected = page.clone();
    for binary in ["audit-producer", "audit-consumer"] {
        let reference = Binary::new(binary).args(["config", "reference"]).run().await?.success()?;
        let begin = format!("<!-- begin: {binary} config reference -->\n");
        let end = format!("<!-- end: {binary} config reference -->\n");
        let (before, rest) = expected.split_once(&begin).with_context(|| begin.clone())?;
        let (_, after) = rest.split_once(&end).with_context(|| end.clone())?;
        expected = format!("{before}{begin}{reference}{end}{after}");
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, expected)?;
    } else {
        assert!(page == expected, "docs/configuration.md is out of date: run `make docs`");
    }
    Ok(())
}
