-- The run that an event tells of. It may be gone before the event is.
ALTER TABLE events ADD COLUMN run_id TEXT;

UPDATE events SET run_id = SUBSTR(data, 9, 36) WHERE data LIKE '{"run":"%';

CREATE INDEX events_by_run ON events (run_id, id) WHERE run_id IS NOT NULL;

-- How much the outputs take is read from this alone.
CREATE INDEX runs_with_output ON runs (hook_id, output_size) WHERE output_size IS NOT NULL;
