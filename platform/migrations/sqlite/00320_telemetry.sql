-- +goose Up
CREATE TABLE latest_samples (
	terminal TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, wall TEXT NOT NULL, received TEXT NOT NULL, lost INTEGER NOT NULL,
	body TEXT NOT NULL
);
CREATE TABLE samples (
	terminal TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, wall TEXT NOT NULL, received TEXT NOT NULL, lost INTEGER NOT NULL,
	body TEXT NOT NULL, PRIMARY KEY (terminal, epoch, seq)
);

-- +goose Down
DROP TABLE samples; DROP TABLE latest_samples;
