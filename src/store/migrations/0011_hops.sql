-- How many deliveries, one behind another, led to it.
ALTER TABLE events ADD COLUMN hops BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN hops BIGINT NOT NULL DEFAULT 0;
