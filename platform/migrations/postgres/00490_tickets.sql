-- +goose Up
-- Numbers of the hall's queue. They name nobody.
CREATE TABLE tickets (
	site TEXT NOT NULL, day TEXT NOT NULL, number TEXT NOT NULL, business TEXT NOT NULL, terminal TEXT NOT NULL, visit TEXT NOT NULL, reason TEXT NOT NULL,
	state TEXT NOT NULL, counter TEXT NOT NULL, by_whom TEXT NOT NULL, calls INTEGER NOT NULL, taken TEXT NOT NULL, called TEXT NOT NULL, ended TEXT NOT NULL,
	PRIMARY KEY (site, day, number)
);
CREATE UNIQUE INDEX tickets_visit ON tickets (day, terminal, visit, business);
CREATE INDEX tickets_state ON tickets (site, day, state, taken);

-- +goose Down
DROP TABLE tickets;
