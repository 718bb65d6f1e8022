package platform

// The store's SQL for members of staff who vouch for a person.

import (
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const proofColumns = `id, site, terminal, visit, citizen, masked, shown, code, made, until, tries, state, ended, by_whom, document, reason`

func (t *sqlTx) AddProof(p ProofRow) error {
	return t.once(`INSERT INTO proofs (`+proofColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, p.ID, p.Site, p.Terminal, p.Visit, p.Citizen, p.Masked, p.Shown,
		p.Code, when(p.Made), when(p.Until), p.Tries, string(p.State), maybe(p.Ended), p.By, p.Document, p.Reason)
}

func (t *sqlTx) PutProof(p ProofRow) error {
	n, err := t.affected(`UPDATE proofs SET tries = ?, state = ?, ended = ?, by_whom = ?, document = ?, reason = ? WHERE id = ?`,
		p.Tries, string(p.State), maybe(p.Ended), p.By, p.Document, p.Reason, p.ID)
	if err == nil && n == 0 {
		err = ErrNoRow
	}
	return err
}

func (t *sqlTx) proofs(q string, args ...any) (all []ProofRow, err error) {
	err = t.rows(`SELECT `+proofColumns+` FROM proofs `+q, args, func(scan func(...any) error) error {
		var p ProofRow
		var made, until, state, ended string
		err := scan(&p.ID, &p.Site, &p.Terminal, &p.Visit, &p.Citizen, &p.Masked, &p.Shown, &p.Code, &made, &until, &p.Tries, &state, &ended, &p.By, &p.Document, &p.Reason)
		p.Made, p.Until, p.State, p.Ended = at(made), at(until), wire.ProofState(state), at(ended)
		all = append(all, p)
		return err
	})
	return all, err
}

func (t *sqlTx) proof(q string, args ...any) (ProofRow, error) {
	all, err := t.proofs(q, args...)
	if err == nil && len(all) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return ProofRow{}, err
	}
	return all[0], nil
}

func (t *sqlTx) Proof(id string) (ProofRow, error) { return t.proof(`WHERE id = ?`, id) }

func (t *sqlTx) OpenProof(terminal string) (ProofRow, error) {
	return t.proof(`WHERE terminal = ? AND state = 'open'`, terminal)
}

func (t *sqlTx) ProofsAt(site string, newest int) ([]ProofRow, error) {
	return t.proofs(`WHERE site = ? ORDER BY made DESC, id DESC LIMIT ?`, site, newest)
}

func (t *sqlTx) ProofsOf(terminal, visit string) ([]ProofRow, error) {
	return t.proofs(`WHERE terminal = ? AND visit = ? ORDER BY made, id`, terminal, visit)
}

func (t *sqlTx) OverdueProofs(site string, now time.Time) ([]ProofRow, error) {
	return t.proofs(`WHERE site = ? AND state = 'open' AND until <= ? ORDER BY made, id`, site, when(now))
}

func (t *sqlTx) duties(q string, args ...any) (all []DutyRow, err error) {
	err = t.rows(`SELECT account, site, since, seen, until FROM duties `+q, args, func(scan func(...any) error) error {
		var d DutyRow
		var since, seen, until string
		err := scan(&d.Account, &d.Site, &since, &seen, &until)
		d.Since, d.Seen, d.Until = at(since), at(seen), at(until)
		all = append(all, d)
		return err
	})
	return all, err
}

func (t *sqlTx) Duty(account string) (DutyRow, error) {
	all, err := t.duties(`WHERE account = ?`, account)
	if err == nil && len(all) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return DutyRow{}, err
	}
	return all[0], nil
}

func (t *sqlTx) Duties(site string) ([]DutyRow, error) {
	return t.duties(`WHERE site = ? ORDER BY since, account`, site)
}

func (t *sqlTx) PutDuty(d DutyRow) error {
	return t.exec(`INSERT INTO duties (account, site, since, seen, until) VALUES (?,?,?,?,?) ON CONFLICT (account) DO UPDATE SET
		site = excluded.site, since = excluded.since, seen = excluded.seen, until = excluded.until`, d.Account, d.Site, when(d.Since), when(d.Seen), when(d.Until))
}

func (t *sqlTx) SeenDuty(account string, seen time.Time) error {
	return t.exec(`UPDATE duties SET seen = ? WHERE account = ?`, when(seen), account)
}

func (t *sqlTx) DropDuty(account string) error {
	return t.exec(`DELETE FROM duties WHERE account = ?`, account)
}

func (t *sqlTx) PutProven(p ProvenRow) error {
	err := t.once(`INSERT INTO proven (case_id, way, by_whom, at) VALUES (?,?,?,?)`, p.Case, p.Way, p.By, when(p.At))
	if errors.Is(err, ErrHeld) {
		err = nil
	}
	return err
}

func (t *sqlTx) Proven(caseID string) (all []ProvenRow, err error) {
	err = t.rows(`SELECT case_id, way, by_whom, at FROM proven WHERE case_id = ? ORDER BY at, way, by_whom`, []any{caseID}, func(scan func(...any) error) error {
		var p ProvenRow
		var when string
		err := scan(&p.Case, &p.Way, &p.By, &when)
		p.At = at(when)
		all = append(all, p)
		return err
	})
	return all, err
}
