//! A page of Markdown, as far as it can be compared with anything.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The folders that have pages.
const FOLDERS: [&str; 3] = ["", "docs", "docs/adr"];

/// The repository.
pub(super) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What a page has of each kind, in its order.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// From the repository's root.
    pub(super) path: PathBuf,
    /// Texts of headings.
    pub(super) headings: Vec<String>,
    /// Where links lead.
    pub(super) links: Vec<String>,
    /// Code within text.
    pub(super) codes: Vec<String>,
    /// Blocks of code.
    pub(super) blocks: Vec<String>,
    /// Rows of all tables.
    pub(super) rows: Vec<Row>,
}

/// A row of a table, without marks such as those of code.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The heading it stands under.
    pub(super) heading: String,
    /// The head of its table's first column.
    pub(super) kind: String,
    /// Its cells.
    pub(super) cells: Vec<String>,
}

impl Page {
    /// Every page of the repository.
    pub(super) fn all() -> Result<Vec<Self>> {
        let mut pages = Vec::new();
        for folder in FOLDERS {
            for entry in fs::read_dir(root().join(folder))? {
                let name = PathBuf::from(entry?.file_name());
                if name.extension().is_some_and(|extension| extension == "md") {
                    pages.push(Self::read(&Path::new(folder).join(name))?);
                }
            }
        }
        Ok(pages)
    }

    /// One page, by its path from the repository's root.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(root().join(path))?;
        let mut page = Self { path: path.to_owned(), ..Self::default() };
        // The text of the heading, cell or block that is being read.
        let mut open = String::new();
        let mut row = Row::default();
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(
                    Tag::Heading { .. } | Tag::TableCell | Tag::CodeBlock(_) | Tag::Paragraph,
                ) => open.clear(),
                Event::Start(Tag::Link { dest_url, .. }) => page.links.push(dest_url.into_string()),
                Event::Start(Tag::TableRow | Tag::TableHead) => row.cells.clear(),
                Event::Text(text) => open.push_str(&text),
                Event::Code(code) => {
                    open.push_str(&code);
                    page.codes.push(code.into_string());
                }
                Event::End(TagEnd::Heading(_)) => {
                    row.heading.clone_from(&open);
                    page.headings.push(open.clone());
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.push(open.clone()),
                Event::End(TagEnd::TableCell) => row.cells.push(open.clone()),
                Event::End(TagEnd::TableHead) => row.kind.clone_from(&row.cells[0]),
                Event::End(TagEnd::TableRow) => page.rows.push(row.clone()),
                _ => {}
            }
        }
        Ok(page)
    }

    /// Rows of tables whose first column has this head.
    pub(super) fn rows(&self, kind: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.kind == kind)
    }

    /// Code within text, and each line of its blocks.
    pub(super) fn code(&self) -> impl Iterator<Item = &str> {
        let lines = self.blocks.iter().flat_map(|block| block.lines());
        self.codes.iter().map(String::as_str).chain(lines)
    }

    /// Words of its code: letters, digits and underscores.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.code().flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
    }
}
