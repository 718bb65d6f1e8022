-- +goose Up
-- The people who run the platform, and where they are signed in. A session's row has the hash of its cookie.
CREATE TABLE accounts (
	name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, must_change BIGINT NOT NULL, off BIGINT NOT NULL,
	made TEXT NOT NULL, made_by TEXT NOT NULL, changed TEXT NOT NULL
);
CREATE TABLE sessions (
	hash TEXT PRIMARY KEY, account TEXT NOT NULL, peer TEXT NOT NULL, made TEXT NOT NULL, seen TEXT NOT NULL, until TEXT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_until ON sessions (until);
CREATE INDEX hotline_at ON hotline (at, record_id);

-- +goose Down
DROP INDEX hotline_at; DROP TABLE sessions; DROP TABLE accounts;
