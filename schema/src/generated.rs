//! Files of the repository that are made from the code, for programs in other languages.

use serde_json::Value;

/// Holds the file against what it should be; where the variable `update` is set, writes it first.
pub(crate) fn assert_up_to_date(file: &str, generated: &Value, update: &str) {
    if std::env::var_os(update).is_some() {
        let text = serde_json::to_string_pretty(generated).expect("it is JSON");
        std::fs::write(file, text + "\n").expect("the file can be written");
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    // Compared as values: whether serde_json keeps the order of members depends on who else uses it.
    assert!(
        serde_json::from_str::<Value>(&kept).is_ok_and(|kept| kept == *generated),
        "{file} differs from the code; if that is meant, run `{update}=1 cargo test -p audit-schema` and read the \
         diff: published events must stay valid",
    );
}
