//! The stages of an event's way that cost processor time, each on its own: `make guard` counts their instructions and
//! allocations, `cargo bench` takes their time.
//!
//! A stage gets the same events every time, and what comes before it is done beforehand.

mod consumer;
mod events;
mod producer;

use anyhow::Result;

pub use self::events::Size;

/// Sends all events through a stage once; every pass does the same work.
pub type Pass = Box<dyn FnMut()>;

/// Makes events of a size ready for a stage.
type Prepare = fn(Size) -> Result<Pass>;

/// One stage with events of one size.
pub struct Stage {
    name: &'static str,
    size: Size,
    prepare: Prepare,
}

impl Stage {
    /// All stages in the order of an event's way, each with the sizes that make a difference to it.
    pub fn all() -> impl Iterator<Item = Self> {
        let stages: [(_, Prepare, &[Size]); 9] = [
            ("record from JSON", producer::record_from_json, &Size::ALL),
            ("record from event", producer::record_from_event, &[Size::Usual]),
            ("chunk", consumer::chunk, &Size::ALL),
            ("decode", consumer::decode, &Size::ALL),
            ("identify", consumer::identify, &[Size::Usual]),
            ("digest", consumer::digest, &[Size::Usual]),
            ("render", consumer::render, &[Size::Usual]),
            ("observe", consumer::observe, &[Size::Usual]),
            ("gather", consumer::gather, &Size::ALL),
        ];
        stages.into_iter().flat_map(|(name, prepare, sizes)| {
            sizes.iter().map(move |size| Self { name, size: *size, prepare })
        })
    }

    /// The stage and the size, such as `decode, 2 KB`.
    pub fn name(&self) -> String {
        format!("{}, {}", self.name, self.size.name())
    }

    /// How many events go through in a pass.
    pub fn events(&self) -> u32 {
        self.size.count()
    }

    /// Makes the events ready for the stage.
    ///
    /// # Errors
    /// An event is refused: generator and validation disagree.
    pub fn prepare(&self) -> Result<Pass> {
        (self.prepare)(self.size)
    }
}
