package main

// Verdicts of the platform's desk about blanks of which nobody knew.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// blank moves the ledger and the case as two people said. It is asked between two visits, as any order is: no motor turns meanwhile.
func (t *terminal) blank(_ context.Context, m wire.Message) (uplink.Doing, error) {
	var v wire.BlankVerdict
	if err := json.Unmarshal(m.Body, &v); err != nil || len(v.Why) > journal.MaxNote || !journal.Operator(v.By) || !journal.Operator(v.Second) || v.By == v.Second {
		return refusedOrder("body cannot be read, or two people do not stand behind it"), nil
	}
	verdict := desk.Verdict{ID: m.ID, Kind: v.Kind, Blank: v.ID, Number: v.Number, Case: v.Case, To: v.To, Money: v.Money, By: v.By, Second: v.Second, Why: []byte(v.Why)}
	told := ""
	err := t.journal.Update(func(tx *journal.Tx) (err error) { told, err = desk.Blank(tx, verdict); return err })
	switch {
	case errors.Is(err, desk.ErrBlank), errors.Is(err, desk.ErrNotNow), errors.Is(err, journal.ErrState):
		return refusedOrder("%v", err), nil
	case err != nil:
		return uplink.Doing{}, fmt.Errorf("blank: %w", err)
	}
	return doneOrder(fmt.Sprintf("blank is %s: %s", v.To, told)), nil
}
