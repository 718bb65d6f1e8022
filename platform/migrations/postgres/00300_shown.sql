-- +goose Up
-- How far a terminal's lanes had come when it was last heard of.
ALTER TABLE terminals ADD COLUMN shown TEXT NOT NULL DEFAULT '{}';
CREATE INDEX security_events_at ON security_events (at);

-- +goose Down
DROP INDEX security_events_at;
ALTER TABLE terminals DROP COLUMN shown;
