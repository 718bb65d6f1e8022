-- +goose Up
-- E-bills of what was paid, and the red ones that cancel them: code, number, check code, time and address of each, '' while there is none.
CREATE TABLE bill_ebills (
	bill TEXT PRIMARY KEY, state TEXT NOT NULL, code TEXT NOT NULL, number TEXT NOT NULL, mark TEXT NOT NULL, at TEXT NOT NULL, url TEXT NOT NULL,
	red_code TEXT NOT NULL, red_number TEXT NOT NULL, red_mark TEXT NOT NULL, red_at TEXT NOT NULL, red_url TEXT NOT NULL,
	doubt BIGINT NOT NULL, acts BIGINT NOT NULL, looks BIGINT NOT NULL, due TEXT NOT NULL, since TEXT NOT NULL, heard TEXT NOT NULL, refusal TEXT NOT NULL
);
-- An older server that writes a bill counts its e-bill out of bills.due.
CREATE INDEX bill_ebills_due ON bill_ebills (due) WHERE due <> '';
-- Who comes back for e-bills may be the guardian who applied; a day's bills are compared with their e-bills.
CREATE INDEX cards_applicant ON cards (kind, applicant, made);
CREATE INDEX bills_paid ON bills (paid) WHERE paid <> '';

-- +goose Down
DROP INDEX bills_paid; DROP INDEX cards_applicant; DROP TABLE bill_ebills;
