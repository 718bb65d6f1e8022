-- +goose Up
-- Bills with their orders, payments and refunds at channels. due is when somebody must look next, '' never; owner and until are
-- the lease of the server that does.
CREATE TABLE bills (
	number TEXT PRIMARY KEY, case_id TEXT NOT NULL, terminal TEXT NOT NULL, item TEXT NOT NULL, channel TEXT NOT NULL, amount BIGINT NOT NULL,
	reason TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, made TEXT NOT NULL, expires TEXT NOT NULL, paid TEXT NOT NULL,
	due TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', until TEXT NOT NULL DEFAULT ''
);
CREATE INDEX bills_case ON bills (case_id, made, number);
CREATE INDEX bills_due ON bills (due) WHERE due <> '';
CREATE TABLE bill_attempts (
	number TEXT PRIMARY KEY, bill TEXT NOT NULL, state TEXT NOT NULL, qr TEXT NOT NULL, doubt BIGINT NOT NULL, acts BIGINT NOT NULL,
	looks BIGINT NOT NULL, due TEXT NOT NULL, made TEXT NOT NULL, code TEXT NOT NULL
);
CREATE INDEX bill_attempts_bill ON bill_attempts (bill, number);
CREATE TABLE bill_payments (
	channel TEXT NOT NULL, txn TEXT NOT NULL, bill TEXT NOT NULL, n BIGINT NOT NULL, attempt TEXT NOT NULL, amount BIGINT NOT NULL,
	at TEXT NOT NULL, day TEXT NOT NULL, seen TEXT NOT NULL, used TEXT NOT NULL, PRIMARY KEY (channel, txn)
);
CREATE INDEX bill_payments_bill ON bill_payments (bill, n);
CREATE INDEX bill_payments_day ON bill_payments (day, channel);
CREATE TABLE bill_refunds (
	number TEXT PRIMARY KEY, bill TEXT NOT NULL, n BIGINT NOT NULL, txn TEXT NOT NULL, attempt TEXT NOT NULL, amount BIGINT NOT NULL,
	why TEXT NOT NULL, state TEXT NOT NULL, doubt BIGINT NOT NULL, acts BIGINT NOT NULL, looks BIGINT NOT NULL, due TEXT NOT NULL,
	made TEXT NOT NULL, code TEXT NOT NULL
);
CREATE INDEX bill_refunds_bill ON bill_refunds (bill, n);
CREATE TABLE bill_matters (
	bill TEXT NOT NULL, n BIGINT NOT NULL, kind TEXT NOT NULL, ref TEXT NOT NULL, opened TEXT NOT NULL, ended TEXT NOT NULL,
	how TEXT NOT NULL, by_whom TEXT NOT NULL, PRIMARY KEY (bill, n)
);
CREATE INDEX bill_matters_open ON bill_matters (opened) WHERE ended = '';
CREATE TABLE statements (
	channel TEXT NOT NULL, day TEXT NOT NULL, made TEXT NOT NULL, differences TEXT NOT NULL, PRIMARY KEY (channel, day)
);

-- +goose Down
DROP TABLE statements; DROP TABLE bill_matters; DROP TABLE bill_refunds; DROP TABLE bill_payments; DROP TABLE bill_attempts; DROP TABLE bills;
