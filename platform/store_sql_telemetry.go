package platform

// The store's SQL for telemetry.

import "encoding/json"

const sampleColumns = `terminal, epoch, seq, wall, received, lost, body`

func scanSample(scan func(...any) error) (r SampleRow, err error) {
	var wall, received, body string
	if err := scan(&r.Terminal, &r.Epoch, &r.Seq, &wall, &received, &r.Lost, &body); err != nil {
		return r, err
	}
	r.Wall, r.Received = at(wall), at(received)
	return r, json.Unmarshal([]byte(body), &r.Telemetry)
}

func (t *sqlTx) LatestSample(terminal string) (SampleRow, error) {
	return scanSample(func(into ...any) error {
		return t.row(`SELECT `+sampleColumns+` FROM latest_samples WHERE terminal = ?`, []any{terminal}, into...)
	})
}

func (t *sqlTx) samples(q string, args ...any) (all []SampleRow, err error) {
	err = t.rows(q, args, func(scan func(...any) error) error {
		r, err := scanSample(scan)
		all = append(all, r)
		return err
	})
	return all, err
}

func (t *sqlTx) LatestSamples() ([]SampleRow, error) {
	return t.samples(`SELECT ` + sampleColumns + ` FROM latest_samples ORDER BY terminal`)
}

func (t *sqlTx) Samples(terminal string, newest int) ([]SampleRow, error) {
	return t.samples(`SELECT `+sampleColumns+` FROM samples WHERE terminal = ? ORDER BY epoch DESC, seq DESC LIMIT ?`, terminal, newest)
}

var putSamples = bulk{"samples", sampleColumns, "tiittit", `ON CONFLICT DO NOTHING`}

func (t *sqlTx) PutSamples(rs []SampleRow, keep uint64) error {
	if len(rs) == 0 {
		return nil
	}
	rows := make([][]any, len(rs))
	for i, r := range rs {
		body, err := json.Marshal(r.Telemetry)
		if err != nil {
			return err
		}
		rows[i] = []any{r.Terminal, int64(r.Epoch), int64(r.Seq), when(r.Wall), when(r.Received), int64(r.Lost), string(body)}
	}
	if err := t.many(putSamples, rows); err != nil {
		return err
	}
	last := rs[len(rs)-1]
	if err := t.exec(`INSERT INTO latest_samples (`+sampleColumns+`) VALUES (?,?,?,?,?,?,?) ON CONFLICT (terminal) DO UPDATE SET
		epoch = excluded.epoch, seq = excluded.seq, wall = excluded.wall, received = excluded.received, lost = excluded.lost, body = excluded.body`,
		rows[len(rows)-1]...); err != nil {
		return err
	}
	behind := uint64(0)
	if last.Seq > keep {
		behind = last.Seq - keep
	}
	return t.exec(`DELETE FROM samples WHERE terminal = ? AND (epoch <> ? OR seq <= ?)`, last.Terminal, int64(last.Epoch), int64(behind))
}
