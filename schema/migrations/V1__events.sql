-- The events themselves: what is current, what was superseded, and which ids need a registry of their own.

-- Time carried by an id made by an audit publisher (UUID version 8, tag 0xA0D in the 12 bits after the
-- version, 48 bits of Unix milliseconds in front); NULL for every other id and for undated content.
-- Seconds and milliseconds are added apart because interval * number goes through double precision.
CREATE FUNCTION audit_id_time(id uuid) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE STRICT
RETURN CASE
    WHEN substring(uuid_send(id) FROM 7 FOR 2) = '\x8a0d'::bytea
        AND get_byte(uuid_send(id), 8) & 192 = 128
        AND substring(uuid_send(id) FOR 6) <> '\x000000000000'::bytea
    THEN timestamptz '1970-01-01 00:00:00+00'
        + ('x' || encode(substring(uuid_send(id) FOR 6), 'hex'))::bit(48)::bigint / 1000 * interval '1 second'
        + ('x' || encode(substring(uuid_send(id) FOR 6), 'hex'))::bit(48)::bigint % 1000 * interval '1 millisecond'
END;

CREATE TABLE workflow_execution_audit (
    id uuid NOT NULL,
    remediation_id varchar(255) NOT NULL,
    workflow_name varchar(255) NOT NULL,
    workflow_version varchar(50) NOT NULL,

    -- NULL where the resource failed before its first task and so never had a count.
    total_steps integer,
    steps_completed integer DEFAULT 0,
    steps_failed integer DEFAULT 0,
    total_duration interval,

    outcome varchar(50) NOT NULL,
    effectiveness_score double precision,
    rollbacks_performed integer DEFAULT 0,

    -- Durations inside are nanoseconds, as Go encodes them.
    step_executions jsonb,
    adaptive_adjustments jsonb,

    completed_at timestamptz,
    status varchar(50),
    error_message text,
    -- The time the id carries, else the one audit_id holds for it; never the clock's: a replay must find the same row.
    created_at timestamptz NOT NULL,

    -- Top-level members of the event that have no column of their own.
    extensions jsonb,
    ingested_at timestamptz NOT NULL DEFAULT now(),
    -- SHA-256 of the canonical form of id and content columns.
    content_digest bytea NOT NULL,
    -- The highest version (record_timestamp, partition, offset) this content was seen with: its rank.
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    record_timestamp timestamptz NOT NULL,

    PRIMARY KEY (id, created_at),
    CONSTRAINT counts_not_negative CHECK (
        total_steps >= 0 AND steps_completed >= 0 AND steps_failed >= 0 AND rollbacks_performed >= 0
    ),
    CONSTRAINT outcome_known CHECK (outcome IN ('success', 'failed', 'partial')),
    CONSTRAINT score_in_range CHECK (effectiveness_score BETWEEN 0 AND 1),
    CONSTRAINT step_executions_array CHECK (jsonb_typeof(step_executions) = 'array'),
    CONSTRAINT adaptive_adjustments_array CHECK (jsonb_typeof(adaptive_adjustments) = 'array'),
    CONSTRAINT extensions_object CHECK (jsonb_typeof(extensions) = 'object'),
    CONSTRAINT digest_is_sha256 CHECK (octet_length(content_digest) = 32),
    -- With this, PRIMARY KEY (id, created_at) means a unique id for every id that carries its time.
    CONSTRAINT created_at_is_the_ids CHECK (created_at = audit_id_time(id))
) PARTITION BY RANGE (created_at);

CREATE INDEX idx_remediation_id ON workflow_execution_audit (remediation_id);
CREATE INDEX idx_workflow_name ON workflow_execution_audit (workflow_name);
CREATE INDEX idx_outcome ON workflow_execution_audit (outcome);
CREATE INDEX idx_created_at ON workflow_execution_audit (created_at);

DO $$
DECLARE
    json_column text;
BEGIN
    FOREACH json_column IN ARRAY ARRAY['step_executions', 'adaptive_adjustments', 'extensions'] LOOP
        EXECUTE format('ALTER TABLE workflow_execution_audit ALTER COLUMN %I SET COMPRESSION lz4', json_column);
    END LOOP;
EXCEPTION WHEN feature_not_supported THEN
    -- A server built without lz4 keeps its own default, pglz.
    NULL;
END
$$;

-- Takes what has no month of its own, so that no insert ever fails for want of a partition.
CREATE TABLE workflow_execution_audit_default PARTITION OF workflow_execution_audit DEFAULT;

-- Contents that were seen for an id and are not its current one, each with its rank.
CREATE TABLE workflow_execution_audit_history (
    LIKE workflow_execution_audit INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMPRESSION,
    superseded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, content_digest)
);

-- Every id that does not carry its time (client-made or undated), and the created_at its earliest record gave it.
CREATE TABLE audit_id (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    -- The version of that earliest record.
    record_timestamp timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    CONSTRAINT id_carries_no_time CHECK (audit_id_time(id) IS NULL)
);

-- Makes the partition of a month (any day of it), with the rows that waited in the default partition; false if it
-- is there already. Only months from 2000 to the end of next year: other times stay in the default partition.
-- The default partition is locked first, before anything a writer could hold while it waits for that lock. The
-- CHECK lets ATTACH skip the scan of the new partition. A caller sets lock_timeout and tries again.
CREATE FUNCTION audit_add_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    bound_from text := first_day || ' 00:00:00+00';
    bound_to text := (first_day + interval '1 month')::date || ' 00:00:00+00';
    partition_name text := 'workflow_execution_audit_' || to_char(first_day, 'YYYY_MM');
BEGIN
    IF first_day < '2000-01-01' OR first_day >= date_trunc('year', now()) + interval '2 years' THEN
        RAISE EXCEPTION 'no partition for %: only 2000-01 to the end of next year have one', first_day
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_add_partition'));
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE workflow_execution_audit_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'CREATE TABLE %I (LIKE workflow_execution_audit INCLUDING ALL, '
        'CONSTRAINT bounds CHECK (created_at >= %L AND created_at < %L))',
        partition_name, bound_from, bound_to
    );
    EXECUTE format(
        'WITH moved AS (DELETE FROM workflow_execution_audit_default '
        'WHERE created_at >= %L AND created_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        bound_from, bound_to, partition_name
    );
    EXECUTE format(
        'ALTER TABLE workflow_execution_audit ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition_name, bound_from, bound_to
    );
    RETURN true;
END
$$;
