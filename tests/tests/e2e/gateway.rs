//! From HTTP, or the library, to the row.

mod answers;
mod batch;
mod callers;
mod clients;
mod connections;
mod crowd;
mod go_client;
mod library;
mod limits;
mod load;
mod openapi;
mod outages;
mod repeats;
mod rows;
mod tls;
mod topic;
