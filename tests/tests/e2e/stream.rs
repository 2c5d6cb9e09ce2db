//! What arrives when nothing but the events themselves is unusual.

mod backpressure;
mod contents;
mod memory;
mod spread;
