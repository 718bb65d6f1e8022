-- +goose Up
-- Orders of one bill at several channels: where each is made, "" at the bill's.
ALTER TABLE bill_attempts ADD COLUMN channel TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE bill_attempts DROP COLUMN channel;
