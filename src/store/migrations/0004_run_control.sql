ALTER TABLE runs ADD COLUMN mode TEXT NOT NULL DEFAULT 'sync'; -- 'async': nobody waits for it, and it outlives its server
ALTER TABLE runs ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cells TEXT NOT NULL DEFAULT '[]';  -- when each cell began and ended
ALTER TABLE runs ADD COLUMN status BIGINT;                     -- HTTP status and media type of what was answered
ALTER TABLE runs ADD COLUMN media_type TEXT;
ALTER TABLE runs ADD COLUMN rerun_of TEXT;

-- What a run was asked: whole while an asynchronous run has not ended, later (and for other runs) without secrets.
CREATE TABLE calls (
    run_id  TEXT PRIMARY KEY REFERENCES runs (id),
    request TEXT NOT NULL
);

-- What a run answered, where it may be asked for again; a body is a file.
CREATE TABLE answers (
    run_id     TEXT   PRIMARY KEY REFERENCES runs (id),
    reply      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX answers_by_age ON answers (expires_at);

-- Idempotency-Key headers, and the runs that answer for them.
CREATE TABLE idempotency_keys (
    hook_id     TEXT   NOT NULL REFERENCES hooks (id),
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL, -- SHA-256, hex, of what was sent
    run_id      TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (hook_id, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (expires_at);
