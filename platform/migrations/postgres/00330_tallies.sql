-- +goose Up
-- What the overview counts, by terminal, so that nobody counts whole tables and terminals do not meet in one row.
CREATE TABLE tallies (
	terminal TEXT PRIMARY KEY, records BIGINT NOT NULL, quarantined BIGINT NOT NULL, cases BIGINT NOT NULL, ratings BIGINT NOT NULL,
	documents BIGINT NOT NULL
) WITH (fillfactor = 50);
INSERT INTO tallies (terminal, records, quarantined, cases, ratings, documents)
	SELECT terminal, SUM(records), SUM(quarantined), SUM(cases), SUM(ratings), SUM(documents) FROM (
		SELECT terminal, COUNT(*) AS records, SUM(CASE WHEN outcome = 'quarantined' THEN 1 ELSE 0 END) AS quarantined,
			SUM(CASE WHEN type = 'case.opened' AND outcome = 'accepted' THEN 1 ELSE 0 END) AS cases, 0 AS ratings, 0 AS documents
			FROM records GROUP BY terminal
		UNION ALL SELECT terminal, 0, 0, 0, COUNT(*), 0 FROM ratings WHERE level <> '' GROUP BY terminal
		UNION ALL SELECT terminal, 0, 0, 0, 0, COUNT(*) FROM documents GROUP BY terminal
	) AS counted GROUP BY terminal;

-- +goose Down
DROP TABLE tallies;
