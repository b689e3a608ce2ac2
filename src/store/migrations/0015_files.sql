-- Files that owners give to their runs (dependencies) and to everyone who has the URL (assets).
CREATE TABLE stored_files (
    id         TEXT    PRIMARY KEY,
    kind       TEXT    NOT NULL,           -- dependency or asset
    owner_id   TEXT    NOT NULL REFERENCES users (id),
    path       TEXT    NOT NULL,
    token      TEXT    UNIQUE,             -- of an asset's URL
    inline     BOOLEAN NOT NULL DEFAULT FALSE,
    histo      TEXT    NOT NULL,           -- the live version
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    UNIQUE (owner_id, kind, path)
);

CREATE TABLE stored_versions (
    file_id    TEXT   NOT NULL REFERENCES stored_files (id) ON DELETE CASCADE,
    histo      TEXT   NOT NULL,
    size       BIGINT NOT NULL,
    files      BIGINT NOT NULL,            -- 1, or how many are in the folder
    digest     TEXT   NOT NULL,            -- SHA-256 of the content, hex
    created_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, histo)
);
