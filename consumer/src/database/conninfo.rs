//! Taking libpq's certificate parameters out of a connection string: tokio-postgres knows neither them nor `verify-*`.

const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// The string without them, and them.
pub(super) fn take_ssl_parameters(text: &str) -> (String, Vec<(String, String)>) {
    if text.contains("://") { from_url(text) } else { from_key_values(text) }
}

fn from_url(text: &str) -> (String, Vec<(String, String)>) {
    let Some((place, query)) = text.split_once('?') else { return (text.to_owned(), Vec::new()) };
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some((name, value)) if OURS.contains(&name) => {
                taken.push((name.to_owned(), percent_decode(value)));
            }
            _ => kept.push(parameter),
        }
    }
    let rest =
        if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
    (rest, taken)
}

/// `name = 'a quoted value' name=value`. What is not of this form is left for tokio-postgres to refuse.
fn from_key_values(text: &str) -> (String, Vec<(String, String)>) {
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (name, after) = (name.trim(), after.trim_start());
        let Some((value, length)) = value(after) else { break };
        let (raw, tail) = after.split_at(length);
        if OURS.contains(&name) {
            taken.push((name.to_owned(), value));
        } else {
            kept.push(format!("{name}={raw}"));
        }
        rest = tail.trim_start();
    }
    kept.push(rest.to_owned());
    (kept.join(" "), taken)
}

/// The value that the text begins with, and its length as it is written. A backslash escapes. None if a quote is not
/// closed.
fn value(text: &str) -> Option<(String, usize)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(quoted)) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '\'' if quoted => return Some((value, at + 1)),
            c if !quoted && c.is_whitespace() => return Some((value, at)),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, text.len()))
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Vec<(String, String)>) {
        let (rest, taken) = take_ssl_parameters(text);
        (rest.trim().to_owned(), taken)
    }

    #[test]
    fn values_in_urls_are_percent_decoded() {
        let (rest, ours) =
            taken("postgres://u:p%3F@db/a?sslkey=/a%20b&connect_timeout=3&sslmode=require");
        assert_eq!(rest, "postgres://u:p%3F@db/a?connect_timeout=3");
        let expected = [("sslkey", "/a b"), ("sslmode", "require")];
        assert_eq!(ours, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn quoted_values_are_kept_whole() {
        let (rest, ours) = taken(
            r"host=db password='a  \'b' sslrootcert = '/my ca.pem' user=u\ v sslmode=require",
        );
        assert_eq!(rest, r"host=db password='a  \'b' user=u\ v");
        let expected = [("sslrootcert", "/my ca.pem"), ("sslmode", "require")];
        assert_eq!(ours, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(taken("host=db password='x").0, "host=db password='x");
    }
}
