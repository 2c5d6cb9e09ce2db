//! From HTTP, or the library, to the row.

mod answers;
mod batch;
mod connections;
mod go_client;
mod library;
mod limits;
mod load;
mod openapi;
mod outages;
mod repeats;
mod rows;
mod topic;
