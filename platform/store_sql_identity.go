package platform

// The store's SQL for identities.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// moment0 is how a time that is not set stands in the store.
func moment0(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return when(t)
}

func (t *sqlTx) EnrolCode(terminal string) (c EnrolCode, err error) {
	var made, until string
	err = t.row(`SELECT terminal, key, made, until, tries, used_by, who FROM enrol_codes WHERE terminal = ?`, []any{terminal},
		&c.Terminal, &c.Key, &made, &until, &c.Tries, &c.UsedBy, &c.Who)
	c.Made, c.Until = at(made), at(until)
	return c, err
}

func (t *sqlTx) PutEnrolCode(c EnrolCode) error {
	return t.exec(`INSERT INTO enrol_codes (terminal, key, made, until, tries, used_by, who) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (terminal) DO UPDATE SET key = excluded.key, made = excluded.made, until = excluded.until,
		tries = excluded.tries, used_by = excluded.used_by, who = excluded.who`,
		c.Terminal, c.Key, when(c.Made), when(c.Until), c.Tries, c.UsedBy, c.Who)
}

func (t *sqlTx) Standing(terminal string) (s Standing, err error) {
	var since, profile, next string
	err = t.row(`SELECT terminal, state, profile, since, who, why, next_key, next_profile, next_cert FROM standings WHERE terminal = ?`,
		[]any{terminal}, &s.Terminal, &s.State, &profile, &since, &s.Who, &s.Why, &s.NextKey, &next, &s.NextCert)
	s.Since, s.Profile, s.NextProfile = at(since), wire.Profile(profile), wire.Profile(next)
	return s, err
}

func (t *sqlTx) PutStanding(s Standing) error {
	next := s.NextKey
	if next == nil {
		next = []byte{}
	}
	return t.exec(`INSERT INTO standings (terminal, state, profile, since, who, why, next_key, next_profile, next_cert)
		VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (terminal) DO UPDATE SET state = excluded.state, profile = excluded.profile,
		since = excluded.since, who = excluded.who, why = excluded.why, next_key = excluded.next_key,
		next_profile = excluded.next_profile, next_cert = excluded.next_cert`,
		s.Terminal, s.State, string(s.Profile), when(s.Since), s.Who, s.Why, next, string(s.NextProfile), s.NextCert)
}

const certificateColumns = `fingerprint, terminal, keys, valid_from, valid_until, withdrawn, why`

func scanCertificate(scan func(...any) error) (c CertificateRow, err error) {
	var from, until, withdrawn string
	err = scan(&c.Fingerprint, &c.Terminal, &c.Keys, &from, &until, &withdrawn, &c.Why)
	c.From, c.Until, c.Withdrawn = at(from), at(until), at(withdrawn)
	return c, err
}

func (t *sqlTx) Certificate(fingerprint string) (CertificateRow, error) {
	return scanCertificate(func(into ...any) error {
		return t.row(`SELECT `+certificateColumns+` FROM certificates WHERE fingerprint = ?`, []any{fingerprint}, into...)
	})
}

func (t *sqlTx) PutCertificate(c CertificateRow) error {
	return t.exec(`INSERT INTO certificates (`+certificateColumns+`) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (fingerprint) DO UPDATE SET withdrawn = excluded.withdrawn, why = excluded.why`,
		c.Fingerprint, c.Terminal, c.Keys, when(c.From), when(c.Until), moment0(c.Withdrawn), c.Why)
}

func (t *sqlTx) Certificates(terminal string) (all []CertificateRow, err error) {
	err = t.rows(`SELECT `+certificateColumns+` FROM certificates WHERE terminal = ? ORDER BY valid_from, fingerprint`, []any{terminal},
		func(scan func(...any) error) error {
			c, err := scanCertificate(scan)
			all = append(all, c)
			return err
		})
	return all, err
}

func (t *sqlTx) AddSecurityEvent(e SecurityEvent) error {
	return t.exec(`INSERT INTO security_events (id, at, event, terminal, peer, code, route, who, why, count) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		e.ID, when(e.At), e.Event, e.Terminal, e.Peer, e.Code, e.Route, e.Who, e.Why, e.Count)
}

func (t *sqlTx) SecurityEvents(newest int) (all []SecurityEvent, err error) {
	err = t.rows(`SELECT id, at, event, terminal, peer, code, route, who, why, count FROM security_events ORDER BY id DESC LIMIT ?`,
		[]any{newest}, func(scan func(...any) error) error {
			var e SecurityEvent
			var moment string
			err := scan(&e.ID, &moment, &e.Event, &e.Terminal, &e.Peer, &e.Code, &e.Route, &e.Who, &e.Why, &e.Count)
			e.At = at(moment)
			all = append(all, e)
			return err
		})
	return all, err
}

func (t *sqlTx) CountSecurityEvents() (refusals, others int, err error) {
	err = t.row(`SELECT COALESCE(SUM(CASE WHEN event = 'refused' THEN 1 ELSE 0 END), 0), COUNT(*) FROM security_events`, nil, &refusals, &others)
	return refusals, others - refusals, err
}

func (t *sqlTx) DropSecurityEvents(before time.Time, refusals, others int) (n int, err error) {
	for _, q := range []struct {
		where string
		args  []any
	}{
		{`at < ? ORDER BY at LIMIT ?`, []any{when(before), DropMost}},
		{`event = 'refused' ORDER BY id LIMIT ?`, []any{min(refusals, DropMost)}},
		{`event <> 'refused' ORDER BY id LIMIT ?`, []any{min(others, DropMost)}},
	} {
		if q.args[len(q.args)-1] == 0 {
			continue
		}
		gone, err := t.affected(`DELETE FROM security_events WHERE id IN (SELECT id FROM security_events WHERE `+q.where+`)`, q.args...)
		if n += int(gone); err != nil {
			return n, err
		}
	}
	return n, nil
}
