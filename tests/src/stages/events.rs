//! What goes through the stages.

use anyhow::{Context, Result};
use chrono::DateTime;
use fastrand::Rng;

use crate::{
    generator::{Event, Generator, IdKind, resize},
    kafka::Record,
};

const SEED: u64 = 42;
/// 2025-06-15 15:06:40 UTC.
const LATEST: i64 = 1_750_000_000;

/// How large the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 200 bytes: the required fields and a few more.
    Small,
    /// As large as they happen to be, 2 KB on average.
    Usual,
    /// 100 KB.
    Large,
}

impl Size {
    /// All sizes.
    pub const ALL: [Self; 3] = [Self::Small, Self::Usual, Self::Large];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "200 B",
            Self::Usual => "2 KB",
            Self::Large => "100 KB",
        }
    }

    pub(super) fn count(self) -> u32 {
        match self {
            Self::Small | Self::Usual => 200,
            Self::Large => 10,
        }
    }

    fn bytes(self) -> Option<usize> {
        match self {
            Self::Small => Some(200),
            Self::Usual => None,
            Self::Large => Some(100_000),
        }
    }
}

/// Records of publishers, with all kinds of ids.
pub(super) fn records(size: Size) -> Result<Vec<Record>> {
    let record = |event: Event, random: &mut Rng| {
        let value = resized(&event, size, random)?;
        Ok(Record { value: Some(value), ..event.record() })
    };
    with_events(size, |generator| generator.events(1).remove(0), record)
}

/// Events as Go sends them to the gateway: with an empty id.
pub(super) fn bodies(size: Size) -> Result<Vec<Vec<u8>>> {
    let body = |event: Event, random: &mut Rng| resized(&event, size, random);
    with_events(size, |generator| generator.event(IdKind::Absent), body)
}

fn with_events<T>(
    size: Size,
    event: impl Fn(&mut Generator) -> Event,
    shape: impl Fn(Event, &mut Rng) -> Result<T>,
) -> Result<Vec<T>> {
    let latest = DateTime::from_timestamp_secs(LATEST).context("is within the calendar")?;
    let mut generator = Generator::new(SEED, latest);
    let mut random = Rng::with_seed(SEED);
    (0..size.count()).map(|_| shape(event(&mut generator), &mut random)).collect()
}

fn resized(event: &Event, size: Size, random: &mut Rng) -> Result<Vec<u8>> {
    let value = event.value();
    match size.bytes() {
        Some(bytes) => resize(&value, bytes, random),
        None => Ok(value),
    }
}
