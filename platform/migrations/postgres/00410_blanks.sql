-- +goose Up
-- Blank cards as terminals tell of them: every number is in one place.
CREATE TABLE blanks (
	kind TEXT NOT NULL, number TEXT NOT NULL, terminal TEXT NOT NULL, id TEXT NOT NULL, case_id TEXT NOT NULL, state TEXT NOT NULL,
	at TEXT NOT NULL, PRIMARY KEY (kind, number)
);
CREATE INDEX blanks_case ON blanks (case_id);

-- +goose Down
DROP TABLE blanks;
