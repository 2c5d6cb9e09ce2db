//! The grammar of RFC 8259: walking arrays and objects, and saying what is wrong where.

use super::scratch::{Scratch, Segment, Text, offset};
use crate::problem::{Code, MAX_PROBLEMS, Problem, Rejection};

/// Arrays and objects within each other, the root included.
const MAX_DEPTH: usize = 32;

/// Characters of a key that a problem's path shows.
const SHOWN_KEY_CHARS: usize = 60;

/// Nothing after this point can be read; the reason is recorded in the scanner.
#[derive(Debug)]
pub(super) struct Stop;

/// What a number literal may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberLimits {
    pub(super) chars: usize,
    pub(super) exponent: i32,
}

impl NumberLimits {
    /// `jsonb` takes larger ones, then its text form fails, and with it COPY and dumps.
    pub(crate) const EVENT: Self = Self { chars: 64, exponent: 308 };
    /// What `jsonb` writes for the numbers above: all their digits and no exponent.
    pub(crate) const ROW: Self = Self { chars: 1024, exponent: 308 };
}

/// A key and its offset in the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) text: Text,
    pub(super) at: u32,
}

/// Walks a JSON text from its start to its end, once.
pub(super) struct Scanner<'v, 's> {
    pub(super) input: &'v str,
    /// Offset of what is read next.
    pub(super) at: usize,
    pub(super) limits: NumberLimits,
    pub(super) scratch: &'s mut Scratch,
    /// See [`Scanner::read_string`].
    pub(super) fault: Option<Code>,
    problems: Vec<Problem>,
    /// What ended the scan.
    fatal: Option<Problem>,
}

impl<'v, 's> Scanner<'v, 's> {
    pub(super) fn new(input: &'v str, limits: NumberLimits, scratch: &'s mut Scratch) -> Self {
        Self { input, at: 0, limits, scratch, fault: None, problems: Vec::new(), fatal: None }
    }

    /// What was recorded, in the order of the input; what ended the scan counts first.
    pub(super) fn finish(mut self) -> Result<(), Rejection> {
        self.problems.sort_by_key(|problem| problem.offset);
        let code = self.fatal.iter().chain(&self.problems).map(|problem| problem.code).next();
        self.problems.extend(self.fatal);
        match code {
            None => Ok(()),
            Some(code) => Err(Rejection { code, problems: self.problems }),
        }
    }

    /// Reads an object; `each` gets the scanner behind a member's colon and reads its value.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Key) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.open()?;
        if self.token() == Some(b'}') {
            self.close();
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            let key = self.key()?;
            if self.token() != Some(b':') {
                return self.syntax("':' expected");
            }
            self.at += 1;
            each(self, key)?;
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.close();
                    return Ok(());
                }
                _ => return self.syntax("',' or '}' expected"),
            }
        }
    }

    /// Reads an array; `each` reads an element.
    pub(super) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.open()?;
        if self.token() == Some(b']') {
            self.close();
            return Ok(());
        }
        loop {
            each(self)?;
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.close();
                    return Ok(());
                }
                _ => return self.syntax("',' or ']' expected"),
            }
            if let Some(Segment::Index(index)) = self.scratch.path.last_mut() {
                *index += 1;
            }
        }
    }

    fn key(&mut self) -> Result<Key, Stop> {
        let at = self.at;
        if self.peek() != Some(b'"') {
            return self.syntax("a key in double quotes expected");
        }
        let text = self.read_string()?;
        if let Some(segment) = self.scratch.path.last_mut() {
            *segment = Segment::Key(text);
        }
        self.report_fault(at);
        Ok(Key { text, at: offset(at) })
    }

    fn open(&mut self) -> Result<(), Stop> {
        if self.scratch.path.len() == MAX_DEPTH {
            let message =
                format!("arrays and objects within each other, at most {MAX_DEPTH} are read");
            return self.stop(Code::TooDeep, &message);
        }
        self.at += 1;
        self.scratch.path.push(Segment::Index(0));
        Ok(())
    }

    /// Behind the closing bracket, which is next.
    fn close(&mut self) {
        self.at += 1;
        self.scratch.path.pop();
    }

    /// Nothing but whitespace may follow.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        self.skip_whitespace();
        if self.at == self.input.len() { Ok(()) } else { self.syntax("end of input expected") }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    /// Skips whitespace; gives what is next.
    fn token(&mut self) -> Option<u8> {
        self.skip_whitespace();
        self.peek()
    }

    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn resolve(&self, text: Text) -> &str {
        text.resolve(self.input, &self.scratch.unescaped)
    }

    pub(super) fn bytes(&self, text: Text) -> &[u8] {
        text.bytes(self.input, &self.scratch.unescaped)
    }

    /// Records a problem of the value at the current path; the scan goes on.
    #[cold]
    pub(super) fn problem(&mut self, code: Code, message: &str, offset: usize) {
        self.problem_below(None, code, message, offset);
    }

    /// Records a problem of the member `key` of the object at the current path.
    #[cold]
    pub(super) fn problem_below(
        &mut self,
        key: Option<&str>,
        code: Code,
        message: &str,
        offset: usize,
    ) {
        // One place is kept for what may end the scan.
        if self.problems.len() + 1 < MAX_PROBLEMS {
            let mut path = self.path();
            if let Some(key) = key {
                push_key(&mut path, key);
            }
            self.problems.push(Problem::new(code, &path, message, offset));
        }
    }

    #[cold]
    pub(super) fn syntax<T>(&mut self, expected: &str) -> Result<T, Stop> {
        let found = if self.at < self.input.len() { "" } else { ", but the value ends" };
        let message = format!("is not JSON at byte {}: {expected}{found}", self.at);
        self.stop(Code::InvalidJson, &message)
    }

    #[cold]
    fn stop<T>(&mut self, code: Code, message: &str) -> Result<T, Stop> {
        let path = self.path();
        self.fatal = Some(Problem::new(code, &path, message, self.at));
        Err(Stop)
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for segment in &self.scratch.path {
            match segment {
                Segment::Key(text) => push_key(&mut path, self.resolve(*text)),
                Segment::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.extend(key.chars().take(SHOWN_KEY_CHARS));
}
