//! From HTTP, or the library, to the row.

mod answers;
mod connections;
mod go_client;
mod library;
mod limits;
mod load;
mod outages;
mod repeats;
mod rows;
mod topic;
