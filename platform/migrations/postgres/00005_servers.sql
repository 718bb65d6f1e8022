-- +goose Up
-- What several servers on one store must know of each other, and bodies byte for byte as they came.
ALTER TABLE records ADD COLUMN body BYTEA;
ALTER TABLE inbox ADD COLUMN told TEXT NOT NULL DEFAULT '';
CREATE INDEX inbox_told ON inbox (told);
CREATE TABLE nonces (id TEXT PRIMARY KEY, until TEXT NOT NULL);
CREATE INDEX nonces_until ON nonces (until);
CREATE TABLE limits (key TEXT PRIMARY KEY, n BIGINT NOT NULL, until TEXT NOT NULL);
CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until TEXT NOT NULL);

-- +goose Down
DROP TABLE claims; DROP TABLE limits; DROP TABLE nonces; DROP INDEX inbox_told;
ALTER TABLE inbox DROP COLUMN told;
ALTER TABLE records DROP COLUMN body;
