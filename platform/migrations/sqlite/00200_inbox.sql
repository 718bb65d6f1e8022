-- +goose Up
CREATE TABLE orders (
	terminal TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, no BIGINT NOT NULL, sent_by TEXT NOT NULL,
	sent TEXT NOT NULL, expires TEXT NOT NULL, revision BIGINT NOT NULL, status TEXT NOT NULL, detail TEXT NOT NULL,
	blob TEXT NOT NULL, ended TEXT NOT NULL, PRIMARY KEY (terminal, id)
);
CREATE INDEX orders_open ON orders (terminal, status);
CREATE TABLE releases (
	kind TEXT NOT NULL, terminal TEXT NOT NULL, revision BIGINT NOT NULL, body TEXT NOT NULL, made_by TEXT NOT NULL,
	made TEXT NOT NULL, PRIMARY KEY (kind, terminal, revision)
);
CREATE TABLE working (
	terminal TEXT PRIMARY KEY, config BIGINT NOT NULL, items BIGINT NOT NULL, notices BIGINT NOT NULL, paused BIGINT NOT NULL,
	inbox BIGINT NOT NULL
);
CREATE TABLE leases (case_id TEXT PRIMARY KEY, terminal TEXT NOT NULL, token BIGINT NOT NULL, granted TEXT NOT NULL);
CREATE INDEX cases_receipt ON cases (receipt_code);
CREATE TABLE parts (
	terminal TEXT NOT NULL, hash TEXT NOT NULL, begins BIGINT NOT NULL, body BLOB NOT NULL, length BIGINT NOT NULL,
	touched TEXT NOT NULL, PRIMARY KEY (terminal, hash, begins)
);

-- +goose Down
DROP TABLE parts; DROP INDEX cases_receipt;
DROP TABLE leases; DROP TABLE working; DROP TABLE releases; DROP TABLE orders;
