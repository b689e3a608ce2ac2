-- Figures of many runs are read from this alone, so that none of their rows has to be looked at.
CREATE INDEX runs_ended ON runs (finished_at, owner_id, state, duration_ms, hook_id) WHERE finished_at IS NOT NULL;

CREATE INDEX deliveries_dead ON deliveries (owner_id, finished_at) WHERE status = 'dead';
