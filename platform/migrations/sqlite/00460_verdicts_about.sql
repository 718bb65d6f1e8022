-- +goose Up
-- What was said of one thing before, for whoever says something of it now; and what was decided last.
CREATE INDEX verdicts_about ON verdicts (kind, ref, made);
DROP INDEX verdicts_made;
CREATE INDEX verdicts_ended ON verdicts (ended) WHERE state <> 'open';

-- +goose Down
DROP INDEX verdicts_ended;
CREATE INDEX verdicts_made ON verdicts (made);
DROP INDEX verdicts_about;
