-- Who is signed in to the manager. A session ends with the API token that it was begun with.
CREATE TABLE sessions (
    hash       TEXT   PRIMARY KEY, -- SHA-256 of the cookie's value, hex
    token_id   TEXT   NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_by_token ON sessions (token_id);
