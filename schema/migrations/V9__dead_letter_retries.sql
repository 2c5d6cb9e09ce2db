-- Dead letters that somebody had tried again. A ledger counts a record once, when its stream reads it; what a retry made
-- of it stands here, so that ledgers and dead letters together still say how many rows there must be.
ALTER TABLE audit_dead_letter
    -- NULL: not stored, or stored by a stream, whose ledger has it.
    ADD COLUMN retried_as text CHECK (retried_as IN ('stored', 'duplicate', 'superseding', 'late')),
    ADD CONSTRAINT retried_is_stored CHECK (retried_as IS NULL OR resolution IS NOT DISTINCT FROM 'stored');

INSERT INTO audit_writer_right (object, privilege, column_name) VALUES ('audit_dead_letter', 'UPDATE', 'retried_as');
