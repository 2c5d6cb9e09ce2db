//! Bytes as people can read them, and where in them something is.

use std::fmt::Write as _;

use audit_runtime::format::one_line;

/// Bytes shown before the place, and from it on.
const BEFORE: usize = 60;
const FROM: usize = 40;

/// Text as it is; bytes that are not UTF-8 and control characters as escapes.
pub(super) fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && !matches!(c, '\n' | '\t') {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// What is around a byte, on one line, and below it a caret at the byte.
pub(super) fn excerpt(bytes: &[u8], at: usize) -> String {
    let at = at.min(bytes.len());
    // A character that was cut would look like a fault of its own.
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let start = at.saturating_sub(BEFORE);
    let start = (start..at).take(4).find(|start| !is_inside(*start)).unwrap_or(start);
    let end = bytes.len().min(at + FROM);
    let end = (end..bytes.len()).take(4).find(|end| !is_inside(*end)).unwrap_or(end);
    let [mut before, mut from] =
        [&bytes[start..at], &bytes[at..end]].map(|part| one_line(&readable(part)));
    if start > 0 {
        before.insert(0, '…');
    }
    if end < bytes.len() {
        from.push('…');
    }
    format!("{before}{from}\n{:>1$}", '^', before.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_readably_and_whole() {
        assert_eq!(readable(b"a\xff\0\nb"), "a\\xff\\x00\nb");
        assert_eq!(readable("ä".as_bytes()), "ä");
    }

    #[test]
    fn the_caret_is_below_the_byte() {
        assert_eq!(excerpt(b"{\"a\": nul}", 6), "{\"a\": nul}\n      ^");
        assert_eq!(excerpt(b"{\n\xff!", 3), "{\\n\\xff!\n       ^");
        assert_eq!(excerpt(b"[1", 2), "[1\n  ^", "what is missing is after the end");
        assert_eq!(excerpt(b"", 7), "\n^");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = "é".repeat(100);
        let shown = excerpt(long.as_bytes(), 101);
        let line = shown.lines().next().unwrap_or_default();
        assert!(line.starts_with("…é") && line.ends_with("é…"), "{shown}");
        let shown = excerpt(long.as_bytes(), 100);
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(caret.chars().count(), 1 + 30 + 1);
        assert_eq!(line, format!("…{}…", "é".repeat(50)));
    }
}
