package platform

// The store's SQL for what servers must know of each other.

import (
	"errors"
	"time"
)

func (t *sqlTx) UseNonce(id string, until time.Time) (bool, error) {
	n, err := t.affected(`INSERT INTO nonces (id, until) VALUES (?,?) ON CONFLICT DO NOTHING`, id, when(until))
	return n == 1, err
}

func (t *sqlTx) Hit(key string, now, until time.Time) (n int, err error) {
	at := when(now)
	err = t.row(`INSERT INTO limits (key, n, until) VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET
		n = CASE WHEN limits.until <= ? THEN 1 ELSE limits.n + 1 END,
		until = CASE WHEN limits.until <= ? THEN excluded.until ELSE limits.until END RETURNING n`, []any{key, when(until), at, at}, &n)
	return n, err
}

func (t *sqlTx) Unhit(key string) error {
	return t.exec(`UPDATE limits SET n = n - 1 WHERE key = ? AND n > 0`, key)
}

func (t *sqlTx) Forgive(key string) error { return t.exec(`DELETE FROM limits WHERE key = ?`, key) }

func (t *sqlTx) Claim(key, owner string, now, until time.Time) (bool, error) {
	n, err := t.affected(`INSERT INTO claims (key, owner, until) VALUES (?,?,?) ON CONFLICT (key) DO UPDATE SET
		owner = excluded.owner, until = excluded.until WHERE claims.until <= ?`, key, owner, when(until), when(now))
	return n == 1, err
}

func (t *sqlTx) Release(key, owner string) error {
	return t.exec(`DELETE FROM claims WHERE key = ? AND owner = ?`, key, owner)
}

func (t *sqlTx) Mail(within time.Duration) (all []Mail, err error) {
	err = t.rows(`SELECT terminal, MAX(no) FROM inbox WHERE told > ? GROUP BY terminal`, []any{when(time.Now().Add(-within))},
		func(scan func(...any) error) error {
			var m Mail
			err := scan(&m.Terminal, &m.No)
			all = append(all, m)
			return err
		})
	return all, err
}

func (t *sqlTx) Sweep(before time.Time) (err error) {
	for _, table := range []string{"nonces", "limits", "claims", "codes", "tokens", "sessions", "proofs", "duties"} {
		old := before
		if table == "codes" {
			old = before.Add(-24 * time.Hour) // they are counted for a day
		}
		err = errors.Join(err, t.exec(`DELETE FROM `+table+` WHERE until < ?`, when(old)))
	}
	return err
}
