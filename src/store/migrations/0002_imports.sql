-- What a version's notebook imports, as JSON ({"modules": [...], "hindrance": "..." or null}); null: not known.
ALTER TABLE versions ADD COLUMN imports TEXT;
