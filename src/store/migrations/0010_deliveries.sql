-- Who it goes to, so that one who is slow does not hold up the others: a callback, or where a URL leads.
ALTER TABLE deliveries ADD COLUMN receiver TEXT NOT NULL DEFAULT '';

UPDATE deliveries SET receiver = CASE WHEN callback_id IS NULL THEN subscription_id ELSE 'callback:' || callback_id END;

-- A claim finds from each receiver those that are due first, however many there are.
CREATE INDEX deliveries_by_receiver ON deliveries (receiver, next_attempt_at, id, lease_until) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_attempted ON deliveries (lease_until, receiver) WHERE lease_until IS NOT NULL;

-- Mails are about callbacks as well as about runs.
CREATE TABLE mails (
    id          TEXT   PRIMARY KEY,
    subject     TEXT   NOT NULL, -- hook:<id> or callback:<id>; what is told of it within some minutes is told in one mail
    event       TEXT   NOT NULL CHECK (event IN ('run_failed', 'run_succeeded', 'callback_failed', 'callback_disabled')),
    recipients  TEXT   NOT NULL,
    run_id      TEXT   REFERENCES runs (id), -- of a hook: the latest
    trouble     TEXT,            -- of a callback: the latest, as JSON
    count       BIGINT NOT NULL,
    first_at    BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    claimed_at  BIGINT,          -- when sending was first tried; from then on nothing is added
    attempts    BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT,          -- when it was sent or given up
    failure     TEXT             -- why it was given up
);

INSERT INTO mails (id, subject, event, recipients, run_id, count, first_at, due_at, claimed_at, attempts, finished_at, failure)
    SELECT id, 'hook:' || hook_id, event, recipients, run_id, count, first_at, due_at, claimed_at, attempts, finished_at, failure
    FROM notices;

DROP TABLE notices;

ALTER TABLE mails RENAME TO notices;

CREATE INDEX notices_due ON notices (due_at) WHERE finished_at IS NULL;
CREATE INDEX notices_by_subject ON notices (subject, event, claimed_at);
CREATE INDEX notices_by_run ON notices (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX notices_of_callbacks ON notices (finished_at) WHERE run_id IS NULL;

-- What has ended goes by its age.
CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE next_attempt_at IS NULL;
