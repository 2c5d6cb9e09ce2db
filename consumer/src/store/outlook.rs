//! What a lane expects of its next batch.

/// Batches that are looked up first after one that held a known id.
const WARY: u32 = 32;

/// Whether the next batch's ids are taken to be new.
///
/// New ids need no look-up: the primary key itself refuses the others, at the price of the rows that were copied in
/// vain. So a lane that has lately met known ids looks first; at worst one batch in 33 is copied twice, while a
/// stream without repeats saves a look-up of every id.
#[derive(Debug, Default)]
pub struct Outlook {
    wary: u32,
}

impl Outlook {
    /// Whether to copy without looking.
    pub(super) fn all_new(&self) -> bool {
        self.wary == 0
    }

    /// A batch that was copied without looking was refused.
    pub(super) fn surprised(&mut self) {
        self.wary = WARY;
    }

    /// A batch was looked up, and all of it was new, or not.
    pub(super) fn looked_up(&mut self, all_new: bool) {
        self.wary = if all_new { self.wary.saturating_sub(1) } else { WARY };
    }
}

#[cfg(test)]
mod tests {
    use super::{Outlook, WARY};

    #[test]
    fn a_lane_that_has_met_a_known_id_looks_first_for_a_while() {
        let mut outlook = Outlook::default();
        assert!(outlook.all_new());
        outlook.looked_up(false);
        for _ in 1..WARY {
            outlook.looked_up(true);
            assert!(!outlook.all_new());
        }
        outlook.looked_up(true);
        assert!(outlook.all_new());
        outlook.surprised();
        assert!(!outlook.all_new());
    }
}
