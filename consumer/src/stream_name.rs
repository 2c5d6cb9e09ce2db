//! What streams are called: the live one as its consumer group, a replay as itself behind a prefix of its own.

/// What the names of replays' streams begin with. No live stream has it, so that nobody takes the one for the other;
/// `audit_completeness` leaves them out by it.
const REPLAY: &str = "replay-";

/// The stream of the replay of this name.
pub fn of_replay(name: &str) -> String {
    format!("{REPLAY}{name}")
}

/// Whether it is a replay's stream.
pub fn is_replay(stream: &str) -> bool {
    stream.starts_with(REPLAY)
}
