//! All measurements of a report, round by round.

use crate::{
    meter::Figures,
    table::{median, shown},
};

/// Figures by what was measured and in which round.
pub(crate) struct Runs<K>(Vec<(K, u32, Figures)>);

impl<K: Copy + PartialEq> Runs<K> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, of: K, round: u32, figures: Figures) {
        self.0.push((of, round, figures));
    }

    /// The median of a figure, as text of so many decimals.
    pub(crate) fn median(
        &self,
        of: K,
        decimals: usize,
        figure: impl Fn(&Figures) -> Option<f64>,
    ) -> String {
        let runs = self.0.iter().filter(|(found, _, _)| *found == of);
        shown(median(runs.filter_map(|(_, _, run)| figure(run)).collect()), decimals)
    }

    /// Of each round: this rate as a share of another one of the same round. The median of the shares, and the lowest
    /// and highest.
    pub(crate) fn ratio(&self, of: K, to: K) -> [String; 2] {
        let runs = self.0.iter().filter(|(found, _, _)| *found == of);
        let mut ratios: Vec<f64> = runs
            .filter_map(|(_, round, run)| Some(run.rate / self.find(to, *round)?.rate))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let range = match (ratios.first(), ratios.last()) {
            (Some(lowest), Some(highest)) => format!("{lowest:.2}–{highest:.2}"),
            _ => "–".to_owned(),
        };
        [shown(median(ratios), 2), range]
    }

    /// In words, how much of the machine others had.
    pub(crate) fn others(&self) -> String {
        let others = self.0.iter().map(|(_, _, run)| run.others);
        let most = others.clone().fold(0.0, f64::max);
        format!(
            "Other processes (the kernel's writing to disk among them) had {:.0} % of the machine in the median \
             measurement and {:.0} % at most.",
            median(others.collect()).unwrap_or_default() * 100.0,
            most * 100.0
        )
    }

    fn find(&self, of: K, round: u32) -> Option<&Figures> {
        let mut runs = self.0.iter();
        runs.find(|(found, at, _)| *found == of && *at == round).map(|(_, _, run)| run)
    }
}

/// The order of a round. Each begins with another one, so that none always follows the same.
pub(crate) fn in_round<T>(mut all: Vec<T>, round: u32) -> Vec<T> {
    let first = usize::try_from(round).unwrap_or(0) % all.len().max(1);
    all.rotate_left(first);
    all
}
