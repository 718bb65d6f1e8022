-- +goose Up
CREATE TABLE latest_samples (
	terminal TEXT PRIMARY KEY, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, wall TEXT NOT NULL, received TEXT NOT NULL, lost BIGINT NOT NULL,
	body TEXT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE samples (
	terminal TEXT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, wall TEXT NOT NULL, received TEXT NOT NULL, lost BIGINT NOT NULL,
	body TEXT NOT NULL, PRIMARY KEY (terminal, epoch, seq)
);

-- +goose Down
DROP TABLE samples; DROP TABLE latest_samples;
