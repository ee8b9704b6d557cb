#!/bin/bash
# Run once by the Postgres image, as its superuser, on a fresh volume: the two roles and the database.
# Who migrates owns the log's tables; who serves may only read them and call their functions.
set -euo pipefail
: "${DUBAN_OWNER_PASSWORD:?}" "${DUBAN_APP_PASSWORD:?}"

# Passwords go through variables of psql, which quotes them: never through the shell's own.
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
  --set owner_password="$DUBAN_OWNER_PASSWORD" --set app_password="$DUBAN_APP_PASSWORD" <<'SQL'
CREATE ROLE duban_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE duban_app LOGIN PASSWORD :'app_password';
-- So that the owner can make the views' schema and give it to the role that serves.
GRANT duban_app TO duban_owner;
CREATE DATABASE duban OWNER duban_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE duban FROM PUBLIC;
GRANT CONNECT ON DATABASE duban TO duban_app;
SQL
