package journal

// The audit chain: what may be written into it.

import "github.com/budayang/kiosk/sync/wire"

// Event names one kind of line of the audit chain; the constants are in events_gen.go.
type Event = wire.Event

// Audit adds a line to the audit chain. who is an operator's id, "citizen", "system", "platform" or "technician". What the
// event catalogue does not hold, or not with such fields, is refused with [wire.ErrEvent]: there is no field into which
// personal data would fit.
func (tx *Tx) Audit(event Event, who string, fields map[string]string) error {
	entry := wire.AuditEntry{Event: event, Who: who, Fields: fields, At: tx.j.now()}
	if err := entry.Check(); err != nil {
		return err
	}
	_, err := tx.Emit(wire.LaneAudit, fields["case"], wire.TypeAudit, 1, entry)
	return err
}
