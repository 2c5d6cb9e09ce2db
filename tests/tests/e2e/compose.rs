//! docker-compose.yml, held against the binaries, the repository and real servers: its services run here as local
//! processes, with its own commands, variables and secrets.

mod file;
mod places;
mod rules;
mod run;
mod secrets;
mod stack;
