-- Replays: parts of a topic that are read again into the tables, each as a stream of its own.

-- What each replay is to read. Where it stands is in audit_stream, what became of the records in audit_batch, both under
-- its stream; they stay when the plan is removed, since what a replay has stored is booked nowhere else.
CREATE TABLE audit_replay (
    name text PRIMARY KEY,
    stream text NOT NULL GENERATED ALWAYS AS ('replay-' || name) STORED,
    topic text NOT NULL,
    -- What was asked for, in words.
    selection text NOT NULL,
    -- The partitions, and the first offset of each that is not read.
    partitions integer[] NOT NULL,
    end_offsets bigint[] NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT an_end_for_each_partition CHECK (cardinality(partitions) = cardinality(end_offsets))
);

INSERT INTO audit_writer_right (object, privilege) VALUES ('audit_replay', 'SELECT'), ('audit_replay', 'INSERT');

-- Replays say nothing of how far the topic is stored: they read what somebody chose, and end.
CREATE OR REPLACE VIEW audit_completeness AS
WITH partitions AS (
    SELECT
        stream, topic, partition, start_offset, next_offset, end_offset_seen, seen_at, halted,
        greatest(end_offset_seen - next_offset, 0) AS lag,
        CASE
            WHEN timestamp_type IS DISTINCT FROM 'LogAppendTime' THEN NULL
            WHEN next_offset >= end_offset_seen THEN greatest(seen_at, last_timestamp)
            ELSE last_timestamp
        END AS complete_up_to
    FROM audit_stream
    WHERE NOT starts_with(stream, 'replay-')
)
SELECT stream, topic, partition, complete_up_to, lag, start_offset, next_offset, end_offset_seen, seen_at, halted
FROM partitions
UNION ALL
SELECT
    stream, topic, NULL,
    CASE WHEN count(complete_up_to) = count(*) THEN min(complete_up_to) END,
    CASE WHEN count(lag) = count(*) THEN sum(lag)::bigint END,
    NULL, NULL, NULL, min(seen_at),
    string_agg(partition || ': ' || halted, '; ' ORDER BY partition)
FROM partitions
GROUP BY stream, topic;
