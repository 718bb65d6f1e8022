-- +goose Up
-- E-bills of what was paid, and the red ones that cancel them: code, number, check code, time and address of each, '' while there is none.
CREATE TABLE bill_ebills (
	bill TEXT PRIMARY KEY, state TEXT NOT NULL, code TEXT NOT NULL, number TEXT NOT NULL, mark TEXT NOT NULL, at TEXT NOT NULL, url TEXT NOT NULL,
	red_code TEXT NOT NULL, red_number TEXT NOT NULL, red_mark TEXT NOT NULL, red_at TEXT NOT NULL, red_url TEXT NOT NULL,
	doubt BIGINT NOT NULL, acts BIGINT NOT NULL, looks BIGINT NOT NULL, due TEXT NOT NULL, since TEXT NOT NULL, heard TEXT NOT NULL, refusal TEXT NOT NULL
);

-- +goose Down
DROP TABLE bill_ebills;
