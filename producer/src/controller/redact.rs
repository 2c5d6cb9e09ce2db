//! Takes secrets out of parameters.

use serde_json::Value;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// Parts of names that make a parameter secret.
#[derive(Clone, Debug)]
pub(super) struct SecretNames(Vec<String>);

impl SecretNames {
    /// Case, `-`, `_` and `.` make no difference. An empty name is none.
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| plain(name)).filter(|name| !name.is_empty()).collect())
    }

    fn contain(&self, name: &str) -> bool {
        let name = plain(name);
        self.0.iter().any(|secret| name.contains(secret))
    }

    /// Redacts what lies below a key `parameters`, at any depth, under a name that looks secret: as the member of an
    /// object, or as the `value` beside the `name` in an element of a list.
    pub(super) fn redact(&self, value: &mut Value) {
        self.walk(value, false);
    }

    fn walk(&self, value: &mut Value, in_parameters: bool) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if in_parameters && self.contain(name) {
                        redact(member);
                    } else {
                        self.walk(member, in_parameters || name.as_str() == "parameters");
                    }
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    let named = element["name"].as_str().is_some_and(|name| self.contain(name));
                    match element.get_mut("value") {
                        Some(value) if in_parameters && named => redact(value),
                        _ => self.walk(element, in_parameters),
                    }
                }
            }
            _ => {}
        }
    }
}

fn redact(value: &mut Value) {
    if !value.is_null() {
        *value = REDACTED.into();
    }
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | '.'));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_parameters_with_secret_names_are_redacted() {
        let names = SecretNames::new(&["password".into(), "API-Key".into(), String::new()]);
        let mut spec = json!({
            "password": "no parameter",
            "parameters": {"DB_PASSWORD": "s3cret", "replicas": "3", "x-api.key": {"a": [1]}, "passwords": null},
            "steps": [{"parameters": [
                {"name": "apiKey", "value": "s3cret"},
                {"name": "apiVersion", "value": "v1"},
            ]}],
        });
        names.redact(&mut spec);
        assert_eq!(
            spec,
            json!({
                "password": "no parameter",
                "parameters": {"DB_PASSWORD": "[redacted]", "replicas": "3", "x-api.key": "[redacted]", "passwords": null},
                "steps": [{"parameters": [
                    {"name": "apiKey", "value": "[redacted]"},
                    {"name": "apiVersion", "value": "v1"},
                ]}],
            })
        );
    }
}
