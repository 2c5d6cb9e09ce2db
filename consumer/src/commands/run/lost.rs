//! What an operator gives up for lost.

use std::sync::Arc;

use anyhow::bail;
use audit_runtime::exit::UsageError;

use crate::takeover::AcceptedLoss;

/// A range of offsets of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostOffsets {
    topic: String,
    partition: i32,
    from: i64,
    to: i64,
}

impl std::str::FromStr for LostOffsets {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (place, range) = text.rsplit_once(':')?;
            let (topic, partition) = place.rsplit_once(':')?;
            let (from, to) = range.split_once('-')?;
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            let partition = partition.parse().ok()?;
            (from <= to && partition >= 0).then(|| Self {
                topic: topic.to_owned(),
                partition,
                from,
                to,
            })
        };
        parse().ok_or("write topic:partition:from-to, such as audit:3:1200-1450")
    }
}

/// The ranges with the reason that the ledger will hold.
///
/// # Errors
/// A range of another topic than the one that is read, or no reason.
pub(super) fn accepted(
    ranges: &[LostOffsets],
    reason: Option<&str>,
    topic: &str,
) -> anyhow::Result<Arc<[AcceptedLoss]>> {
    let reason = reason.unwrap_or_default().trim();
    if !ranges.is_empty() && reason.is_empty() {
        bail!(UsageError(
            "--accept-lost needs --reason (AUDIT_REASON) with it, to say why the offsets are given up".into()
        ));
    }
    let accept = |lost: &LostOffsets| {
        if lost.topic != topic {
            bail!(UsageError(format!(
                "--accept-lost is about topic {}, but --topic is {topic}",
                lost.topic
            )));
        }
        Ok(AcceptedLoss {
            partition: lost.partition,
            from: lost.from,
            to: lost.to,
            reason: reason.to_owned(),
        })
    };
    ranges.iter().map(accept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_offsets_are_written_as_the_halt_names_them() {
        let lost: LostOffsets = "kubernaut.audit:3:12-14".parse().unwrap();
        assert_eq!(
            lost,
            LostOffsets { topic: "kubernaut.audit".into(), partition: 3, from: 12, to: 14 }
        );
        for bad in ["", "t:1:5", "t:x:1-2", "t:1:9-2", "t:-1:1-2"] {
            assert!(bad.parse::<LostOffsets>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_of_another_topic_is_refused() {
        let ranges = ["t:0:1-2".parse().unwrap()];
        assert!(accepted(&ranges, Some("why"), "t").is_ok());
        assert!(accepted(&ranges, Some("why"), "u").is_err());
    }

    #[test]
    fn losses_need_a_reason_and_a_reason_needs_no_losses() {
        let ranges = ["t:0:1-2".parse().unwrap()];
        for reason in [None, Some(" ")] {
            assert!(accepted(&ranges, reason, "t").is_err(), "{reason:?}");
        }
        assert!(accepted(&[], Some("why"), "t").unwrap().is_empty());
    }
}
