-- Who it goes to, so that one who is slow does not hold up the others: a callback, or where a URL leads.
ALTER TABLE deliveries ADD COLUMN receiver TEXT NOT NULL DEFAULT '';

CREATE INDEX deliveries_attempted ON deliveries (lease_until, receiver) WHERE lease_until IS NOT NULL;
