//! What a scanned value turned out to be.

use super::scratch::Text;

/// A value that was read. Until more is read it ends where the scanner stands.
///
/// Sixteen bytes, so that it is returned in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) start: u32,
    pub(super) kind: Kind,
}

impl Value {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Null,
    Boolean,
    /// Digits only, perhaps a minus: what Go reads into an integer.
    Integer,
    /// A number with a fraction or an exponent.
    Decimal,
    String(Text),
    Array,
    Object,
    /// A string or number whose problem is recorded already.
    Invalid,
}

impl Kind {
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Decimal => "a number with a fraction or exponent",
            Self::String(_) => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Invalid => "not valid",
        }
    }
}
