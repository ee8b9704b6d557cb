-- Moving a log in. A row says that a load is under way, of the export whose digest it holds; the log is sealed
-- meanwhile, and is not served.
CREATE TABLE duban_log.loading (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    export BYTEA NOT NULL CHECK (length(export) = 32)
);

-- A log that has ended stays so; only the one that is loaded opens when all is there.
CREATE FUNCTION duban_log.refuse_unsealing() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM duban_log.loading) THEN
        RAISE EXCEPTION 'the log is sealed' USING ERRCODE = 'DB003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealed_for_good BEFORE UPDATE ON duban_log.head
    FOR EACH ROW WHEN (OLD.sealed AND NOT NEW.sealed) EXECUTE FUNCTION duban_log.refuse_unsealing();
