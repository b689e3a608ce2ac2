-- What refers to a run is found when the run goes.
CREATE INDEX notices_by_run ON notices (run_id);
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run_id);
