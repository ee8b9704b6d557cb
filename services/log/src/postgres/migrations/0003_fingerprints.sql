-- The fingerprint of the command that caused an event, the same as in its receipt: the audit tree commits to it, so
-- that a receipt can't be altered unseen. Events recorded before have none.
ALTER TABLE duban_log.events ADD COLUMN fingerprint BYTEA;

-- As before, and the events keep the fingerprint.
CREATE OR REPLACE FUNCTION duban_log.append_batch(
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
               correlation, causation, trace_id, nonce, tags, previous, body, fingerprint)
        SELECT p.position, p.id, p.type, at, p.effective_on, a.principal, a.role, a.agency, a.request,
               a.correlation, a.causation, a.trace, p.nonce, coalesce(f.tags, '{}'), coalesce(f.previous, '{}'), p.body,
               a.fingerprint
          FROM placed AS p
          JOIN unnest(a_request, a_principal, a_fingerprint, a_role, a_agency, a_correlation, a_causation, a_trace)
               WITH ORDINALITY AS a (request, principal, fingerprint, role, agency, correlation, causation, trace, n)
            ON a.n = p.append
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
