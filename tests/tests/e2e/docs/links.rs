//! Links within the repository lead somewhere.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::page::{Page, root};

#[test]
fn files_and_headings_are_there() -> Result<()> {
    let pages = Page::all()?;
    let mut broken = Vec::new();
    for page in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.path.parent().unwrap_or(Path::new(""));
            let target =
                if path.is_empty() { page.path.clone() } else { plain(&folder.join(path)) };
            let known = pages.iter().find(|page| page.path == target);
            let leads = match known {
                Some(known) if !anchor.is_empty() => anchors(known).any(|found| found == anchor),
                _ => anchor.is_empty() && root().join(&target).exists(),
            };
            if !leads {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    Ok(())
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain
}

/// What GitHub makes of headings. No page has a heading twice that somebody links to.
fn anchors(page: &Page) -> impl Iterator<Item = String> {
    page.headings.iter().map(|heading| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}
