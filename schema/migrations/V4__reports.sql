-- The five reports. Each is a function of its window, so that it exists once; the view of the same name has the usual window.
-- Times are half open: since <= created_at < until. Ties are broken by name, so that a report is stable.

CREATE FUNCTION audit_effective_workflows(since timestamptz, until timestamptz)
RETURNS TABLE (
    workflow_name varchar, execution_count bigint, avg_effectiveness double precision,
    avg_steps double precision, avg_duration_seconds double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        a.workflow_name, count(*), avg(a.effectiveness_score),
        avg(a.total_steps)::double precision,
        avg(extract(epoch FROM a.total_duration))::double precision
    FROM workflow_execution_audit a
    WHERE a.created_at >= since AND a.created_at < until AND a.outcome = 'success'
    GROUP BY a.workflow_name
    ORDER BY avg(a.effectiveness_score) DESC NULLS LAST, a.workflow_name;
END;

CREATE FUNCTION audit_needs_optimization(since timestamptz, until timestamptz)
RETURNS TABLE (
    workflow_name varchar, failure_count bigint, avg_failed_steps double precision, error_patterns text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        a.workflow_name, count(*), avg(a.steps_failed)::double precision,
        array_agg(DISTINCT a.error_message ORDER BY a.error_message) FILTER (WHERE a.error_message IS NOT NULL)
    FROM workflow_execution_audit a
    WHERE a.created_at >= since AND a.created_at < until AND a.outcome = 'failed'
    GROUP BY a.workflow_name
    ORDER BY count(*) DESC, a.workflow_name;
END;

-- Durations inside step_executions are nanoseconds; the report's are milliseconds.
CREATE FUNCTION audit_slow_steps(since timestamptz, until timestamptz)
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
    GROUP BY a.workflow_name, step ->> 'action'
    ORDER BY avg((step ->> 'duration')::numeric) DESC NULLS LAST, a.workflow_name, step ->> 'action';
END;

CREATE FUNCTION audit_retry_patterns(since timestamptz, until timestamptz)
RETURNS TABLE (action_type text, avg_retries double precision, total_executions bigint, failures bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        step ->> 'action', avg((step ->> 'retries_attempted')::bigint)::double precision, count(*),
        count(*) FILTER (WHERE step ->> 'status' = 'failed')
    FROM workflow_execution_audit a, jsonb_array_elements(a.step_executions) AS step
    WHERE a.created_at >= since AND a.created_at < until AND (step ->> 'retries_attempted')::bigint > 0
    GROUP BY step ->> 'action'
    ORDER BY avg((step ->> 'retries_attempted')::bigint) DESC, step ->> 'action';
END;

CREATE FUNCTION audit_adjustments(since timestamptz, until timestamptz)
RETURNS TABLE (adjustment_type text, reason text, frequency bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT adjustment ->> 'adjustment_type', adjustment ->> 'reason', count(*)
    FROM workflow_execution_audit a, jsonb_array_elements(a.adaptive_adjustments) AS adjustment
    WHERE a.created_at >= since AND a.created_at < until
    GROUP BY adjustment ->> 'adjustment_type', adjustment ->> 'reason'
    ORDER BY count(*) DESC, adjustment ->> 'adjustment_type', adjustment ->> 'reason';
END;

CREATE VIEW audit_effective_workflows AS
SELECT * FROM audit_effective_workflows(now() - interval '30 days', 'infinity') LIMIT 10;
CREATE VIEW audit_needs_optimization AS
SELECT * FROM audit_needs_optimization(now() - interval '7 days', 'infinity');
CREATE VIEW audit_slow_steps AS
SELECT * FROM audit_slow_steps(now() - interval '7 days', 'infinity') LIMIT 20;
CREATE VIEW audit_retry_patterns AS
SELECT * FROM audit_retry_patterns(now() - interval '7 days', 'infinity');
CREATE VIEW audit_adjustments AS
SELECT * FROM audit_adjustments(now() - interval '30 days', 'infinity');
