-- +goose Up
CREATE TABLE enrol_codes (
	terminal TEXT PRIMARY KEY, key BLOB NOT NULL, made TEXT NOT NULL, until TEXT NOT NULL, tries BIGINT NOT NULL,
	used_by TEXT NOT NULL, who TEXT NOT NULL
);
CREATE TABLE standings (
	terminal TEXT PRIMARY KEY, state TEXT NOT NULL, profile TEXT NOT NULL, since TEXT NOT NULL, who TEXT NOT NULL,
	why TEXT NOT NULL, next_key BLOB NOT NULL, next_profile TEXT NOT NULL, next_cert TEXT NOT NULL
);
CREATE TABLE certificates (
	fingerprint TEXT PRIMARY KEY, terminal TEXT NOT NULL, keys TEXT NOT NULL, valid_from TEXT NOT NULL,
	valid_until TEXT NOT NULL, withdrawn TEXT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX certificates_terminal ON certificates (terminal, valid_from);
CREATE TABLE security_events (
	id TEXT PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, terminal TEXT NOT NULL, peer TEXT NOT NULL, code TEXT NOT NULL,
	route TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, count BIGINT NOT NULL
);

-- +goose Down
DROP TABLE security_events; DROP TABLE certificates; DROP TABLE standings; DROP TABLE enrol_codes;
