//! Commands on the pages are those of the binaries.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{page::Page, reference};

/// Where a command line ends for us.
const ENDS: [char; 7] = ['|', '>', '<', ';', '&', '#', '\\'];

/// The flags of each command; those of every command stand under no command.
type Commands = BTreeMap<String, BTreeSet<String>>;

#[tokio::test]
async fn they_exist_with_their_flags() -> Result<()> {
    let pages = Page::all()?;
    let mut wrong = Vec::new();
    for binary in ["audit-producer", "audit-consumer"] {
        let commands = commands(binary, &reference(binary).await?);
        for page in &pages {
            for code in page.code() {
                let Some(words) = words(binary, code) else { continue };
                if let Err(what) = check(&commands, &words) {
                    wrong.push(format!("{}: {code}: {what}", page.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn commands(binary: &str, reference: &str) -> Commands {
    let mut commands = Commands::new();
    let mut command = String::new();
    for line in reference.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let words = heading.strip_prefix(binary).unwrap_or_default();
            words.trim().clone_into(&mut command);
            commands.entry(command.clone()).or_default();
        }
        let flag = line.trim_start_matches(['|', '-', ' ', '`']).split([' ', '`']).next();
        if line.contains("`--")
            && let Some(flag) = flag
        {
            commands.entry(command.clone()).or_default().insert(format!("--{flag}"));
        }
    }
    commands
}

/// What follows the binary's name on its command line.
fn words<'a>(binary: &str, code: &'a str) -> Option<Vec<&'a str>> {
    let line = code.split(ENDS).next().unwrap_or_default();
    let mut words = line.split_whitespace();
    words.find(|word| *word == binary)?;
    Some(words.collect())
}

fn check(commands: &Commands, words: &[&str]) -> Result<(), String> {
    let is_name = |word: &&&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let named: Vec<&str> = words.iter().take_while(is_name).copied().collect();
    // What follows a command's name are its arguments; a group such as `config` has none.
    let names = (0..=named.len()).rev().map(|end| named[..end].join(" "));
    let command = names.into_iter().find(|name| commands.contains_key(name)).unwrap_or_default();
    let group = format!("{} ", named.join(" "));
    let is_group = commands.keys().any(|command| command.starts_with(&group));
    if command.is_empty() && !named.is_empty() && !is_group {
        return Err("no such command".to_owned());
    }
    // `config show` and `config check` are about another command, with its flags.
    let of_any = command.starts_with("config ") || command.is_empty();
    let flags = commands.iter().filter(|(name, _)| of_any || name.is_empty() || **name == command);
    let flags: BTreeSet<&str> =
        flags.flat_map(|(_, flags)| flags.iter().map(String::as_str)).collect();
    for word in words.iter().filter(|word| word.starts_with("--")) {
        let flag = word.split(['=', ',', ')', ']']).next().unwrap_or_default();
        if !flags.contains(flag) && !["--help", "--version"].contains(&flag) {
            return Err(format!("`{command}` has no {flag}"));
        }
    }
    Ok(())
}
