-- Least rights: what `run` needs as a role that owns nothing, and nobody else has anything unasked.
-- schema/roles.sql makes the roles; docs/database-roles.md says who gets what and why.

-- Takes contents out of history that are the current ones of their ids by now. The write path may do that and no other
-- DELETE: what is not stored a second time, as the current content, stays. The time is compared as a range of one,
-- as in the write path's own look-ups.
CREATE FUNCTION audit_leave_history(ids uuid[], digests bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
    DELETE FROM workflow_execution_audit_history h
    USING unnest(ids, digests) AS k (id, digest), workflow_execution_audit a
    WHERE h.id = k.id AND h.content_digest = k.digest
        AND a.id = h.id AND a.created_at >= h.created_at AND a.created_at <= h.created_at
        AND a.content_digest = h.content_digest;
END;

-- A function that runs as the owner must find the owner's tables, and no temporary ones of the caller: those come last,
-- where V1 left them in front.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_add_partition(date) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION audit_leave_history(uuid[], bytea[]) SET search_path = %I, pg_temp', current_schema());
END
$$;

-- What `run` may do, once: audit_grant_rights() grants it, `run` and `doctor` look whether their user has it.
-- A migration that gives the write path something new to do adds its rows.
CREATE TABLE audit_writer_right (
    -- A table or view, or a function with its argument types.
    object text NOT NULL,
    privilege text NOT NULL,
    -- NULL: all of the object.
    column_name text,
    UNIQUE NULLS NOT DISTINCT (object, privilege, column_name)
);

INSERT INTO audit_writer_right (object, privilege)
SELECT object, privilege
FROM unnest(ARRAY[
    'workflow_execution_audit', 'workflow_execution_audit_history', 'audit_id', 'audit_dead_letter', 'audit_stream',
    'audit_batch'
]) AS object, unnest(ARRAY['SELECT', 'INSERT']) AS privilege
UNION ALL
SELECT object, 'SELECT'
FROM unnest(ARRAY[
    'audit_completeness', 'audit_schema_support', 'audit_writer_right', 'refinery_schema_history',
    -- `doctor` looks what waits there; whatever else is in a partition is read through the table.
    'workflow_execution_audit_default'
]) AS object
UNION ALL
SELECT object, 'EXECUTE'
FROM unnest(ARRAY['audit_id_time(uuid)', 'audit_add_partition(date)', 'audit_leave_history(uuid[], bytea[])']) AS object;

-- Of what is there, only what the write path changes: never an id, a content in history, a dead letter's bytes, or
-- what an operator has decided. Without a table's whole UPDATE, LOCK TABLE cannot hold others up either.
INSERT INTO audit_writer_right (object, privilege, column_name)
SELECT 'workflow_execution_audit', 'UPDATE', attname
FROM pg_attribute
WHERE attrelid = 'workflow_execution_audit'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id'
UNION ALL
SELECT object, 'UPDATE', column_name
FROM (VALUES
    ('workflow_execution_audit_history',
        ARRAY['created_at', 'source_topic', 'source_partition', 'source_offset', 'record_timestamp']),
    ('audit_id', ARRAY['created_at', 'record_timestamp', 'source_partition', 'source_offset']),
    ('audit_dead_letter',
        ARRAY['last_seen', 'attempts', 'error_code', 'error_text', 'resolution', 'resolved_at', 'resolved_by']),
    ('audit_stream', ARRAY[
        'epoch', 'start_offset', 'next_offset', 'open_batch', 'owner', 'owner_backend_pid', 'owner_backend_start',
        'taken_over_at', 'last_offset', 'last_timestamp', 'last_digest', 'timestamp_type', 'end_offset_seen', 'seen_at',
        'halted'
    ]),
    ('audit_batch', ARRAY[
        'last_offset', 'stored', 'duplicate', 'superseding', 'late', 'dead_lettered', 'gap', 'updated_at'
    ])
) AS changed (object, columns), unnest(columns) AS column_name;

-- Gives audit_writer the rights above, and audit_reader every table and view to read and every function that does not
-- run as the owner. Harmless to repeat; `migrate` calls it when it works as audit_owner, so that it covers what later
-- migrations add.
CREATE FUNCTION audit_grant_rights() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    target text;
BEGIN
    FOR target IN
        SELECT CASE
            WHEN object LIKE '%(%' THEN format('%s ON FUNCTION %s', privilege, object::regprocedure)
            WHEN column_name IS NULL THEN format('%s ON %s', privilege, object::regclass)
            ELSE format('%s (%I) ON %s', privilege, column_name, object::regclass)
        END
        FROM audit_writer_right
    LOOP
        EXECUTE format('GRANT %s TO audit_writer', target);
    END LOOP;
    FOR target IN
        SELECT format('SELECT ON %s', c.oid::regclass)
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
            AND (NOT c.relispartition OR c.relname = 'workflow_execution_audit_default')
            AND c.relowner = current_user::regrole
        UNION ALL
        SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.proowner = current_user::regrole
            AND NOT p.prosecdef
    LOOP
        EXECUTE format('GRANT %s TO audit_reader', target);
    END LOOP;
END
$$;

-- PostgreSQL lets everybody call a new function.
REVOKE ALL ON FUNCTION
    audit_id_time(uuid),
    audit_add_partition(date),
    audit_leave_history(uuid[], bytea[]),
    audit_grant_rights(),
    audit_effective_workflows(timestamptz, timestamptz),
    audit_needs_optimization(timestamptz, timestamptz),
    audit_slow_steps(timestamptz, timestamptz),
    audit_retry_patterns(timestamptz, timestamptz),
    audit_adjustments(timestamptz, timestamptz)
FROM PUBLIC;
