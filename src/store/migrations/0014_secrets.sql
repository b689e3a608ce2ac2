-- What users give the server to keep. Sealed: nonce, ciphertext and tag of AES-256-GCM, in base64.
CREATE TABLE secrets (
    owner_id   TEXT   NOT NULL REFERENCES users (id),
    name       TEXT   NOT NULL,
    sealed     TEXT   NOT NULL,
    key_id     TEXT   NOT NULL, -- tells which key it was sealed with
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (owner_id, name)
);

-- Mails that users have the server send. What they say goes as soon as they are sent or given up.
CREATE TABLE notifications (
    id          TEXT   PRIMARY KEY,
    owner_id    TEXT   NOT NULL REFERENCES users (id),
    run_id      TEXT,             -- the run that wished for it; it may be gone
    state       TEXT   NOT NULL,  -- queued, sent, failed
    recipients  TEXT   NOT NULL,  -- JSON
    subject     TEXT   NOT NULL,
    reply_to    TEXT,
    files       BIGINT NOT NULL,
    size        BIGINT NOT NULL,  -- in bytes
    attempts    BIGINT NOT NULL DEFAULT 0,
    error       TEXT,
    created_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    finished_at BIGINT,
    body_text   TEXT,
    body_html   TEXT
);

CREATE INDEX notifications_by_owner ON notifications (owner_id, created_at);
CREATE INDEX notifications_due ON notifications (due_at) WHERE finished_at IS NULL;
CREATE INDEX notifications_by_end ON notifications (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE notification_files (
    notification_id TEXT   NOT NULL REFERENCES notifications (id),
    position        BIGINT NOT NULL,
    name            TEXT   NOT NULL,
    media_type      TEXT   NOT NULL,
    content         TEXT   NOT NULL, -- base64
    PRIMARY KEY (notification_id, position)
);
