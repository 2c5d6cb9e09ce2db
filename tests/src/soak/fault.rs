//! What can happen, and how often each of it does.

use std::fmt;

use fastrand::Rng;

/// Something that goes wrong, or that an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Kill,
    Pause,
    Join,
    Leave,
    CutConnections,
    EndSessions,
    RestartDatabase,
    CrashDatabase,
    RestartBroker,
    CrashBroker,
    Replay,
    KillReplay,
}

/// How often each comes in a deck. Those that hold everything up for long are rare: a broker that crashed answers
/// after a quarter of a minute.
const DECK: [(Fault, usize); 12] = [
    (Fault::Kill, 4),
    (Fault::Pause, 2),
    (Fault::Join, 2),
    (Fault::Leave, 2),
    (Fault::CutConnections, 4),
    (Fault::EndSessions, 3),
    (Fault::RestartDatabase, 1),
    (Fault::CrashDatabase, 2),
    (Fault::RestartBroker, 1),
    (Fault::CrashBroker, 1),
    (Fault::Replay, 3),
    (Fault::KillReplay, 2),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "a consumer is killed, another one starts",
            Self::Pause => "a consumer is frozen for some seconds",
            Self::Join => "a consumer joins",
            Self::Leave => "a consumer is told to stop",
            Self::CutConnections => "connections to the database are cut",
            Self::EndSessions => "the database ends all sessions",
            Self::RestartDatabase => "the database is restarted",
            Self::CrashDatabase => "the database crashes",
            Self::RestartBroker => "the broker is restarted",
            Self::CrashBroker => "the broker crashes",
            Self::Replay => "a replay begins, or goes on",
            Self::KillReplay => "a replay begins and is killed",
        })
    }
}

/// Faults in random order, each as often as it is in [`DECK`] before the deck is shuffled again.
pub(super) struct Deck {
    random: Rng,
    left: Vec<Fault>,
}

impl Deck {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), left: Vec::new() }
    }

    /// The next fault, with randomness of its own: how much of it a fault uses changes nothing for those that follow.
    pub(super) fn draw(&mut self) -> (Fault, Rng) {
        let fault = loop {
            if let Some(fault) = self.left.pop() {
                break fault;
            }
            self.left = DECK.iter().flat_map(|&(fault, count)| vec![fault; count]).collect();
            self.random.shuffle(&mut self.left);
        };
        (fault, self.random.fork())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<(Fault, u64)> {
        let mut deck = Deck::new(seed);
        let draws = (0..100).map(|_| deck.draw());
        draws.map(|(fault, mut random)| (fault, random.u64(..))).collect()
    }

    #[test]
    fn a_seed_gives_the_same_faults_again() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn every_fault_comes_as_often_as_it_should() {
        let size = DECK.iter().map(|(_, count)| count).sum();
        for deck in drawn(7).chunks_exact(size) {
            for (fault, count) in DECK {
                assert_eq!(deck.iter().filter(|(drawn, _)| *drawn == fault).count(), count);
            }
        }
    }
}
