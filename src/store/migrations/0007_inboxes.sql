-- Public URLs that keep what was sent to them last (or, with no_override, first).
CREATE TABLE inboxes (
    id               TEXT    PRIMARY KEY,
    owner_id         TEXT    NOT NULL REFERENCES users (id),
    auto_delete      BOOLEAN NOT NULL,
    no_override      BOOLEAN NOT NULL,
    received         BIGINT  NOT NULL DEFAULT 0, -- how often something was sent
    created_at       BIGINT  NOT NULL,
    used_at          BIGINT  NOT NULL,           -- when it was made or, to the hour, read last
    received_at      BIGINT,                     -- when what it keeps was sent
    response_headers TEXT,                       -- JSON, here and below
    response         TEXT,
    default_result   TEXT,
    result_query     TEXT,
    result_headers   TEXT,
    result           TEXT                        -- last, as it may be large: lists need not read it
);

CREATE INDEX inboxes_by_owner ON inboxes (owner_id, created_at);
CREATE INDEX inboxes_by_use ON inboxes (used_at);
