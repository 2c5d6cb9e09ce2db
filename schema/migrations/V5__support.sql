-- Which binaries this schema works with: every migration that shuts out older ones raises oldest_binary to
-- the first schema version whose binaries still work. A binary's schema version is its newest migration.
CREATE TABLE audit_schema_support (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    oldest_binary integer NOT NULL
);

INSERT INTO audit_schema_support (oldest_binary) VALUES (5);
