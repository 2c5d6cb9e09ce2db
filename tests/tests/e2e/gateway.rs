//! From HTTP, or the library, to the row.

mod answers;
mod callers;
mod clients;
mod connections;
mod crowd;
mod go_client;
mod library;
mod limits;
mod load;
mod outages;
mod repeats;
mod rows;
mod tls;
mod topic;
