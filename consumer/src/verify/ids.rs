//! All that is known of one id, and whether it is one row, a history below it, and a registration where it needs one.

use audit_schema::identity;
use audit_schema::version::{Contents, Ranked};
use uuid::Uuid;

use super::entry::{Entry, Origin, SortedEntries};
use super::finding::{Finding, Findings};

/// What the tables hold of an id, and what the topic's records come to.
pub(super) struct Id {
    pub(super) id: Uuid,
    pub(super) registered: Option<Entry>,
    pub(super) rows: Vec<Entry>,
    pub(super) history: Vec<Entry>,
    /// The records that were read, folded by the version rule.
    pub(super) expected: Option<Contents>,
}

/// Gives one id after the other.
///
/// # Errors
/// The entries cannot be read from their files.
pub(super) fn each(entries: SortedEntries, mut take: impl FnMut(&Id)) -> anyhow::Result<()> {
    let mut current: Option<Id> = None;
    for bytes in entries {
        let entry = Entry::from_bytes(&bytes?);
        if current.as_ref().is_some_and(|id| id.id != entry.id) {
            current.take().iter().for_each(&mut take);
        }
        current.get_or_insert_with(|| Id::new(entry.id)).add(entry);
    }
    current.iter().for_each(take);
    Ok(())
}

impl Id {
    fn new(id: Uuid) -> Self {
        Self { id, registered: None, rows: Vec::new(), history: Vec::new(), expected: None }
    }

    fn add(&mut self, entry: Entry) {
        let Entry { version, digest, created_at, .. } = entry;
        match entry.origin {
            Origin::Registry => self.registered = Some(entry),
            Origin::Row => self.rows.push(entry),
            Origin::History => self.history.push(entry),
            Origin::Record => match &mut self.expected {
                Some(contents) => {
                    contents.see(digest, version, created_at);
                }
                None => self.expected = Some(Contents::first(digest, version, created_at)),
            },
        }
    }

    /// All contents that the tables hold.
    pub(super) fn held(&self) -> impl Iterator<Item = &Entry> {
        self.rows.iter().chain(&self.history)
    }

    /// A finding about this id.
    pub(super) fn finding(&self, origin: Origin, found: impl Into<String>) -> Finding {
        Finding::new(origin.name(), found).of(self.id)
    }

    /// Whether the tables agree with each other about the id.
    pub(super) fn check(&self, findings: &mut Findings) {
        match &self.rows[..] {
            [row] => self.check_history(row, findings),
            [] if !self.history.is_empty() => {
                findings.push(self.finding(Origin::History, "is in the history and has no row"));
            }
            [] => {}
            rows => {
                let found = format!("is in the table {} times", rows.len());
                findings.push(self.finding(Origin::Row, found));
            }
        }
        if self.held().next().is_some() || self.registered.is_some() {
            self.check_created_at(findings);
        }
    }

    fn check_history(&self, row: &Entry, findings: &mut Findings) {
        let current = Ranked { rank: row.version, digest: row.digest };
        for past in &self.history {
            if past.digest == row.digest {
                let found = "the current content is in the history as well";
                findings.push(self.finding(Origin::History, found));
            } else if (Ranked { rank: past.version, digest: past.digest }) > current {
                let found = "a content in the history has a higher rank than the current one";
                findings.push(self.finding(Origin::History, found));
            }
        }
    }

    fn check_created_at(&self, findings: &mut Findings) {
        let carried = identity::created_at(self.id);
        let created_at = match (carried, &self.registered) {
            (Some(_), Some(_)) => {
                let found = "carries its time and is registered all the same";
                findings.push(self.finding(Origin::Registry, found));
                carried
            }
            (None, None) => {
                let found = "carries no time and is not registered";
                findings.push(self.finding(Origin::Registry, found));
                None
            }
            (None, Some(registered)) => {
                self.check_registered(registered, findings);
                Some(registered.created_at)
            }
            (Some(_), None) => carried,
        };
        let Some(created_at) = created_at else { return };
        for entry in self.held().filter(|entry| entry.created_at != created_at) {
            let found = "created_at is neither the id's time nor the registered one";
            findings.push(self.finding(entry.origin, found));
        }
    }

    fn check_registered(&self, registered: &Entry, findings: &mut Findings) {
        if self.held().next().is_none() {
            findings.push(self.finding(Origin::Registry, "is registered and has no row"));
        }
        if self.held().any(|entry| entry.version < registered.version) {
            let found = "is registered with a later record than one of its contents has";
            findings.push(self.finding(Origin::Registry, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use audit_schema::digest::Digest;
    use audit_schema::version::Version;

    use super::*;

    /// It carries no time.
    const ID: Uuid = Uuid::from_u128(7);

    fn entry(origin: Origin, digest: u8, offset: i64) -> Entry {
        let version = Version { timestamp_ms: 0, partition: 0, offset };
        Entry {
            id: ID,
            origin,
            version,
            digest: Digest([digest; 32]),
            created_at: 5,
            of_topic: true,
        }
    }

    fn found(entries: &[Entry]) -> Vec<String> {
        let mut id = Id::new(ID);
        entries.iter().for_each(|entry| id.add(*entry));
        let mut findings = Findings::new(10);
        id.check(&mut findings);
        findings.kept().iter().map(|finding| finding.found.clone()).collect()
    }

    #[test]
    fn the_tables_must_agree_about_an_id() {
        use Origin::{History, Registry, Row};
        let (registered, row) = (entry(Registry, 0, 1), entry(Row, 1, 9));
        let other_time = Entry { created_at: 6, ..row };
        assert_eq!(found(&[registered, row, entry(History, 2, 8)]), Vec::<String>::new());
        for (entries, words) in [
            (&[row][..], "not registered"),
            (&[registered], "has no row"),
            (&[registered, row, row], "2 times"),
            (&[registered, entry(History, 1, 9)], "has no row"),
            (&[registered, row, entry(History, 1, 8)], "as well"),
            (&[registered, row, entry(History, 2, 10)], "higher rank"),
            (&[registered, row, entry(History, 2, 0)], "later record"),
            (&[registered, other_time], "created_at"),
        ] {
            let found = found(entries);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
    }

    #[test]
    fn an_id_that_carries_its_time_needs_no_registration() {
        let id = identity::from_key("s", "k", Some(5_000));
        let row = Entry { id, created_at: 5_000, ..entry(Origin::Row, 1, 1) };
        let check = |entries: &[Entry]| {
            let mut all = Id::new(id);
            entries.iter().for_each(|entry| all.add(*entry));
            let mut findings = Findings::new(10);
            all.check(&mut findings);
            findings.total()
        };
        assert_eq!(check(&[row]), 0);
        assert_eq!(check(&[Entry { created_at: 6_000, ..row }]), 1);
        assert_eq!(check(&[Entry { origin: Origin::Registry, ..row }, row]), 1);
    }
}
