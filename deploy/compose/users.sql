-- The users of docker-compose.yml, for psql: one for each role that a service needs (docs/database-roles.md).
-- The passwords are read here, so that they stand on no command line.

\set migrator_password `cat "$MIGRATOR_PASSWORD_FILE"`
\set writer_password `cat "$WRITER_PASSWORD_FILE"`

CREATE ROLE audit_deploy LOGIN PASSWORD :'migrator_password' IN ROLE audit_migrator;
CREATE ROLE audit_consumer LOGIN PASSWORD :'writer_password' IN ROLE audit_writer;
