-- +goose Up
-- Applications for cards that are made at terminals. person and applicant are hashes of identity numbers; what is personal is sealed
-- to the platform's seal key, in card_secrets.
CREATE TABLE cards (
	key TEXT PRIMARY KEY, kind TEXT NOT NULL, number TEXT NOT NULL UNIQUE, receipt TEXT NOT NULL, terminal TEXT NOT NULL, person TEXT NOT NULL,
	applicant TEXT NOT NULL, masked TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL, rev BIGINT NOT NULL, ended BIGINT NOT NULL,
	why TEXT NOT NULL, by_whom TEXT NOT NULL, checks TEXT NOT NULL, profile TEXT NOT NULL, agreed BIGINT NOT NULL, blank TEXT NOT NULL,
	made TEXT NOT NULL, decided TEXT NOT NULL, changed TEXT NOT NULL, valid_until TEXT NOT NULL, erased TEXT NOT NULL
);
CREATE INDEX cards_person ON cards (kind, person, made);
CREATE INDEX cards_state ON cards (state, made);
CREATE INDEX cards_kept ON cards (state, changed) WHERE erased = '';
CREATE TABLE card_secrets (
	key TEXT NOT NULL, what TEXT NOT NULL, sealed BYTEA NOT NULL, PRIMARY KEY (key, what)
);
-- A blank's number is permitted to one case for ever.
CREATE TABLE permits (
	kind TEXT NOT NULL, blank TEXT NOT NULL, card TEXT NOT NULL, id TEXT NOT NULL, terminal TEXT NOT NULL, given TEXT NOT NULL,
	expires TEXT NOT NULL, starts TEXT NOT NULL, PRIMARY KEY (kind, blank)
);
CREATE INDEX permits_card ON permits (card);

-- +goose Down
DROP TABLE permits; DROP TABLE card_secrets; DROP TABLE cards;
