-- +goose Up
-- Which e-bills, and which red ones, were issued on a day: what is compared with the issuer's book.
CREATE INDEX bill_ebills_at ON bill_ebills (at);
CREATE INDEX bill_ebills_red_at ON bill_ebills (red_at);

-- +goose Down
DROP INDEX bill_ebills_red_at;
DROP INDEX bill_ebills_at;
