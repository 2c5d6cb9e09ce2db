//! The buffers a decoder reuses from event to event.

use std::ops::Range;

/// An offset in input or canonical form.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at)
        .expect("the input's length was checked, and canonical forms are not much longer")
}

/// A range of bytes. Small, as it is copied with every value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A string of the event: in [`Scratch::unescaped`] if it had escapes, else in the input.
///
/// Eight bytes, so that values and keys are returned in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Text {
    /// The highest bit says that the string had escapes; texts are far below 2 GiB.
    start: u32,
    end: u32,
}

const HAD_ESCAPES: u32 = 1 << 31;

impl Text {
    pub(super) fn plain(start: usize, end: usize) -> Self {
        let Span { start, end } = Span::new(start, end);
        Self { start, end }
    }

    pub(super) fn unescaped(start: usize, end: usize) -> Self {
        let Span { start, end } = Span::new(start, end);
        Self { start: start | HAD_ESCAPES, end }
    }

    #[inline]
    pub(super) fn resolve<'a>(self, input: &'a str, unescaped: &'a str) -> &'a str {
        &self.source(input, unescaped)[self.range()]
    }

    /// Without the check that the ends are between characters.
    #[inline]
    pub(super) fn bytes<'a>(self, input: &'a str, unescaped: &'a str) -> &'a [u8] {
        &self.source(input, unescaped).as_bytes()[self.range()]
    }

    /// With the quotes around it, which a string that was read has in either place.
    #[inline]
    pub(super) fn quoted<'a>(self, input: &'a str, unescaped: &'a str) -> &'a [u8] {
        let Range { start, end } = self.range();
        &self.source(input, unescaped).as_bytes()[start - 1..=end]
    }

    fn source<'a>(self, input: &'a str, unescaped: &'a str) -> &'a str {
        if self.start & HAD_ESCAPES == 0 { input } else { unescaped }
    }

    fn range(self) -> Range<usize> {
        (self.start & !HAD_ESCAPES) as usize..self.end as usize
    }
}

/// A step of the way from the root to a value, for the path of a problem.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment {
    Key(Text),
    Index(usize),
}

/// An object's member: `canonical[start..key_end]` is its key, `canonical[start..end]` all of it.
/// Small, as sorting moves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The key's first eight bytes, so that most comparisons need not look at the key itself.
    pub(super) key_prefix: u64,
    pub(super) start: u32,
    pub(super) key_end: u32,
    pub(super) end: u32,
    /// Offset of the key in the input.
    pub(super) at: u32,
}

/// What the step metric is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) action: Text,
    pub(super) status: Text,
}

/// Grows to what the largest event needs, at most some ten times [`crate::topic::MAX_EVENT_BYTES`],
/// and stays so.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The strings that had escapes, one after the other, each between quotes.
    pub(super) unescaped: String,
    /// Canonical forms; see [`super::canonical`].
    pub(super) canonical: Vec<u8>,
    /// The members of the objects being read, outermost first.
    pub(super) members: Vec<Member>,
    /// One segment for each array or object being read.
    pub(super) path: Vec<Segment>,
    pub(super) steps: Vec<Step>,
    /// The JSON object of unknown top-level fields, but for its closing brace.
    pub(super) extensions: String,
}

impl Scratch {
    pub(crate) fn clear(&mut self) {
        self.unescaped.clear();
        self.canonical.clear();
        self.members.clear();
        self.path.clear();
        self.steps.clear();
        self.extensions.clear();
    }
}
