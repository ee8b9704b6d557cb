#!/bin/bash
# Run once by the Postgres image, as its superuser, on a fresh volume: the roles and the databases.
# Who migrates owns the log's tables; who serves may only read them and call their functions. The audit tree has a
# database and a role apart from both.
set -euo pipefail
: "${DUBAN_OWNER_PASSWORD:?}" "${DUBAN_APP_PASSWORD:?}" "${DUBAN_TREE_PASSWORD:?}"

# Passwords go through variables of psql, which quotes them: never through the shell's own.
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
  --set owner_password="$DUBAN_OWNER_PASSWORD" --set app_password="$DUBAN_APP_PASSWORD" \
  --set tree_password="$DUBAN_TREE_PASSWORD" <<'SQL'
CREATE ROLE duban_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE duban_app LOGIN PASSWORD :'app_password';
-- So that the owner can make the views' schema and give it to the role that serves.
GRANT duban_app TO duban_owner;
CREATE DATABASE duban OWNER duban_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE duban FROM PUBLIC;
GRANT CONNECT ON DATABASE duban TO duban_app;
CREATE ROLE duban_tree LOGIN PASSWORD :'tree_password';
CREATE DATABASE duban_tree OWNER duban_tree ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE duban_tree FROM PUBLIC;
SQL
