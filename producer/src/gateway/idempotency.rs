//! `Idempotency-Key`: the sender's own name for an event.

use std::borrow::Cow;

use axum::http::HeaderMap;

use super::problem::Problem;

const NAME: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The key, if there is one: a quoted string, as draft-ietf-httpapi-idempotency-key-header has it, or bare, as most
/// clients send it. Both spellings are the same key.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong("is there more than once"));
    }
    let text = value.to_str().map_err(|_| wrong("must be visible ASCII characters"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => {
            unquote(quoted).ok_or_else(|| wrong("is not a well-formed quoted string"))?
        }
        None => Cow::Borrowed(text),
    };
    match key.len() {
        0 => Err(wrong("is empty")),
        1..=LONGEST => Ok(Some(key)),
        _ => Err(wrong("is longer than 255 characters")),
    }
}

/// A structured field's string (RFC 9651, section 4.2.5), after its opening quote.
fn unquote(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_suffix('"')?;
    if !inner.contains(['"', '\\']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => key.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            '"' => return None,
            char => key.push(char),
        }
    }
    Some(Cow::Owned(key))
}

fn wrong(what: &str) -> Problem {
    Problem::invalid_header("Idempotency-Key", what)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Result<Option<String>, ()> {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        key(&headers).map(|key| key.map(Cow::into_owned)).map_err(drop)
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read("8e03978e"), Ok(Some("8e03978e".into())));
        assert_eq!(read("\"8e03978e\""), Ok(Some("8e03978e".into())));
        assert_eq!(read(r#""a\"b\\c""#), Ok(Some(r#"a"b\c"#.into())));
        assert_eq!(read(&"k".repeat(255)), Ok(Some("k".repeat(255))));
    }

    #[test]
    fn everything_else_is_refused() {
        for value in
            ["", "\"\"", "\"", "\"a", "\"a\"b\"", r#""a\x""#, r#""a\""#, "é", &"k".repeat(256)]
        {
            assert_eq!(read(value), Err(()), "{value}");
        }
        let mut headers = HeaderMap::new();
        headers.append(NAME, HeaderValue::from_static("a"));
        headers.append(NAME, HeaderValue::from_static("b"));
        assert!(key(&headers).is_err());
    }
}
