-- +goose Up
-- Blanks of which a person must say what became of them, and what two people decided.
CREATE TABLE blank_doubts (
	terminal TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, number TEXT NOT NULL, case_id TEXT NOT NULL, state TEXT NOT NULL,
	since TEXT NOT NULL, PRIMARY KEY (terminal, kind, id)
);
CREATE INDEX blank_doubts_open ON blank_doubts (since) WHERE state IN ('in-doubt', 'retained');
CREATE TABLE verdicts (
	id TEXT PRIMARY KEY, kind TEXT NOT NULL, ref TEXT NOT NULL, seen TEXT NOT NULL, act TEXT NOT NULL, money TEXT NOT NULL, why TEXT NOT NULL,
	by_whom TEXT NOT NULL, made TEXT NOT NULL, second TEXT NOT NULL, ended TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL
);
CREATE UNIQUE INDEX verdicts_open ON verdicts (kind, ref) WHERE state = 'open';
CREATE INDEX verdicts_made ON verdicts (made);

-- +goose Down
DROP TABLE verdicts; DROP TABLE blank_doubts;
