-- Where each stream stands, and the account of every offset it has passed.

-- One row per partition of the topic and stream; a partition nobody has taken over yet has no offsets.
CREATE TABLE audit_stream (
    stream text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    -- Raised by every takeover; a batch of an older epoch is refused.
    epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    -- The log start when the partition was first taken over.
    start_offset bigint CHECK (start_offset >= 0),
    next_offset bigint,
    -- first_offset of the ledger row that the next batch extends; NULL: it opens a new one.
    open_batch bigint,
    owner text,
    owner_backend_pid integer,
    owner_backend_start timestamptz,
    taken_over_at timestamptz,
    -- The last record seen, compared again at takeover: a topic that was recreated does not have it.
    last_offset bigint,
    last_timestamp timestamptz,
    last_digest bytea,
    -- The topic's message.timestamp.type; completeness is only known under LogAppendTime.
    timestamp_type text,
    -- The partition's end offset as of seen_at.
    end_offset_seen bigint,
    seen_at timestamptz,
    -- Why the owner stopped reading the partition, until an operator decides.
    halted text,
    PRIMARY KEY (stream, topic, partition),
    CONSTRAINT positions_together CHECK ((start_offset IS NULL) = (next_offset IS NULL)),
    CONSTRAINT position_not_before_start CHECK (next_offset >= start_offset),
    CONSTRAINT last_record_before_position CHECK (last_offset < next_offset),
    CONSTRAINT last_record_whole CHECK (
        (last_offset IS NULL) = (last_timestamp IS NULL) AND (last_offset IS NULL) = (last_digest IS NULL)
    )
);

CREATE TABLE audit_batch (
    stream text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    last_offset bigint NOT NULL,
    -- New ids.
    stored bigint NOT NULL DEFAULT 0 CHECK (stored >= 0),
    -- Contents (or dead letters) that were held already.
    duplicate bigint NOT NULL DEFAULT 0 CHECK (duplicate >= 0),
    -- New contents of a known id that became current.
    superseding bigint NOT NULL DEFAULT 0 CHECK (superseding >= 0),
    -- New contents of a known id that went straight to history.
    late bigint NOT NULL DEFAULT 0 CHECK (late >= 0),
    dead_lettered bigint NOT NULL DEFAULT 0 CHECK (dead_lettered >= 0),
    -- Contents whose month retention has already dropped.
    expired bigint NOT NULL DEFAULT 0 CHECK (expired >= 0),
    -- Offsets that hold no record: transaction markers, aborted or compacted records.
    gap bigint NOT NULL DEFAULT 0 CHECK (gap >= 0),
    -- Offsets an operator gave up, with the reason.
    lost bigint NOT NULL DEFAULT 0 CHECK (lost >= 0),
    reason text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, topic, partition, first_offset),
    FOREIGN KEY (stream, topic, partition) REFERENCES audit_stream,
    CONSTRAINT range_not_empty CHECK (last_offset >= first_offset),
    CONSTRAINT every_offset_accounted_for CHECK (
        stored + duplicate + superseding + late + dead_lettered + expired + gap + lost = last_offset - first_offset + 1
    ),
    CONSTRAINT lost_has_a_reason CHECK (lost = 0 OR reason IS NOT NULL)
);

-- Complete up to when: one row per partition, then one per stream and topic (partition NULL) for the whole.
-- A partition with records behind is complete up to its last record, an idle one up to the last look at its end.
CREATE VIEW audit_completeness AS
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
