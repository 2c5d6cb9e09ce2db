//! End to end on real parts: one executable, so that the shared servers start once.

mod broker;
mod cli;
mod database;
mod gateway;
mod group;
mod harness;
mod metrics;
mod stream;
mod traces;
