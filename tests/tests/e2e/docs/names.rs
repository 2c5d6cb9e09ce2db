//! Names on the pages are those of something that is there.

use std::fs;

use anyhow::Result;

use super::page::{Page, root};

/// What a path begins with.
const FOLDERS: [&str; 7] =
    ["schema/", "runtime/", "producer/", "consumer/", "tests/", "deploy/", "docs/"];

#[test]
fn variables_and_metrics_have_their_page() -> Result<()> {
    let configuration = fs::read_to_string(root().join("docs/configuration.md"))?;
    let metrics = fs::read_to_string(root().join("docs/metrics.md"))?;
    let known = |word: &str| match word {
        _ if word.starts_with("AUDIT_") => word == "AUDIT_" || configuration.contains(word),
        _ if word.starts_with("kubernaut_audit_") || word.starts_with("kubernaut_workflow_") => {
            metrics.contains(&format!("`{word}`"))
        }
        _ => true,
    };
    nothing_but(known, |page| page.words().map(str::to_owned).collect())
}

#[test]
fn paths_are_files() -> Result<()> {
    let is_path = |code: &&String| FOLDERS.iter().any(|folder| code.starts_with(folder));
    let exists = |path: &str| root().join(path).exists();
    nothing_but(exists, |page| page.codes.iter().filter(is_path).cloned().collect())
}

/// `module::test` is a function in the end-to-end tests' file of that module.
#[test]
fn tests_are_there() -> Result<()> {
    let tests = root().join("tests/tests/e2e");
    let is_test = |code: &&String| {
        code.split_once("::").is_some_and(|(module, _)| tests.join(format!("{module}.rs")).exists())
    };
    let exists = |test: &str| {
        let Some((module, name)) = test.rsplit_once("::") else { return false };
        let file = tests.join(format!("{}.rs", module.replace("::", "/")));
        fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}(")))
    };
    nothing_but(exists, |page| page.codes.iter().filter(is_test).cloned().collect())
}

#[test]
fn make_has_its_targets() -> Result<()> {
    let makefile = fs::read_to_string(root().join("Makefile"))?;
    let is_target = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| word.contains('='));
        let target = (words.next() == Some("make")).then(|| words.next()).flatten();
        target.is_none_or(|target| makefile.contains(&format!("\n{target}:")))
    };
    nothing_but(is_target, |page| page.code().map(str::to_owned).collect())
}

/// Fails with all that the pages name and that is not known.
fn nothing_but(known: impl Fn(&str) -> bool, names: impl Fn(&Page) -> Vec<String>) -> Result<()> {
    let mut unknown = Vec::new();
    for page in Page::all()? {
        let names = names(&page).into_iter().filter(|name| !known(name));
        unknown.extend(names.map(|name| format!("{}: {name}", page.path.display())));
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    Ok(())
}
