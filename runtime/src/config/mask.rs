//! What of a secret may be shown.

const HIDDEN: &str = "********";

/// A secret: nothing of it, except that a database URL keeps what tells where the database is.
pub(super) fn secret(text: &str) -> String {
    without_password(text).unwrap_or_else(|| HIDDEN.to_owned())
}

/// The value of a librdkafka property: nothing of it if the name says that it is, or may hold, a secret.
pub(super) fn property(name: &str, value: &str) -> String {
    const SECRET: [&str; 8] =
        ["password", "passphrase", "secret", "key", "jaas", "token", "pem", "oauthbearer.config"];
    let name = name.to_ascii_lowercase();
    // A path is no secret, and is what one wants to see.
    let is_path = name.ends_with(".location");
    if !is_path && SECRET.iter().any(|part| name.contains(part)) {
        HIDDEN.to_owned()
    } else {
        value.to_owned()
    }
}

/// The URL with its password hidden. Only if there can be nothing else to hide: a password may hold `@`, `:` and `/`,
/// or be given as a parameter.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if !matches!(scheme, "postgres" | "postgresql") || rest.contains(char::is_whitespace) {
        return None;
    }
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let parameters = place.split_once('?').map_or("", |(_, parameters)| parameters);
    // Percent signs may spell any name.
    if parameters.to_ascii_lowercase().contains("password") || parameters.contains('%') {
        return None;
    }
    Some(match user.map(|user| user.split_once(':')) {
        None => text.to_owned(),
        Some(None) => text.to_owned(),
        Some(Some((user, _))) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_loses_its_password_only() {
        for (url, expected) in [
            ("postgres://audit:hunter2@db:5432/audit", "postgres://audit:********@db:5432/audit"),
            (
                "postgresql://a:hun@t:e/r2@db/a?sslmode=require",
                "postgresql://a:********@db/a?sslmode=require",
            ),
            ("postgres://audit@db/audit", "postgres://audit@db/audit"),
            ("postgres://[::1]:5432/audit", "postgres://[::1]:5432/audit"),
        ] {
            assert_eq!(secret(url), expected);
        }
    }

    #[test]
    fn everything_else_is_hidden() {
        for text in [
            "host=db user=a password=hunter2",
            "postgres://db/a?password=hunter2",
            "postgres://db/a?%70assword=hunter2",
            "postgres://a:hunter2@db/a b",
            "mysql://a:hunter2@db/a",
            "hunter2",
            "",
        ] {
            assert_eq!(secret(text), HIDDEN);
        }
    }

    #[test]
    fn properties_are_hidden_by_name() {
        for name in
            ["sasl.password", "ssl.key.pem", "sasl.jaas.config", "SASL.OAUTHBEARER.CLIENT.SECRET"]
        {
            assert_eq!(property(name, "hunter2"), HIDDEN, "{name}");
        }
        for name in ["sasl.username", "ssl.key.location", "security.protocol"] {
            assert_eq!(property(name, "x"), "x", "{name}");
        }
    }
}
