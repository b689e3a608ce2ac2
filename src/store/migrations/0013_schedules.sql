-- When hooks run by themselves; one schedule for a hook.
CREATE TABLE schedules (
    id         TEXT   PRIMARY KEY,
    hook_id    TEXT   NOT NULL UNIQUE REFERENCES hooks (id),
    owner_id   TEXT   NOT NULL REFERENCES users (id),
    cron       TEXT   NOT NULL,
    tz         TEXT   NOT NULL,
    params     TEXT   NOT NULL, -- a JSON object, as a call's body
    overlap    TEXT   NOT NULL CHECK (overlap IN ('skip', 'allow')),
    missed     TEXT   NOT NULL CHECK (missed IN ('run_once', 'skip')),
    enabled    BIGINT NOT NULL,
    next_at    BIGINT,          -- NULL when it is not enabled, or fires no more
    last_at    BIGINT,          -- the time that it fired for last
    last_run   TEXT,
    problem    TEXT,            -- why there was no run the last time
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX schedules_by_owner ON schedules (owner_id);

-- Runs that a schedule has claimed and that are not on record yet: what a killed server leaves here is begun by the next one.
CREATE TABLE firings (
    run_id      TEXT   PRIMARY KEY,
    schedule_id TEXT   NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    at          BIGINT NOT NULL, -- the time that it fires for
    retry_at    BIGINT NOT NULL
);
