-- The five reports for one workflow or for all (NULL). The views keep their names, columns and grants.
-- Numbers are averaged as numeric, since a sum of floats depends on the order of its rows, and ties would with it.
-- Names are ordered by their bytes, so that a report is the same whatever the database's locale.

CREATE FUNCTION audit_effective_workflows(since timestamptz, until timestamptz, workflow text DEFAULT NULL)
RETURNS TABLE (
    workflow_name varchar, execution_count bigint, avg_effectiveness double precision,
    avg_steps double precision, avg_duration_seconds double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        a.workflow_name, count(*), avg(a.effectiveness_score::numeric)::double precision,
        avg(a.total_steps)::double precision,
        avg(extract(epoch FROM a.total_duration))::double precision
    FROM workflow_execution_audit a
    WHERE a.created_at >= since AND a.created_at < until AND a.outcome = 'success'
        AND (workflow IS NULL OR a.workflow_name = workflow)
    GROUP BY a.workflow_name
    ORDER BY avg(a.effectiveness_score::numeric) DESC NULLS LAST, a.workflow_name COLLATE "C";
END;

CREATE FUNCTION audit_needs_optimization(since timestamptz, until timestamptz, workflow text DEFAULT NULL)
RETURNS TABLE (
    workflow_name varchar, failure_count bigint, avg_failed_steps double precision, error_patterns text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        a.workflow_name, count(*), avg(a.steps_failed)::double precision,
        coalesce(
            array_agg(DISTINCT a.error_message COLLATE "C" ORDER BY a.error_message COLLATE "C")
                FILTER (WHERE a.error_message IS NOT NULL),
            '{}'
        )
    FROM workflow_execution_audit a
    WHERE a.created_at >= since AND a.created_at < until AND a.outcome = 'failed'
        AND (workflow IS NULL OR a.workflow_name = workflow)
    GROUP BY a.workflow_name
    ORDER BY count(*) DESC, a.workflow_name COLLATE "C";
END;

-- Durations inside step_executions are nanoseconds; the report's are milliseconds.
CREATE FUNCTION audit_slow_steps(since timestamptz, until timestamptz, workflow text DEFAULT NULL)
RETURNS TABLE (
    workflow_name varchar, action_type text, execution_count bigint,
    avg_duration_ms double precision, p95_duration_ms double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        a.workflow_name, step ->> 'action', count(*),
        (avg((step ->> 'duration')::numeric) / 1000000)::double precision,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY (step ->> 'duration')::double precision / 1000000)
    FROM workflow_execution_audit a, jsonb_array_elements(a.step_executions) AS step
    WHERE a.created_at >= since AND a.created_at < until
        AND (workflow IS NULL OR a.workflow_name = workflow)
    GROUP BY a.workflow_name, step ->> 'action'
    ORDER BY avg((step ->> 'duration')::numeric) DESC NULLS LAST, a.workflow_name COLLATE "C",
        (step ->> 'action') COLLATE "C";
END;

CREATE FUNCTION audit_retry_patterns(since timestamptz, until timestamptz, workflow text DEFAULT NULL)
RETURNS TABLE (action_type text, avg_retries double precision, total_executions bigint, failures bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        step ->> 'action', avg((step ->> 'retries_attempted')::bigint)::double precision, count(*),
        count(*) FILTER (WHERE step ->> 'status' = 'failed')
    FROM workflow_execution_audit a, jsonb_array_elements(a.step_executions) AS step
    WHERE a.created_at >= since AND a.created_at < until
        AND (workflow IS NULL OR a.workflow_name = workflow)
        AND (step ->> 'retries_attempted')::bigint > 0
    GROUP BY step ->> 'action'
    ORDER BY avg((step ->> 'retries_attempted')::bigint) DESC, (step ->> 'action') COLLATE "C";
END;

CREATE FUNCTION audit_adjustments(since timestamptz, until timestamptz, workflow text DEFAULT NULL)
RETURNS TABLE (adjustment_type text, reason text, frequency bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT adjustment ->> 'adjustment_type', adjustment ->> 'reason', count(*)
    FROM workflow_execution_audit a, jsonb_array_elements(a.adaptive_adjustments) AS adjustment
    WHERE a.created_at >= since AND a.created_at < until
        AND (workflow IS NULL OR a.workflow_name = workflow)
    GROUP BY adjustment ->> 'adjustment_type', adjustment ->> 'reason'
    ORDER BY count(*) DESC, (adjustment ->> 'adjustment_type') COLLATE "C", (adjustment ->> 'reason') COLLATE "C";
END;

-- Three arguments, so that for the moment both functions of a name exist there is no doubt which one is meant.
CREATE OR REPLACE VIEW audit_effective_workflows AS
SELECT * FROM audit_effective_workflows(now() - interval '30 days', 'infinity', NULL) LIMIT 10;
CREATE OR REPLACE VIEW audit_needs_optimization AS
SELECT * FROM audit_needs_optimization(now() - interval '7 days', 'infinity', NULL);
CREATE OR REPLACE VIEW audit_slow_steps AS
SELECT * FROM audit_slow_steps(now() - interval '7 days', 'infinity', NULL) LIMIT 20;
CREATE OR REPLACE VIEW audit_retry_patterns AS
SELECT * FROM audit_retry_patterns(now() - interval '7 days', 'infinity', NULL);
CREATE OR REPLACE VIEW audit_adjustments AS
SELECT * FROM audit_adjustments(now() - interval '30 days', 'infinity', NULL);

DROP FUNCTION audit_effective_workflows(timestamptz, timestamptz);
DROP FUNCTION audit_needs_optimization(timestamptz, timestamptz);
DROP FUNCTION audit_slow_steps(timestamptz, timestamptz);
DROP FUNCTION audit_retry_patterns(timestamptz, timestamptz);
DROP FUNCTION audit_adjustments(timestamptz, timestamptz);

-- Finds the dead letters of an id, which is their record's key. A hash, as a key may be larger than a B-tree takes.
CREATE INDEX audit_dead_letter_key ON audit_dead_letter USING hash (key);

-- PostgreSQL lets everybody call a new function.
REVOKE ALL ON FUNCTION
    audit_effective_workflows(timestamptz, timestamptz, text),
    audit_needs_optimization(timestamptz, timestamptz, text),
    audit_slow_steps(timestamptz, timestamptz, text),
    audit_retry_patterns(timestamptz, timestamptz, text),
    audit_adjustments(timestamptz, timestamptz, text)
FROM PUBLIC;
