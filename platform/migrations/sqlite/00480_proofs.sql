-- +goose Up
-- Members of staff who vouch for the person at a terminal: who is there to be called, what they are called for, and of each token and
-- case how its person was proved, and by whom.
CREATE TABLE proofs (
	id TEXT PRIMARY KEY, site TEXT NOT NULL, terminal TEXT NOT NULL, visit TEXT NOT NULL, citizen TEXT NOT NULL, masked TEXT NOT NULL, shown TEXT NOT NULL,
	code TEXT NOT NULL, made TEXT NOT NULL, until TEXT NOT NULL, tries BIGINT NOT NULL, state TEXT NOT NULL, ended TEXT NOT NULL, by_whom TEXT NOT NULL,
	document TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE UNIQUE INDEX proofs_code ON proofs (site, code) WHERE state = 'open';
CREATE UNIQUE INDEX proofs_terminal ON proofs (terminal) WHERE state = 'open';
CREATE INDEX proofs_site ON proofs (site, made);
CREATE INDEX proofs_visit ON proofs (terminal, visit);
CREATE INDEX proofs_until ON proofs (until);
CREATE TABLE duties (account TEXT PRIMARY KEY, site TEXT NOT NULL, since TEXT NOT NULL, seen TEXT NOT NULL, until TEXT NOT NULL);
CREATE INDEX duties_site ON duties (site);
CREATE TABLE proven (case_id TEXT NOT NULL, way TEXT NOT NULL, by_whom TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (case_id, way, by_whom));
ALTER TABLE tokens ADD COLUMN way TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN by_whom TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tokens DROP COLUMN by_whom; ALTER TABLE tokens DROP COLUMN way;
DROP TABLE proven; DROP TABLE duties; DROP TABLE proofs;
