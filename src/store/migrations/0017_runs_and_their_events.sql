-- The run that an event tells of. It may be gone before the event is.
ALTER TABLE events ADD COLUMN run_id TEXT;

UPDATE events SET run_id = SUBSTR(data, 9, 36) WHERE data LIKE '{"run":"%';

CREATE INDEX events_by_run ON events (run_id, id) WHERE run_id IS NOT NULL;

-- What a hook's runs came to, and how much their outputs take, is read from this alone.
CREATE INDEX runs_ended_by_hook ON runs (hook_id, finished_at, output_size) WHERE finished_at IS NOT NULL;
