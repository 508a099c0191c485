-- Partition the table of runs by time, in PostgreSQL 13 or newer: see docs/scaling.md.
--
--     psql --set ON_ERROR_STOP=1 --file partitioning.sql     functions and one table; locks nothing
--     CREATE INDEX CONCURRENTLY motia_run_unique_key ON motia_run (unique_key)
--         WHERE unique_key IS NOT NULL;                      reads the table; nobody waits for it
--     SELECT motia_partition_prepare();                      the same
--     SELECT motia_partition();                              on the same day; a moment's lock
--     SELECT motia_partitions_ahead(7);                      every day
--     SELECT motia_partitions_drop(now() - interval '30 days');    every day
--
-- An id begins with the time of the run's birth (UUIDv7), so that a range of ids is a range of time.
-- The primary key holds in every partition. That a `unique_key` is there only once cannot be said by
-- a constraint on a partitioned table, which would have to include the id: so these keys have a
-- table of their own, kept by triggers, whose primary key says it. What violates it is an error of
-- the same kind as before, and motia_django need not know.

CREATE TABLE IF NOT EXISTS motia_run_unique (
    unique_key varchar(64) PRIMARY KEY,
    run_id uuid NOT NULL
);
CREATE INDEX IF NOT EXISTS motia_run_unique_run ON motia_run_unique (run_id);

CREATE OR REPLACE FUNCTION motia_run_id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0')
            || repeat('0', 20))::uuid
$$;

CREATE OR REPLACE FUNCTION motia_run_keep_unique() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.unique_key IS NOT NULL THEN
        DELETE FROM motia_run_unique WHERE unique_key = OLD.unique_key AND run_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.unique_key IS NOT NULL THEN
        INSERT INTO motia_run_unique (unique_key, run_id) VALUES (NEW.unique_key, NEW.id);
    END IF;
    RETURN NULL;
END
$$;

-- The bound of what is there already: the end of the day, in UTC. It is checked while nobody waits,
-- so that the table can be made a partition without being read.
CREATE OR REPLACE FUNCTION motia_partition_prepare() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    cutoff uuid := motia_run_id_at(date_trunc('day', now(), 'UTC') + interval '1 day');
BEGIN
    EXECUTE format('ALTER TABLE motia_run DROP CONSTRAINT IF EXISTS motia_run_bound');
    EXECUTE format(
        'ALTER TABLE motia_run ADD CONSTRAINT motia_run_bound CHECK (id < %L) NOT VALID', cutoff);
    ALTER TABLE motia_run VALIDATE CONSTRAINT motia_run_bound;
END
$$;

CREATE OR REPLACE FUNCTION motia_partition() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    cutoff uuid := motia_run_id_at(date_trunc('day', now(), 'UTC') + interval '1 day');
    found record;
    definitions text[] := '{}';
BEGIN
    LOCK TABLE motia_run IN ACCESS EXCLUSIVE MODE;
    FOR found IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'motia_run'::regclass AND contype = 'u'
    LOOP
        EXECUTE format('ALTER TABLE motia_run DROP CONSTRAINT %I', found.conname);
    END LOOP;
    FOR found IN
        SELECT indexname, indexdef, indexname = 'motia_run_pkey' AS is_key
        FROM pg_indexes WHERE tablename = 'motia_run' AND schemaname = current_schema
    LOOP
        IF NOT found.is_key THEN
            definitions := definitions || found.indexdef;
        END IF;
        EXECUTE format('ALTER INDEX %I RENAME TO %I', found.indexname,
                       left(found.indexname, 52) || '_before');
    END LOOP;
    ALTER TABLE motia_run RENAME TO motia_run_before;
    CREATE TABLE motia_run (LIKE motia_run_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS
                            INCLUDING STORAGE INCLUDING COMMENTS) PARTITION BY RANGE (id);
    ALTER TABLE motia_run DROP CONSTRAINT motia_run_bound;
    ALTER TABLE motia_run ADD CONSTRAINT motia_run_pkey PRIMARY KEY (id);
    FOR found IN SELECT unnest(definitions) AS definition LOOP
        EXECUTE found.definition;
    END LOOP;
    CREATE INDEX IF NOT EXISTS motia_run_unique_key ON motia_run (unique_key)
        WHERE unique_key IS NOT NULL;
    EXECUTE format(
        'ALTER TABLE motia_run ATTACH PARTITION motia_run_before FOR VALUES FROM (MINVALUE) TO (%L)',
        cutoff);
    ALTER TABLE motia_run_before DROP CONSTRAINT motia_run_bound;
    INSERT INTO motia_run_unique (unique_key, run_id)
        SELECT unique_key, id FROM motia_run WHERE unique_key IS NOT NULL;
    CREATE TRIGGER motia_run_born AFTER INSERT ON motia_run FOR EACH ROW
        WHEN (NEW.unique_key IS NOT NULL) EXECUTE FUNCTION motia_run_keep_unique();
    CREATE TRIGGER motia_run_changed AFTER UPDATE OF unique_key ON motia_run FOR EACH ROW
        WHEN (OLD.unique_key IS DISTINCT FROM NEW.unique_key)
        EXECUTE FUNCTION motia_run_keep_unique();
    CREATE TRIGGER motia_run_deleted AFTER DELETE ON motia_run FOR EACH ROW
        WHEN (OLD.unique_key IS NOT NULL) EXECUTE FUNCTION motia_run_keep_unique();
    -- For clocks that are wrong by days, and for days that nobody has made a partition for.
    CREATE TABLE motia_run_rest PARTITION OF motia_run DEFAULT;
    PERFORM motia_partitions_ahead(7);
END
$$;

-- Make the partitions of the next days, as far as they are missing; return how many.
CREATE OR REPLACE FUNCTION motia_partitions_ahead(days int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    day timestamptz;
    made int := 0;
BEGIN
    FOR day IN
        SELECT date_trunc('day', now(), 'UTC') + ahead * interval '24 hours'
        FROM generate_series(1, days) AS ahead
    LOOP
        CONTINUE WHEN to_regclass(motia_partition_of(day)) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I PARTITION OF motia_run FOR VALUES FROM (%L) TO (%L)',
                       motia_partition_of(day), motia_run_id_at(day),
                       motia_run_id_at(day + interval '24 hours'));
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

CREATE OR REPLACE FUNCTION motia_partition_of(day timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT 'motia_run_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD')
$$;

-- Drop the partitions of all runs born before; return how many. What is unfinished or dead is kept:
-- it is put into a small partition in place of the large one, which goes once that is empty.
CREATE OR REPLACE FUNCTION motia_partitions_drop(before timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    old record;
    dropped int := 0;
BEGIN
    FOR old IN
        SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds,
               obj_description(child.oid, 'pg_class') AS said
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'motia_run'::regclass
    LOOP
        CONTINUE WHEN motia_bound(old.bounds, 'TO') IS NULL
            OR motia_bound(old.bounds, 'TO') > motia_run_id_at(before)
            OR old.said = 'motia: kept' AND motia_has_rows(old.name);
        PERFORM motia_partition_drop(old.name, old.bounds);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

CREATE OR REPLACE FUNCTION motia_has_rows(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    has boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO has;
    RETURN has;
END
$$;

CREATE OR REPLACE FUNCTION motia_bound(bounds text, side text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$ SELECT substring(bounds FROM side || $r$ \('([0-9a-f-]{36})'\)$r$)::uuid $$;

CREATE OR REPLACE FUNCTION motia_partition_drop(name text, bounds text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    lowest uuid := coalesce(motia_bound(bounds, 'FROM'), '00000000-0000-0000-0000-000000000000');
    upper uuid := motia_bound(bounds, 'TO');
BEGIN
    EXECUTE format('ALTER TABLE motia_run DETACH PARTITION %I', name);
    EXECUTE format('ALTER TABLE %I RENAME TO motia_run_dropped', name);
    EXECUTE format('CREATE TABLE %I (LIKE motia_run INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'INSERT INTO %I SELECT * FROM motia_run_dropped'
        ' WHERE status IN (''scheduled'', ''queued'', ''running'', ''dead'')',
        name);
    IF motia_has_rows(name) THEN
        EXECUTE format('ALTER TABLE motia_run ATTACH PARTITION %I %s', name, bounds);
        EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'motia: kept');
    ELSE
        EXECUTE format('DROP TABLE %I', name);
    END IF;
    DROP TABLE motia_run_dropped;
    DELETE FROM motia_run_unique AS kept WHERE run_id >= lowest AND run_id < upper
        AND NOT EXISTS (SELECT FROM motia_run WHERE id = kept.run_id);
    DELETE FROM motia_run_key AS kept WHERE run_id >= lowest AND run_id < upper
        AND NOT EXISTS (SELECT FROM motia_run WHERE id = kept.run_id);
END
$$;
