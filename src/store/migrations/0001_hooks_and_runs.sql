-- Times are milliseconds since 1970 in UTC, ids are UUIDs as text, lists and objects are JSON as text.
-- Written so that PostgreSQL takes it too.

CREATE TABLE users (
    id         TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE,
    role       TEXT   NOT NULL CHECK (role IN ('admin', 'member')),
    created_at BIGINT NOT NULL
);

CREATE TABLE tokens (
    id         TEXT   PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    name       TEXT   NOT NULL,
    hash       TEXT   NOT NULL UNIQUE, -- SHA-256, hex
    created_at BIGINT NOT NULL
);

CREATE TABLE hooks (
    id         TEXT   PRIMARY KEY,
    owner_id   TEXT   NOT NULL REFERENCES users (id),
    path       TEXT   NOT NULL,
    token      TEXT   NOT NULL UNIQUE,
    histo      TEXT   NOT NULL, -- the live version
    params     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT           -- a deleted hook stays for the sake of its runs
);

CREATE UNIQUE INDEX hooks_by_path ON hooks (owner_id, path) WHERE deleted_at IS NULL;

CREATE TABLE versions (
    hook_id    TEXT   NOT NULL REFERENCES hooks (id),
    histo      TEXT   NOT NULL,
    size       BIGINT NOT NULL, -- bytes of the notebook
    python     TEXT,            -- the interpreter it was deployed from, if usable here
    created_at BIGINT NOT NULL,
    PRIMARY KEY (hook_id, histo)
);

CREATE TABLE runs (
    id          TEXT   PRIMARY KEY,
    hook_id     TEXT   NOT NULL REFERENCES hooks (id),
    owner_id    TEXT   NOT NULL REFERENCES users (id),
    version     TEXT   NOT NULL,
    histo       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    origin      TEXT   NOT NULL, -- what started it
    method      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    started_at  BIGINT,
    finished_at BIGINT,
    duration_ms BIGINT,
    cells_total BIGINT NOT NULL,
    cells_done  BIGINT NOT NULL,
    error       TEXT,
    warnings    TEXT   NOT NULL,
    output_size BIGINT           -- bytes of the saved output; NULL when there is none
);

CREATE UNIQUE INDEX runs_by_hook ON runs (hook_id, histo);
CREATE INDEX runs_by_owner ON runs (owner_id, created_at);
CREATE INDEX runs_unfinished ON runs (state) WHERE state IN ('queued', 'running');

-- Mails about runs: one row is one mail, due or sent. A burst of runs adds to the count of the one that is due.
CREATE TABLE notices (
    id          TEXT   PRIMARY KEY,
    hook_id     TEXT   NOT NULL REFERENCES hooks (id),
    event       TEXT   NOT NULL CHECK (event IN ('run_failed', 'run_succeeded')),
    recipients  TEXT   NOT NULL,
    run_id      TEXT   NOT NULL REFERENCES runs (id), -- the latest
    count       BIGINT NOT NULL,
    first_at    BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    claimed_at  BIGINT,          -- when sending was first tried; from then on no further run is added
    attempts    BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT,          -- when it was sent or given up
    failure     TEXT             -- why it was given up
);

CREATE INDEX notices_due ON notices (due_at) WHERE finished_at IS NULL;
CREATE INDEX notices_by_hook ON notices (hook_id, event, claimed_at);
