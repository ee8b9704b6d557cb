CREATE TABLE identity (
    sequence INTEGER PRIMARY KEY,
    log BLOB NOT NULL CHECK (length(log) = 16),
    epoch BLOB NOT NULL CHECK (length(epoch) = 16)
) STRICT;

CREATE TABLE events (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    effective_on TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    agency TEXT,
    request_id BLOB NOT NULL,
    correlation BLOB NOT NULL,
    causation INTEGER,
    trace_id TEXT,
    nonce BLOB NOT NULL,
    tags TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE event_tags (
    tag TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    request_id BLOB NOT NULL,
    principal TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (request_id, principal)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_dense BEFORE INSERT ON events
WHEN NEW.position <> (SELECT COALESCE(MAX(position), 0) + 1 FROM events)
BEGIN SELECT RAISE(ROLLBACK, 'positions are dense'); END;

CREATE TRIGGER events_filed AFTER INSERT ON events
BEGIN INSERT OR ROLLBACK INTO event_tags (tag, position) SELECT value ->> 0, NEW.position FROM json_each(NEW.tags); END;

CREATE TRIGGER identity_no_update BEFORE update ON identity
BEGIN SELECT RAISE(ABORT, 'identity is append-only'); END;

CREATE TRIGGER identity_no_delete BEFORE delete ON identity
BEGIN SELECT RAISE(ABORT, 'identity is append-only'); END;

CREATE TRIGGER events_no_update BEFORE update ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;

CREATE TRIGGER events_no_delete BEFORE delete ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;

CREATE TRIGGER event_tags_no_update BEFORE update ON event_tags
BEGIN SELECT RAISE(ABORT, 'event_tags is append-only'); END;

CREATE TRIGGER event_tags_no_delete BEFORE delete ON event_tags
BEGIN SELECT RAISE(ABORT, 'event_tags is append-only'); END;

CREATE TRIGGER receipts_no_update BEFORE update ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts is append-only'); END;

CREATE TRIGGER receipts_no_delete BEFORE delete ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts is append-only'); END;

PRAGMA application_id = 1685414497;
PRAGMA user_version = 1;
