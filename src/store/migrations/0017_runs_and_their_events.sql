-- The run that an event tells of. It may be gone before the event is.
ALTER TABLE events ADD COLUMN run_id TEXT;

UPDATE events SET run_id = SUBSTR(data, 9, 36) WHERE data LIKE '{"run":"%';

CREATE INDEX events_by_run ON events (run_id, id) WHERE run_id IS NOT NULL;
