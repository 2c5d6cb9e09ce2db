//! A place in a topic on the command line.

use std::fmt;
use std::str::FromStr;

/// An offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (rest, offset) = text.rsplit_once(':')?;
            let (topic, partition) = rest.rsplit_once(':')?;
            let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
            (partition >= 0 && offset >= 0).then(|| Self {
                topic: topic.to_owned(),
                partition,
                offset,
            })
        };
        parse().ok_or("write topic:partition:offset, such as audit:3:1200")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.topic, self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_topic_partition_and_offset() {
        let place: Place = "kubernaut.audit:3:12".parse().unwrap();
        assert_eq!(place, Place { topic: "kubernaut.audit".into(), partition: 3, offset: 12 });
        for bad in ["", "t:1", "t:x:1", "t:1:x", "t:-1:1", "t:1:-1"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
