-- +goose Up
-- Rows of terminals and lanes change all the time: the free room lets an update stay on its page, so that no index entry is
-- written and transactions of different terminals do not meet in one.
CREATE TABLE terminals (
	id TEXT PRIMARY KEY, site TEXT NOT NULL, name TEXT NOT NULL, public_key BYTEA NOT NULL, epoch BIGINT NOT NULL,
	enrolled TEXT NOT NULL, seen TEXT NOT NULL, software TEXT NOT NULL, status TEXT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE lanes (
	terminal TEXT NOT NULL, lane TEXT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,
	PRIMARY KEY (terminal, lane)
) WITH (fillfactor = 50);
CREATE TABLE records (
	id TEXT PRIMARY KEY, terminal TEXT NOT NULL, epoch BIGINT NOT NULL, lane TEXT NOT NULL, seq BIGINT NOT NULL,
	case_id TEXT NOT NULL, type TEXT NOT NULL, raw BYTEA NOT NULL, hash TEXT NOT NULL, outcome TEXT NOT NULL,
	reason TEXT NOT NULL, received TEXT NOT NULL
);
CREATE UNIQUE INDEX records_place ON records (terminal, epoch, lane, seq);
CREATE INDEX records_case ON records (case_id);
CREATE TABLE cases (
	id TEXT PRIMARY KEY, terminal TEXT NOT NULL, item TEXT NOT NULL, receipt_code TEXT NOT NULL, state TEXT NOT NULL,
	person TEXT NOT NULL, last4 TEXT NOT NULL, opened TEXT NOT NULL, updated TEXT NOT NULL, times BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX cases_opened ON cases (opened, id);
CREATE TABLE effects (
	name TEXT PRIMARY KEY, case_id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
	number TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE ratings (
	record_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, terminal TEXT NOT NULL, item TEXT NOT NULL, version TEXT NOT NULL,
	level TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX ratings_case ON ratings (case_id);
CREATE TABLE hotline (
	record_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, local_no TEXT NOT NULL, category TEXT NOT NULL, phone TEXT NOT NULL,
	ink TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE documents (
	key TEXT PRIMARY KEY, request TEXT NOT NULL, number TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, pages BIGINT NOT NULL,
	sha256 TEXT NOT NULL, pdf BYTEA NOT NULL, verify TEXT NOT NULL, issued TEXT NOT NULL, signature BYTEA NOT NULL,
	person TEXT NOT NULL, terminal TEXT NOT NULL
);
CREATE TABLE counters (name TEXT PRIMARY KEY, n BIGINT NOT NULL) WITH (fillfactor = 50);
CREATE TABLE inbox (
	terminal TEXT NOT NULL, no BIGINT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, expires TEXT NOT NULL,
	body TEXT NOT NULL, signature BYTEA NOT NULL, PRIMARY KEY (terminal, no)
);
CREATE TABLE citizens (number TEXT PRIMARY KEY, name TEXT NOT NULL, phone TEXT NOT NULL);
CREATE TABLE codes (
	challenge TEXT PRIMARY KEY, terminal TEXT NOT NULL, visit TEXT NOT NULL, number TEXT NOT NULL, code TEXT NOT NULL,
	until TEXT NOT NULL, tries BIGINT NOT NULL, made TEXT NOT NULL
);
CREATE INDEX codes_number ON codes (number, made);
CREATE TABLE tokens (
	token TEXT PRIMARY KEY, terminal TEXT NOT NULL, visit TEXT NOT NULL, number TEXT NOT NULL, until TEXT NOT NULL
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- +goose Down
DROP TABLE settings; DROP TABLE tokens; DROP TABLE codes; DROP TABLE citizens; DROP TABLE inbox; DROP TABLE counters;
DROP TABLE documents; DROP TABLE hotline; DROP TABLE ratings; DROP TABLE effects; DROP TABLE cases; DROP TABLE records;
DROP TABLE lanes; DROP TABLE terminals;
