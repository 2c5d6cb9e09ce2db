//! Whether what was counted is still what was recorded.

use std::fmt;

use crate::figures::Figures;

/// The change that is let through, as a share.
const TOLERANCE: f64 = 0.05;

/// Every figure, recorded and now.
pub(crate) struct Comparison(Vec<Line>);

struct Line {
    stage: String,
    figure: &'static str,
    decimals: usize,
    recorded: Option<f64>,
    now: Option<f64>,
}

/// Picks one of a stage's figures.
type Figure = fn(&Figures) -> f64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Grown,
    Shrunk,
    NotRecorded,
    Gone,
}

impl Comparison {
    /// By the stages' names, in the order of `now`.
    pub(crate) fn of(recorded: &[Figures], now: &[Figures]) -> Self {
        let gone = recorded.iter().filter(|old| !now.iter().any(|new| new.name == old.name));
        let both = now
            .iter()
            .map(|new| (recorded.iter().find(|old| old.name == new.name), Some(new)))
            .chain(gone.map(|old| (Some(old), None)));
        Self(both.flat_map(|(recorded, now)| lines(recorded, now)).collect())
    }

    /// How many figures are not what was recorded.
    pub(crate) fn different(&self) -> usize {
        self.0.iter().filter(|line| line.verdict() != Verdict::Same).count()
    }
}

fn lines(recorded: Option<&Figures>, now: Option<&Figures>) -> Vec<Line> {
    let figures: [(_, _, Figure); 3] = [
        ("instructions", 0, |figures| float(figures.instructions)),
        ("in SHA-256", 0, |figures| float(figures.sha256)),
        ("allocations", 3, |figures| figures.allocations),
    ];
    let stage = recorded.or(now).map(|figures| figures.name.clone()).unwrap_or_default();
    figures
        .map(|(figure, decimals, of)| Line {
            stage: stage.clone(),
            figure,
            decimals,
            recorded: recorded.map(of),
            now: now.map(of),
        })
        .into()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(instructions: u64) -> f64 {
    instructions as f64
}

impl Line {
    /// The change as a share of what was recorded.
    fn change(&self) -> Option<f64> {
        let (recorded, now) = (self.recorded?, self.now?);
        Some(if recorded == now { 0.0 } else { now / recorded - 1.0 })
    }

    fn verdict(&self) -> Verdict {
        match self.change() {
            None if self.now.is_some() => Verdict::NotRecorded,
            None => Verdict::Gone,
            Some(change) if change > TOLERANCE => Verdict::Grown,
            Some(change) if change < -TOLERANCE => Verdict::Shrunk,
            Some(_) => Verdict::Same,
        }
    }
}

/// A table with a line for each figure.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [stage, figure] = ["STAGE", "PER EVENT"];
        let [recorded, now, change] = ["RECORDED", "NOW", "CHANGE, %"];
        writeln!(f, "{stage:<26}{figure:<13}{recorded:>12}{now:>12}{change:>10}  VERDICT")?;
        for line in &self.0 {
            let Line { stage, figure, decimals, .. } = line;
            let recorded = shown(line.recorded, *decimals);
            let now = shown(line.now, *decimals);
            let change = shown(line.change().map(|share| 100.0 * share), 2);
            let verdict = line.verdict();
            writeln!(f, "{stage:<26}{figure:<13}{recorded:>12}{now:>12}{change:>10}  {verdict}")?;
        }
        Ok(())
    }
}

fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Grown => "GROWN",
            Self::Shrunk => "SHRUNK: record it",
            Self::NotRecorded => "NEW: record it",
            Self::Gone => "GONE: record what is left",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(instructions: u64, allocations: f64) -> Figures {
        Figures { name: "decode".to_owned(), instructions, sha256: 0, allocations }
    }

    fn verdicts(recorded: &[Figures], now: &[Figures]) -> Vec<Verdict> {
        Comparison::of(recorded, now).0.iter().map(Line::verdict).collect()
    }

    #[test]
    fn five_percent_are_let_through() {
        let recorded = [figures(1_000, 2.0)];
        for (instructions, allocations, expected) in [
            (1_049, 2.09, [Verdict::Same; 3]),
            (951, 1.91, [Verdict::Same; 3]),
            (1_051, 2.0, [Verdict::Grown, Verdict::Same, Verdict::Same]),
            (1_000, 2.11, [Verdict::Same, Verdict::Same, Verdict::Grown]),
            (949, 1.0, [Verdict::Shrunk, Verdict::Same, Verdict::Shrunk]),
        ] {
            assert_eq!(verdicts(&recorded, &[figures(instructions, allocations)]), expected);
        }
    }

    #[test]
    fn the_first_allocation_is_too_many() {
        let recorded = [figures(1_000, 0.0)];
        assert_eq!(verdicts(&recorded, &[figures(1_000, 0.005)])[2], Verdict::Grown);
        assert_eq!(verdicts(&recorded, &[figures(1_000, 0.0)])[2], Verdict::Same);
    }

    #[test]
    fn stages_come_and_go_with_the_record() {
        let stage = [figures(1_000, 0.0)];
        assert_eq!(verdicts(&[], &stage), [Verdict::NotRecorded; 3]);
        assert_eq!(verdicts(&stage, &[]), [Verdict::Gone; 3]);
        assert_eq!(Comparison::of(&stage, &stage).different(), 0);
        assert_eq!(Comparison::of(&[], &stage).different(), 3);
    }
}
