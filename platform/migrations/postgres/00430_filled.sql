-- +goose Up
-- Terminals of which records came out of their order: what comes behind them may be older than what is held.
ALTER TABLE terminals ADD COLUMN filled BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE terminals DROP COLUMN filled;
