//! What callgrind writes down: <https://valgrind.org/docs/manual/cl-format.html>, as far as it is needed here.

use std::{collections::HashMap, str::FromStr};

use anyhow::{Context, Error, Result, ensure};

/// What the functions of SHA-256's rounds have in their names.
const SHA256: &str = "sha256";

/// Instructions by what they are for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Instructions {
    /// All but SHA-256's rounds.
    pub(crate) ours: u64,
    /// SHA-256's rounds. Valgrind has none of the instructions that processors have for them; in one sum with the
    /// others these would be most of it, and hide what the others do.
    pub(crate) sha256: u64,
}

/// Sums what each function spent itself.
impl FromStr for Instructions {
    type Err = Error;

    fn from_str(profile: &str) -> Result<Self> {
        let mut sums = Self::default();
        // A name is written once, wherever its number comes first.
        let mut is_sha256 = HashMap::new();
        let mut function = None;
        let mut is_call = false;
        for line in profile.lines() {
            if let Some(name) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
                let (number, name) = name.split_once(' ').unwrap_or((name, ""));
                if !name.is_empty() {
                    is_sha256.insert(number, name.contains(SHA256));
                }
                if line.starts_with("fn=") {
                    function = is_sha256.get(number).copied();
                }
            } else if line.starts_with("calls=") {
                // The next line is what the callee spent.
                is_call = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
                && !std::mem::take(&mut is_call)
            {
                let cost = line.split(' ').nth(1).context("no cost")?.parse::<u64>()?;
                match function.context("a cost of no function")? {
                    true => sums.sha256 += cost,
                    false => sums.ours += cost,
                }
            }
        }
        ensure!(sums != Self::default(), "nothing was counted");
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_counts_with_what_it_spent_itself() {
        let profile = "version: 1\npositions: line\nevents: Ir\n\nfl=(1) a.rs\nfn=(1) decode\n0 100\n+2 10\n\
            cfn=(2) sha2::sha256::soft::compress\ncalls=3 0\n* 5000\n* 1\n\nfn=(2)\n0 5000\n\nfn=(1)\n-1 1000\n\
            totals: 6111\n";
        assert_eq!(
            profile.parse::<Instructions>().unwrap(),
            Instructions { ours: 1_111, sha256: 5_000 }
        );
    }

    #[test]
    fn a_profile_of_nothing_is_an_error() {
        assert!("events: Ir\ntotals: 0\n".parse::<Instructions>().is_err());
    }
}
