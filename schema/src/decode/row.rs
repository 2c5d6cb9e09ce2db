//! The canonical form of JSON columns that the table holds already.

use super::scan::{NumberLimits, Scanner, Stop};
use super::scratch::{Scratch, Span};
use crate::columns::Columns;
use crate::digest::{CanonicalColumns, ContentHash};
use crate::problem::{Code, Problem, Rejection};

/// The text of a JSON column: what `jsonb` makes of the largest event's spaces and numbers stays far
/// below.
const MAX_COLUMN_BYTES: usize = 512 * 1024 * 1024;

/// Brings the text of JSON columns, as PostgreSQL writes it, to its canonical form.
#[derive(Debug, Default)]
pub struct Canonicalizer {
    scratch: Scratch,
}

impl Canonicalizer {
    /// The content hash of a row.
    pub(crate) fn hash_row(&mut self, row: &Columns<'_>) -> Result<ContentHash, Rejection> {
        self.scratch.clear();
        let step_executions = self.column("step_executions", row.step_executions)?;
        let adaptive_adjustments = self.column("adaptive_adjustments", row.adaptive_adjustments)?;
        let extensions = self.column("extensions", row.extensions)?;

        let canonical = |span: Span| &self.scratch.canonical[span.range()];
        let json = CanonicalColumns {
            step_executions: step_executions.map(canonical),
            adaptive_adjustments: adaptive_adjustments.map(canonical),
            extensions: extensions.map(canonical),
        };
        Ok(ContentHash::of(row, &json))
    }

    fn column(&mut self, name: &str, text: Option<&str>) -> Result<Option<Span>, Rejection> {
        let Some(text) = text else { return Ok(None) };
        if text.len() > MAX_COLUMN_BYTES {
            let message = format!("has {} bytes, at most {MAX_COLUMN_BYTES} are read", text.len());
            return Err(Problem::new(Code::TooLarge, name, &message, 0).into());
        }
        let start = self.scratch.canonical.len();
        let mut scanner = Scanner::new(text, NumberLimits::ROW, &mut self.scratch);
        if scanner.value().is_ok() {
            // What is wrong is recorded in the scanner.
            let _: Result<(), Stop> = scanner.end();
        }
        scanner.finish().map_err(|mut rejection| {
            for problem in &mut rejection.problems {
                let is_member = problem.path.starts_with(|first| first != '[');
                let separator = if is_member { "." } else { "" };
                problem.path = format!("{name}{separator}{}", problem.path);
            }
            rejection
        })?;
        Ok(Some(Span::new(start, self.scratch.canonical.len())))
    }
}
