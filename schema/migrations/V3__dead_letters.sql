-- Records that could not become rows, byte for byte.
CREATE TABLE audit_dead_letter (
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    "offset" bigint NOT NULL CHECK ("offset" >= 0),
    -- Part of the key: a topic that was recreated uses its offsets again.
    record_timestamp timestamptz NOT NULL,
    key bytea,
    value bytea,
    header_names bytea[] NOT NULL DEFAULT '{}',
    header_values bytea[] NOT NULL DEFAULT '{}',
    error_code text NOT NULL,
    error_text text NOT NULL CHECK (length(error_text) <= 4096),
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts >= 1),
    -- NULL while open.
    resolution text CHECK (resolution IN ('stored', 'discarded')),
    resolved_at timestamptz,
    resolved_by text,
    resolution_reason text,
    PRIMARY KEY (topic, partition, "offset", record_timestamp),
    CONSTRAINT headers_in_pairs CHECK (cardinality(header_names) = cardinality(header_values)),
    CONSTRAINT resolution_dated CHECK ((resolution IS NULL) = (resolved_at IS NULL)),
    CONSTRAINT discarded_by_whom_and_why CHECK (
        resolution <> 'discarded' OR (resolved_by IS NOT NULL AND resolution_reason IS NOT NULL)
    )
);

CREATE INDEX audit_dead_letter_open ON audit_dead_letter (error_code, first_seen) WHERE resolution IS NULL;
