-- The log. Owned by the role that migrates; the role that serves may only select and execute.
-- Positions, counts and times in microseconds are BIGINT; text sorts by bytes, as on the other engine.

-- Which log it is. The last row counts; a restore adds one.
CREATE TABLE duban_log.identity (
    sequence BIGINT PRIMARY KEY,
    log UUID NOT NULL,
    epoch UUID NOT NULL
);
INSERT INTO duban_log.identity VALUES (1, gen_random_uuid(), gen_random_uuid());

-- One row. Whoever appends locks it first, so that there is one order of writers. The head itself is not in it
-- but in the events: a row rewritten by each commit would bloat as long as anybody holds an old snapshot.
CREATE TABLE duban_log.head (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    -- Nothing is recorded at or before this instant any more.
    settled BIGINT NOT NULL DEFAULT (-9223372036854775808),
    -- Nothing is recorded any more.
    sealed BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO duban_log.head DEFAULT VALUES;

CREATE TABLE duban_log.events (
    position BIGINT NOT NULL CHECK (position > 0),
    id UUID NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    effective_on TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    agency TEXT COLLATE "C",
    request_id UUID NOT NULL,
    correlation UUID NOT NULL,
    causation BIGINT,
    trace_id TEXT COLLATE "C",
    nonce BYTEA NOT NULL,
    -- What it is filed under, and for each the last position under it before this one; 0 for none.
    tags TEXT[] COLLATE "C" NOT NULL,
    previous BIGINT[] NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);

-- The index of what events.tags says. No other index is on the path of an append.
CREATE TABLE duban_log.event_tags (
    tag TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tag, position)
);

CREATE TABLE duban_log.receipts (
    request_id UUID NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (request_id, principal)
);

-- Rows by which a process that starts finds out whether two sessions exclude and see each other.
CREATE TABLE duban_log.self_test (
    token UUID PRIMARY KEY,
    marked BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE FUNCTION duban_log.refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'DB000';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON duban_log.events
    FOR EACH ROW EXECUTE FUNCTION duban_log.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON duban_log.event_tags
    FOR EACH STATEMENT EXECUTE FUNCTION duban_log.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON duban_log.receipts
    FOR EACH STATEMENT EXECUTE FUNCTION duban_log.refuse();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON duban_log.head
    FOR EACH STATEMENT EXECUTE FUNCTION duban_log.refuse();

-- An empty log may take over the identity of one that moves in.
CREATE FUNCTION duban_log.refuse_unless_empty() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' OR EXISTS (SELECT FROM duban_log.events) OR EXISTS (SELECT FROM duban_log.receipts) THEN
        RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'DB000';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON duban_log.identity
    FOR EACH STATEMENT EXECUTE FUNCTION duban_log.refuse_unless_empty();

-- Partitions of ten million positions each.
CREATE FUNCTION duban_log.partition_positions() RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$ SELECT 10000000::BIGINT $$;

-- Makes partitions until two lie ahead of the head, and says how many positions there is room for.
CREATE FUNCTION duban_log.extend() RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size CONSTANT BIGINT := duban_log.partition_positions();
    head BIGINT := coalesce((SELECT max(position) FROM duban_log.events), 0);
    ready BIGINT;
    name TEXT;
BEGIN
    -- One at a time: who comes second finds the work done.
    PERFORM pg_advisory_xact_lock(702290941402);
    SELECT count(*) * size INTO ready FROM pg_inherits WHERE inhparent = 'duban_log.events'::regclass;
    WHILE ready < (head / size + 3) * size LOOP
        name := format('events_%s', lpad((ready / size)::TEXT, 6, '0'));
        -- Attached rather than created in place: appends go on meanwhile.
        EXECUTE format('CREATE TABLE duban_log.%I (LIKE duban_log.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('ALTER TABLE duban_log.%I ADD CHECK (position > %s AND position <= %s)', name, ready, ready + size);
        EXECUTE format('ALTER TABLE duban_log.events ATTACH PARTITION duban_log.%I FOR VALUES FROM (%s) TO (%s)', name, ready + 1, ready + size + 1);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON duban_log.%I FOR EACH STATEMENT EXECUTE FUNCTION duban_log.refuse()', name);
        ready := ready + size;
    END LOOP;
    RETURN ready - head;
END $$;
SELECT duban_log.extend();

-- Takes the lock of the one order of writers, and says what stands in the way of appending.
CREATE FUNCTION duban_log.lock_head(OUT settled BIGINT, OUT head BIGINT, OUT recorded_at BIGINT)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sealed BOOLEAN;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'appends run under READ COMMITTED alone' USING ERRCODE = 'DB001';
    END IF;
    IF current_setting('fsync') = 'off' OR current_setting('synchronous_commit') = 'off' THEN
        RAISE EXCEPTION 'fsync or synchronous_commit is off: a commit would not be durable' USING ERRCODE = 'DB002';
    END IF;
    -- First come, first served; the row's lock alone would keep the order as well.
    PERFORM pg_advisory_xact_lock(702290941401);
    SELECT h.settled, h.sealed INTO lock_head.settled, sealed FROM duban_log.head AS h FOR UPDATE;
    IF sealed THEN
        RAISE EXCEPTION 'the log is sealed' USING ERRCODE = 'DB003';
    END IF;
    -- A statement of its own, after the lock: under READ COMMITTED it sees what the last holder committed.
    SELECT e.position, e.recorded_at INTO lock_head.head, lock_head.recorded_at
        FROM duban_log.events AS e ORDER BY e.position DESC LIMIT 1;
    head := coalesce(head, 0);
    recorded_at := coalesce(recorded_at, -9223372036854775808);
END $$;

-- Appends a batch. Of the arrays, those of a_* have an element for each append, e_* for each event, t_* for each
-- tag of an event, c_* for each tag of a condition; e_append, t_event and c_append say to which it belongs,
-- counted from 1. No append of a batch reads a tag that another one before it writes, and no request is in it
-- twice: the caller sees to that, so each can be judged by what is committed.
--
-- An answer: 0 written, 1 written before, 2 the request was another command's, 3 its condition does not hold.
CREATE FUNCTION duban_log.append_batch(
    of_epoch UUID, now BIGINT,
    a_request UUID[], a_principal TEXT[], a_fingerprint BYTEA[], a_read_at BIGINT[], a_role TEXT[], a_agency TEXT[],
    a_correlation UUID[], a_causation BIGINT[], a_trace TEXT[],
    e_append INT[], e_id UUID[], e_type TEXT[], e_effective_on TEXT[], e_nonce BYTEA[], e_body BYTEA[],
    t_event INT[], t_tag TEXT[],
    c_append INT[], c_tag TEXT[], c_after BIGINT[],
    OUT head BIGINT, OUT answers INT[], OUT firsts BIGINT[], OUT lasts BIGINT[], OUT times BIGINT[])
LANGUAGE plpgsql SECURITY DEFINER
-- One plan for all batches, by hash: the planner takes each array for ten elements and would loop over loops.
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan SET enable_nestloop = off AS $$
DECLARE
    before RECORD;
    at BIGINT;
BEGIN
    before := duban_log.lock_head();
    IF of_epoch <> (SELECT i.epoch FROM duban_log.identity AS i ORDER BY i.sequence DESC LIMIT 1) THEN
        RAISE EXCEPTION 'the log has begun another epoch' USING ERRCODE = 'DB004';
    END IF;
    -- Each batch has an instant of its own, so that "recorded at or before" names one position.
    at := greatest(now, before.recorded_at + 1, before.settled + 1);

    -- The subqueries are steps into an index, one for each append and each tag, whatever the planner thinks.
    SELECT array_agg(coalesce(r.answer, c.answer, 0) ORDER BY a.n),
           array_agg(coalesce(r.first_position, 0) ORDER BY a.n),
           array_agg(coalesce(r.last_position, 0) ORDER BY a.n),
           array_agg(coalesce(r.recorded_at, at) ORDER BY a.n)
      INTO answers, firsts, lasts, times
      FROM unnest(a_request, a_principal, a_fingerprint) WITH ORDINALITY AS a (request, principal, fingerprint, n)
      LEFT JOIN LATERAL (
           SELECT CASE WHEN s.fingerprint = a.fingerprint THEN 1 ELSE 2 END AS answer,
                  s.first_position, s.last_position, s.recorded_at
             FROM duban_log.receipts AS s
            WHERE s.request_id = a.request AND s.principal = a.principal LIMIT 1) AS r ON TRUE
      LEFT JOIN (
           SELECT DISTINCT d.append, 3 AS answer
             FROM unnest(c_append, c_tag, c_after) AS d (append, tag, after)
            WHERE (SELECT t.position FROM duban_log.event_tags AS t
                    WHERE t.tag = d.tag ORDER BY t.position DESC LIMIT 1) > d.after) AS c ON c.append = a.n;

    WITH placed AS MATERIALIZED (
        SELECT before.head + row_number() OVER (ORDER BY e.n) AS position, e.*
          FROM unnest(e_append, e_id, e_type, e_effective_on, e_nonce, e_body)
               WITH ORDINALITY AS e (append, id, type, effective_on, nonce, body, n)
         WHERE answers[e.append] = 0
    ), filed AS MATERIALIZED (
        SELECT p.position, t.n, t.tag,
               coalesce(lag(p.position) OVER (PARTITION BY t.tag ORDER BY p.position),
                        (SELECT g.position FROM duban_log.event_tags AS g
                          WHERE g.tag = t.tag ORDER BY g.position DESC LIMIT 1), 0) AS previous
          FROM unnest(t_event, t_tag) WITH ORDINALITY AS t (event, tag, n)
          JOIN placed AS p ON p.n = t.event
    ), file AS (
        INSERT INTO duban_log.event_tags (tag, position) SELECT f.tag, f.position FROM filed AS f
    ), written AS (
        INSERT INTO duban_log.events (position, id, type, recorded_at, effective_on, actor, role, agency, request_id,
               correlation, causation, trace_id, nonce, tags, previous, body)
        SELECT p.position, p.id, p.type, at, p.effective_on, a.principal, a.role, a.agency, a.request,
               a.correlation, a.causation, a.trace, p.nonce, coalesce(f.tags, '{}'), coalesce(f.previous, '{}'), p.body
          FROM placed AS p
          JOIN unnest(a_request, a_principal, a_role, a_agency, a_correlation, a_causation, a_trace)
               WITH ORDINALITY AS a (request, principal, role, agency, correlation, causation, trace, n) ON a.n = p.append
          LEFT JOIN (SELECT g.position, array_agg(g.tag ORDER BY g.n) AS tags, array_agg(g.previous ORDER BY g.n) AS previous
                       FROM filed AS g GROUP BY g.position) AS f ON f.position = p.position
    ), ranges AS MATERIALIZED (
        SELECT a.n, coalesce(p.first, a.read_at + 1) AS first, coalesce(p.last, a.read_at) AS last,
               a.request, a.principal, a.fingerprint
          FROM unnest(a_request, a_principal, a_fingerprint, a_read_at)
               WITH ORDINALITY AS a (request, principal, fingerprint, read_at, n)
          LEFT JOIN (SELECT q.append, min(q.position) AS first, max(q.position) AS last
                       FROM placed AS q GROUP BY q.append) AS p ON p.append = a.n
         WHERE answers[a.n] = 0
    ), receipted AS (
        INSERT INTO duban_log.receipts (request_id, principal, fingerprint, first_position, last_position, recorded_at)
        SELECT r.request, r.principal, r.fingerprint, r.first, r.last, at FROM ranges AS r
    )
    SELECT array_agg(coalesce(r.first, firsts[n]) ORDER BY n), array_agg(coalesce(r.last, lasts[n]) ORDER BY n),
           coalesce((SELECT max(p.position) FROM placed AS p), before.head)
      INTO firsts, lasts, head
      FROM generate_series(1, cardinality(a_request)) AS n LEFT JOIN ranges AS r USING (n);

    IF head > before.head THEN
        -- Once for the batch: a notification for each event would hold up the commits of the whole cluster.
        PERFORM pg_notify('duban_log', head::TEXT);
    END IF;
END $$;

-- From now on nothing is recorded at or before `at`.
CREATE FUNCTION duban_log.settle(at BIGINT) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before RECORD;
BEGIN
    before := duban_log.lock_head();
    IF before.recorded_at < at AND before.settled < at THEN
        UPDATE duban_log.head SET settled = at;
    END IF;
END $$;

-- A step by which a process finds out whether sessions exclude and see each other.
CREATE FUNCTION duban_log.self_test(step TEXT, of_token UUID) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer BOOLEAN;
BEGIN
    CASE step
    WHEN 'begin' THEN
        INSERT INTO duban_log.self_test (token) VALUES (of_token);
        answer := TRUE;
    WHEN 'hold' THEN
        SELECT TRUE INTO answer FROM duban_log.self_test AS s WHERE s.token = of_token FOR UPDATE;
    WHEN 'try' THEN
        SELECT TRUE INTO answer FROM duban_log.self_test AS s WHERE s.token = of_token FOR UPDATE SKIP LOCKED;
    WHEN 'mark' THEN
        UPDATE duban_log.self_test AS s SET marked = TRUE WHERE s.token = of_token;
        answer := TRUE;
    WHEN 'seen' THEN
        SELECT s.marked INTO answer FROM duban_log.self_test AS s WHERE s.token = of_token;
    WHEN 'end' THEN
        DELETE FROM duban_log.self_test AS s WHERE s.token = of_token;
        answer := TRUE;
    END CASE;
    RETURN coalesce(answer, FALSE);
END $$;
