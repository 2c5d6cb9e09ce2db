//! Where on this machine the hosts, ports and directories of the containers are.

/// Texts of the file and what stands for them here.
#[derive(Clone, Default)]
pub(super) struct Places(Vec<(String, String)>);

impl Places {
    /// `here` stands for `there`, unless that goes on with a digit, as another port would.
    #[must_use]
    pub(super) fn with(mut self, there: &str, here: impl Into<String>) -> Self {
        self.0.push((there.to_owned(), here.into()));
        self
    }

    /// The text with all places replaced; what was put in is not looked at again.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let found = self.0.iter().find_map(|(there, here)| {
                let after = rest.strip_prefix(there.as_str())?;
                (!after.starts_with(|c: char| c.is_ascii_digit())).then_some((here, after))
            });
            if let Some((here, after)) = found {
                result.push_str(here);
                rest = after;
            } else {
                result.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        result
    }
}

#[test]
fn only_whole_places_are_replaced_and_only_once() {
    let places = Places::default().with("kafka:90", "here:91").with(":91", ":92").with("/a", "/b");
    assert_eq!(places.apply("kafka:90,x:91,kafka:901,/a/a"), "here:91,x:92,kafka:901,/b/b");
}
