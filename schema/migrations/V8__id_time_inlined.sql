-- PostgreSQL never inlines a STRICT function whose body is a CASE: each row's CHECK started an executor for it, at a
-- tenth of what the whole row costs. The body gives NULL for NULL by itself.
ALTER FUNCTION audit_id_time(uuid) CALLED ON NULL INPUT;
