-- The node's database and role. As the database's administrator:
--   psql --set=ON_ERROR_STOP=1 --file=roles.sql
-- The role owns its database, because the node makes and updates its own tables; beside that it may only see how the standbys follow.
-- No password: over the local socket `peer` authentication, over the network a client certificate (pg_hba.conf).
CREATE ROLE paiza LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 20;
CREATE DATABASE paiza OWNER paiza ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE paiza FROM PUBLIC;
\connect paiza
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO paiza;
-- To see whether the standbys follow (`paiza-node doctor`, metrics); it shows no data.
GRANT pg_read_all_stats TO paiza;
