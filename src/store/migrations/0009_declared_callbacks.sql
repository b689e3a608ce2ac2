-- What a version sends to URLs that its callers name (JSON), and what that is signed with.
ALTER TABLE versions ADD COLUMN callbacks TEXT;

-- Made at the first deploy that declares callbacks. The one before counts too until it has run out.
ALTER TABLE hooks ADD COLUMN callback_secret TEXT;
ALTER TABLE hooks ADD COLUMN callback_secret_before TEXT;
ALTER TABLE hooks ADD COLUMN callback_secret_until BIGINT;
