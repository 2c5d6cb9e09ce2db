//! The event's top-level fields: what each may hold, and what of it goes to which column.

use uuid::Uuid;

use super::scan::{Key, Scanner, Stop};
use super::scratch::{Scratch, Span, Text};
use super::typed::{COUNT, DURATION};
use super::value::Value;
use crate::columns::Columns;
use crate::problem::Code;
use crate::timestamp::ZERO_TIME_MICROS;

/// A field the table has a column for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    RemediationId,
    WorkflowName,
    WorkflowVersion,
    TotalSteps,
    StepsCompleted,
    StepsFailed,
    TotalDuration,
    Outcome,
    EffectivenessScore,
    RollbacksPerformed,
    StepExecutions,
    AdaptiveAdjustments,
    CompletedAt,
    Status,
    ErrorMessage,
}

impl Field {
    const REQUIRED: [(Self, &'static str); 4] = [
        (Self::RemediationId, "remediation_id"),
        (Self::WorkflowName, "workflow_name"),
        (Self::WorkflowVersion, "workflow_version"),
        (Self::Outcome, "outcome"),
    ];

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"id" => Self::Id,
            b"remediation_id" => Self::RemediationId,
            b"workflow_name" => Self::WorkflowName,
            b"workflow_version" => Self::WorkflowVersion,
            b"total_steps" => Self::TotalSteps,
            b"steps_completed" => Self::StepsCompleted,
            b"steps_failed" => Self::StepsFailed,
            b"total_duration" => Self::TotalDuration,
            b"outcome" => Self::Outcome,
            b"effectiveness_score" => Self::EffectivenessScore,
            b"rollbacks_performed" => Self::RollbacksPerformed,
            b"step_executions" => Self::StepExecutions,
            b"adaptive_adjustments" => Self::AdaptiveAdjustments,
            b"completed_at" => Self::CompletedAt,
            b"status" => Self::Status,
            b"error_message" => Self::ErrorMessage,
            _ => return None,
        })
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A JSON column: its text in the input, its canonical form in the scratch.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonField {
    pub(super) text: Span,
    pub(super) canonical: Span,
}

/// The fields as read, still pointing into input and scratch.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) id: Option<Uuid>,
    /// Where the id's value stands, quotes included, even if it says there is none.
    pub(super) id_value: Option<Span>,
    /// Where the first member would begin.
    pub(super) body: usize,
    remediation_id: Text,
    workflow_name: Text,
    workflow_version: Text,
    total_steps: Option<i32>,
    steps_completed: Option<i32>,
    steps_failed: Option<i32>,
    total_duration: Option<i64>,
    outcome: Text,
    effectiveness_score: Option<f64>,
    rollbacks_performed: Option<i32>,
    pub(super) step_executions: Option<JsonField>,
    pub(super) adaptive_adjustments: Option<JsonField>,
    completed_at: Option<i64>,
    status: Option<Text>,
    error_message: Option<Text>,
    /// The canonical form of the unknown fields.
    pub(super) extensions: Option<Span>,
    seen: u32,
}

impl Fields {
    /// Reads the whole value.
    pub(super) fn read(scanner: &mut Scanner<'_, '_>) -> Result<Self, Stop> {
        let mut fields = Self::default();
        scanner.skip_whitespace();
        if scanner.peek() == Some(b'{') {
            fields.body = scanner.at + 1;
            scanner.members(|scanner, key| fields.member(scanner, key))?;
            fields.report_missing(scanner);
            fields.extensions = scanner.extensions();
        } else {
            let value = scanner.value()?;
            let message = format!("is {}; an event is a JSON object", value.kind.described());
            scanner.problem(Code::NotAnObject, &message, value.start());
        }
        scanner.end()?;
        Ok(fields)
    }

    fn member(&mut self, scanner: &mut Scanner<'_, '_>, key: Key) -> Result<(), Stop> {
        let Some(field) = Field::named(scanner.bytes(key.text)) else {
            return scanner.extension(key);
        };
        if self.seen & field.bit() != 0 {
            scanner.repeated_field(key);
        }
        self.seen |= field.bit();

        match field {
            Field::StepExecutions => self.step_executions = scanner.step_executions()?,
            Field::AdaptiveAdjustments => {
                self.adaptive_adjustments = scanner.adaptive_adjustments()?;
            }
            _ => {
                // Its canonical form is not wanted: the value becomes a column of its own.
                let canonical = scanner.scratch.canonical.len();
                let value = scanner.value()?;
                scanner.scratch.canonical.truncate(canonical);
                self.scalar(scanner, field, value);
            }
        }
        Ok(())
    }

    fn scalar(&mut self, scanner: &mut Scanner<'_, '_>, field: Field, value: Value) {
        match field {
            Field::Id => {
                self.id = scanner.id(value);
                self.id_value = Some(Span::new(value.start(), scanner.at));
            }
            Field::RemediationId => self.remediation_id = scanner.required_string(value, 255),
            Field::WorkflowName => self.workflow_name = scanner.required_string(value, 255),
            Field::WorkflowVersion => self.workflow_version = scanner.required_string(value, 50),
            Field::TotalSteps => self.total_steps = scanner.integer(value, &COUNT),
            Field::StepsCompleted => self.steps_completed = scanner.integer(value, &COUNT),
            Field::StepsFailed => self.steps_failed = scanner.integer(value, &COUNT),
            Field::TotalDuration => {
                let nanoseconds = scanner.integer(value, &DURATION);
                self.total_duration = nanoseconds.map(|nanoseconds| nanoseconds / 1000);
            }
            Field::Outcome => self.outcome = scanner.outcome(value),
            Field::EffectivenessScore => self.effectiveness_score = scanner.score(value),
            Field::RollbacksPerformed => self.rollbacks_performed = scanner.integer(value, &COUNT),
            Field::CompletedAt => {
                let micros = scanner.time(value);
                self.completed_at = micros.filter(|micros| *micros != ZERO_TIME_MICROS);
            }
            Field::Status => self.status = scanner.short_string(value, 50),
            // The column is TEXT: the size of the event is the limit.
            Field::ErrorMessage => self.error_message = scanner.string(value),
            Field::StepExecutions | Field::AdaptiveAdjustments => {}
        }
    }

    fn report_missing(&self, scanner: &mut Scanner<'_, '_>) {
        for (field, name) in Field::REQUIRED {
            if self.seen & field.bit() == 0 {
                let offset = self.body - 1;
                scanner.problem_below(Some(name), Code::MissingField, "is required", offset);
            }
        }
    }

    pub(super) fn columns<'a>(&self, input: &'a str, scratch: &'a Scratch) -> Columns<'a> {
        let text = |text: Text| text.resolve(input, &scratch.unescaped);
        let json = |field: JsonField| &input[field.text.range()];
        Columns {
            remediation_id: text(self.remediation_id),
            workflow_name: text(self.workflow_name),
            workflow_version: text(self.workflow_version),
            total_steps: self.total_steps,
            steps_completed: self.steps_completed,
            steps_failed: self.steps_failed,
            total_duration: self.total_duration,
            outcome: text(self.outcome),
            effectiveness_score: self.effectiveness_score,
            rollbacks_performed: self.rollbacks_performed,
            step_executions: self.step_executions.map(json),
            adaptive_adjustments: self.adaptive_adjustments.map(json),
            completed_at: self.completed_at,
            status: self.status.map(text),
            error_message: self.error_message.map(text),
            extensions: self.extensions.map(|_| scratch.extensions.as_str()),
        }
    }
}

impl Scanner<'_, '_> {
    /// Reads an unknown field and adds it, as it came, to the extensions.
    fn extension(&mut self, key: Key) -> Result<(), Stop> {
        self.member(key)?;
        let extensions = &mut self.scratch.extensions;
        extensions.push(if extensions.is_empty() { '{' } else { ',' });
        extensions.push_str(&self.input[key.at as usize..self.at]);
        Ok(())
    }

    /// Completes the extensions once all fields were read; `None` if there are none.
    fn extensions(&mut self) -> Option<Span> {
        if self.scratch.extensions.is_empty() {
            return None;
        }
        self.scratch.extensions.push('}');
        self.sort_members(0);
        let start = self.scratch.canonical.len();
        self.scratch.canonical.push(b'{');
        self.write_members(0);
        self.scratch.canonical.push(b'}');
        Some(Span::new(start, self.scratch.canonical.len()))
    }

    #[cold]
    fn repeated_field(&mut self, key: Key) {
        // The path names the field already.
        self.problem(Code::DuplicateKey, super::canonical::REPEATED_KEY, key.at as usize);
    }
}
