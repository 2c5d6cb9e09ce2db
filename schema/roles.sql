-- The roles, and what they may do in this database. Run it once in each database, before the first `audit-consumer
-- migrate` or after it, as a superuser or as the owner of the database with CREATEROLE (what managed PostgreSQL gives
-- its administrator). Running it again is harmless. docs/database-roles.md says who gets what and why.
--
-- Nobody logs in as one of these roles: make users for that, as members, and name them as you like.

DO $$
DECLARE
    new_role text;
BEGIN
    FOREACH new_role IN ARRAY ARRAY['audit_owner', 'audit_migrator', 'audit_writer', 'audit_reader'] LOOP
        IF to_regrole(new_role) IS NULL THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', new_role);
        END IF;
    END LOOP;
    -- Who hands objects over to a role must be a member of it.
    IF NOT pg_has_role('audit_owner', 'USAGE') THEN
        EXECUTE format('GRANT audit_owner TO %I', current_user);
    END IF;
END
$$;

GRANT audit_owner TO audit_migrator;

DO $$
DECLARE
    database text := quote_ident(current_database());
    target text := quote_ident(current_schema());
    object text;
BEGIN
    -- Leave this line out where other applications share the database and rely on it.
    EXECUTE format('REVOKE ALL ON DATABASE %s FROM PUBLIC', database);
    EXECUTE format('GRANT CONNECT ON DATABASE %s TO audit_migrator, audit_writer, audit_reader', database);
    -- For rows that cannot be copied straight to where they belong.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %s TO audit_writer', database);
    EXECUTE format('REVOKE CREATE ON SCHEMA %s FROM PUBLIC', target);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %s TO audit_owner', target);
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO audit_migrator, audit_writer, audit_reader', target);

    -- What an earlier `migrate` made as somebody else.
    FOR object IN
        SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass)
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND c.relname ~ '^(workflow_execution_audit|audit_|refinery_schema_history$)'
            AND c.relowner <> 'audit_owner'::regrole
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND starts_with(p.proname, 'audit_')
            AND p.proowner <> 'audit_owner'::regrole
    LOOP
        EXECUTE format('ALTER %s OWNER TO audit_owner', object);
    END LOOP;
END
$$;

-- PostgreSQL lets everybody call a new function: not those that later migrations make.
ALTER DEFAULT PRIVILEGES FOR ROLE audit_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
