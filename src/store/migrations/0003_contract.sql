-- What a version's notebook takes, as a JSON Schema; null: not known.
ALTER TABLE versions ADD COLUMN contract TEXT;
