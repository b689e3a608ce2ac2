-- Signed calls that were let in, so that none of them is let in twice.
CREATE TABLE signatures (
    hook_id    TEXT   NOT NULL REFERENCES hooks (id),
    digest     TEXT   NOT NULL, -- SHA-256, hex, of what was signed
    expires_at BIGINT NOT NULL, -- from then on the signature itself is too old, or nobody sends it again
    PRIMARY KEY (hook_id, digest)
);

CREATE INDEX signatures_by_age ON signatures (expires_at);
