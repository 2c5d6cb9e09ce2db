//! The two JSON columns: arrays of objects whose known members have Go's types.

use super::fields::JsonField;
use super::scan::{Scanner, Stop};
use super::scratch::{Span, Step, Text};
use super::typed::{DURATION, INTEGER};
use super::value::{Kind, Value};
use crate::problem::Code;

impl Scanner<'_, '_> {
    /// Reads `step_executions`, and notes each step's action and status.
    pub(super) fn step_executions(&mut self) -> Result<Option<JsonField>, Stop> {
        self.array_of_objects(|scanner| {
            let mut step = Step::default();
            scanner.object(|scanner, key, value| scanner.step_member(&mut step, key, value))?;
            scanner.scratch.steps.push(step);
            Ok(())
        })
    }

    /// Reads `adaptive_adjustments`.
    pub(super) fn adaptive_adjustments(&mut self) -> Result<Option<JsonField>, Stop> {
        self.array_of_objects(|scanner| scanner.object(Scanner::adjustment_member))
    }

    fn step_member(&mut self, step: &mut Step, key: Text, value: Value) {
        match self.bytes(key) {
            b"step_number" | b"retries_attempted" => {
                self.integer(value, &INTEGER);
            }
            b"duration" => {
                self.integer(value, &DURATION);
            }
            b"action" => step.action = self.string(value).unwrap_or_default(),
            b"status" => step.status = self.string(value).unwrap_or_default(),
            b"error_message" => {
                self.string(value);
            }
            _ => {}
        }
    }

    fn adjustment_member(&mut self, key: Text, value: Value) {
        match self.bytes(key) {
            b"step_number" => {
                self.integer(value, &INTEGER);
            }
            b"adjustment_type" | b"reason" => {
                self.string(value);
            }
            b"timestamp" => {
                self.time(value);
            }
            _ => {}
        }
    }

    /// Reads null, or an array whose objects `each` reads.
    fn array_of_objects(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<Option<JsonField>, Stop> {
        self.skip_whitespace();
        let (start, canonical_start) = (self.at, self.scratch.canonical.len());
        if self.peek() != Some(b'[') {
            let value = self.value()?;
            return Ok(self.wrong_type(value, "an array of objects"));
        }
        self.array(|scanner| {
            scanner.skip_whitespace();
            if scanner.peek() == Some(b'{') {
                return each(scanner);
            }
            let value = scanner.value()?;
            if matches!(value.kind, Kind::Null) {
                let message = "must be an object; it is null";
                scanner.problem(Code::WrongType, message, value.start());
            }
            scanner.wrong_type::<()>(value, "an object");
            Ok(())
        })?;
        let text = Span::new(start, self.at);
        let canonical = Span::new(canonical_start, self.scratch.canonical.len());
        Ok(Some(JsonField { text, canonical }))
    }
}
