//! The series that events are counted in, by small numbers.
//!
//! An event of ten steps adds to a dozen series. As numbers they cost four bytes each and no count of references that
//! lanes share, and a batch is summed up before anything shared is touched.

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Gauge, Histogram, IntCounter};

/// The number of a series among those of its kind; given once and good for ever.
pub(super) type Place = u32;

/// What one event will add, once it is known to be new and committed.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    pub(super) duration: Option<(Place, f64)>,
    pub(super) score: Option<(Place, f64)>,
    pub(super) steps: Box<[Place]>,
}

/// All series that any lane has met.
#[derive(Default)]
pub(super) struct Series {
    durations: Vec<LocalHistogram>,
    scores: Vec<Gauge>,
    pub(super) steps: Vec<LocalIntCounter>,
}

impl Series {
    pub(super) fn add_duration(&mut self, histogram: &Histogram) -> Place {
        push(&mut self.durations, histogram.local())
    }

    pub(super) fn add_score(&mut self, gauge: Gauge) -> Place {
        push(&mut self.scores, gauge)
    }

    pub(super) fn add_step(&mut self, counter: &IntCounter) -> Place {
        push(&mut self.steps, counter.local())
    }

    /// Adds the observations, in their order.
    pub(super) fn record<'a>(&self, observations: impl Iterator<Item = &'a Observation>) {
        for Observation { duration, score, steps } in observations {
            if let Some((place, seconds)) = duration {
                self.durations[*place as usize].observe(*seconds);
            }
            if let Some((place, score)) = score {
                self.scores[*place as usize].set(*score);
            }
            for place in steps {
                self.steps[*place as usize].inc();
            }
        }
        self.durations.iter().for_each(LocalHistogram::flush);
        self.steps.iter().for_each(LocalIntCounter::flush);
    }
}

fn push<T>(series: &mut Vec<T>, one: T) -> Place {
    series.push(one);
    Place::try_from(series.len() - 1).expect("the caps admit some thousands")
}
