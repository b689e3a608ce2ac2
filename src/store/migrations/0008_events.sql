-- Everything that happens is an event; a subscription binds events to a callback, a URL or a topic; each match is a delivery.

-- The last number that was given, for what is counted instead of having a UUID: callbacks and profiles.
CREATE TABLE counters (
    name TEXT   PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Who is told when a callback is in trouble.
CREATE TABLE profiles (
    id            BIGINT PRIMARY KEY,
    owner_id      TEXT   NOT NULL REFERENCES users (id),
    name          TEXT   NOT NULL,
    support_email TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE INDEX profiles_by_owner ON profiles (owner_id, id);

CREATE TABLE callbacks (
    id              BIGINT  PRIMARY KEY,
    owner_id        TEXT    NOT NULL REFERENCES users (id),
    name            TEXT,
    profile_id      BIGINT  REFERENCES profiles (id),
    fallback_id     BIGINT  REFERENCES callbacks (id),
    enabled         BOOLEAN NOT NULL,
    mode            TEXT    NOT NULL CHECK (mode IN ('HTTPS', 'HTTP')),
    config          TEXT    NOT NULL, -- JSON, with the headers' values
    secret          TEXT    NOT NULL, -- whsec_…, signs
    secret_before   TEXT,             -- signs too, until
    secret_until    BIGINT,
    failing_since   BIGINT,           -- nothing but failures since then
    disabled_reason TEXT,             -- why the server disabled it
    free_at         BIGINT,           -- when its rate limit lets the next attempt go
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL
);

CREATE INDEX callbacks_by_owner ON callbacks (owner_id, id);
CREATE INDEX callbacks_by_profile ON callbacks (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX callbacks_by_fallback ON callbacks (fallback_id) WHERE fallback_id IS NOT NULL;

CREATE TABLE subscriptions (
    id            TEXT    PRIMARY KEY,
    owner_id      TEXT    NOT NULL REFERENCES users (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('events', 'task', 'declared')),
    mode          TEXT    NOT NULL CHECK (mode IN ('once', 'continuous')),
    status        TEXT    NOT NULL,
    callback_url  TEXT,                            -- one of these three
    callback_id   BIGINT  REFERENCES callbacks (id),
    topic         TEXT,
    run_id        TEXT,                            -- the run whose end it waits for; runs go before it does
    tags          TEXT    NOT NULL,                -- JSON, here and below
    filters       TEXT    NOT NULL,
    matched       BIGINT  NOT NULL DEFAULT 0,      -- how many events it has had
    secrets       TEXT,                            -- whsec_…, one or several with blanks between, sign what is sent to callback_url
    failing_since BIGINT,
    expires_at    BIGINT,
    created_at    BIGINT  NOT NULL,
    ended_at      BIGINT
);

CREATE INDEX subscriptions_active ON subscriptions (owner_id) WHERE status = 'active' AND kind = 'events';
CREATE INDEX subscriptions_by_owner ON subscriptions (owner_id, id);
CREATE INDEX subscriptions_by_callback ON subscriptions (callback_id) WHERE callback_id IS NOT NULL;
CREATE INDEX subscriptions_by_topic ON subscriptions (owner_id, topic) WHERE topic IS NOT NULL;
CREATE INDEX subscriptions_by_run ON subscriptions (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE events (
    id        TEXT   PRIMARY KEY, -- in the order in which they were committed
    owner_id  TEXT   NOT NULL REFERENCES users (id),
    type      TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    tags      TEXT   NOT NULL,
    data_type TEXT   NOT NULL,
    data      TEXT   NOT NULL
);

CREATE INDEX events_by_owner ON events (owner_id, id);
CREATE INDEX events_by_age ON events (at);

-- What the readers of a topic see.
CREATE TABLE topic_events (
    owner_id TEXT NOT NULL REFERENCES users (id),
    topic    TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id),
    PRIMARY KEY (owner_id, topic, event_id)
);

CREATE INDEX topic_events_by_event ON topic_events (event_id);

CREATE TABLE deliveries (
    id              TEXT   PRIMARY KEY,
    owner_id        TEXT   NOT NULL REFERENCES users (id),
    event_id        TEXT   NOT NULL REFERENCES events (id),
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    callback_id     BIGINT,                      -- it goes there; NULL: to the subscription's URL. A callback may go before it
    fallback_of     TEXT,                        -- the delivery that it stands in for
    method          TEXT,                        -- NULL: the callback's, or POST
    body            TEXT,                        -- JSON, sent as it is; NULL: made of the event
    expects         TEXT,                        -- JSON Schema of the answer
    status          TEXT   NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,   -- since it was begun or asked to be begun again
    next_attempt_at BIGINT,                      -- NULL when it has ended
    lease_until     BIGINT,                      -- while it is attempted: when whoever does so is taken for dead
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT
);

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_by_owner ON deliveries (owner_id, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_by_subscription ON deliveries (subscription_id);
CREATE INDEX deliveries_by_callback ON deliveries (callback_id, created_at) WHERE callback_id IS NOT NULL;

CREATE TABLE attempts (
    delivery_id    TEXT   NOT NULL REFERENCES deliveries (id),
    number         BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    status_code    BIGINT,
    duration_ms    BIGINT NOT NULL,
    error          TEXT,
    response       TEXT   NOT NULL, -- its beginning
    response_valid BOOLEAN,
    PRIMARY KEY (delivery_id, number)
);
