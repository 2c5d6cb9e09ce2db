//! End to end on real parts: one executable, so that the shared servers start once.

mod broker;
mod cli;
mod compose;
mod config;
mod controller;
mod database;
mod dlq;
mod docs;
mod doctor;
mod gateway;
mod group;
mod harness;
mod import;
mod metrics;
mod operations;
mod replay;
mod report;
mod security;
mod soak;
mod status;
mod stream;
mod traces;
mod verify;
