package platform

// Files instead of a line: batches come in, acks go out, by the same rules as over HTTPS.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrFile: a file cannot be taken; the message says why. Nothing of it was.
var ErrFile = errors.New("file refused")

// ImportReport says what a file brought.
type ImportReport struct {
	Terminal                         string
	No                               uint64
	Accepted, Duplicate, Quarantined int
	Blobs                            int
	Kept                             int         // of Accepted, those that do not continue what is held: kept, and their lanes not moved
	Gap                              []wire.Lane // records before the file's are missing here: the terminal will send them
	Fork                             bool        // the terminal's history differs from the one here: it is given a new epoch
	Outdated                         bool        // written in an epoch that is over
}

// Import takes a terminal's batch file and writes the ack file that answers it. Taking the same file again changes nothing and
// answers the same. The whole file is verified before anything of it is applied; each batch is one transaction, as over the
// line, so that a file that breaks off leaves a beginning that is complete.
func (s *Server) Import(ctx context.Context, in io.Reader, out io.Writer) (r ImportReport, err error) {
	if r, err = s.importFile(ctx, in, out); errors.Is(err, ErrFile) {
		s.cfg.Log.Warn("file refused", "terminal", r.Terminal, "error", err)
		s.keep(ctx, SecurityEvent{At: s.now(), Event: "refused", Code: CodeFile, Terminal: clip(r.Terminal, 40), Route: "import", Why: clip(err.Error(), 200)})
	}
	return r, err
}

// CodeFile is what the security event about a file that was refused has as its code.
const CodeFile = "E-FILE"

func (s *Server) importFile(ctx context.Context, in io.Reader, out io.Writer) (r ImportReport, err error) {
	f, err := wire.ReadFile(in)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrFile, err)
	}
	r.Terminal, r.No = f.Terminal, f.No
	if f.Kind != wire.FileBatches {
		return r, fmt.Errorf("%w: it holds %.20q, expected batches", ErrFile, f.Kind)
	}
	var t Terminal
	var st Standing
	var profile wire.Profile
	err = s.store.View(ctx, func(tx Tx) (err error) {
		if t, err = tx.Terminal(f.Terminal); err != nil {
			return err
		}
		if st, err = standing(tx, f.Terminal); err != nil {
			return err
		}
		profile, err = profileOf(tx, f.Terminal)
		return err
	})
	if errors.Is(err, ErrNoRow) {
		return r, fmt.Errorf("%w: terminal %.40q is not enrolled here", ErrFile, f.Terminal)
	}
	if err != nil {
		return r, err
	}
	if st.State != Active {
		return r, fmt.Errorf("%w: terminal %s was put out: %s", ErrFile, f.Terminal, st.State)
	}
	pub, _, err := wire.ParsePublicKey(t.PublicKey)
	if err != nil {
		return r, err
	}
	if !wire.Verify(pub, f.Signed, f.Signature) {
		return r, fmt.Errorf("%w: %w: changed on its way, or not written by terminal %s", ErrFile, wire.ErrSignature, f.Terminal)
	}
	// Everything is opened once before anything is applied.
	sound := func(b wire.Batch) error {
		if b.Terminal != f.Terminal {
			return fmt.Errorf("%w: a batch of terminal %.40q in a file of %s", ErrFile, b.Terminal, f.Terminal)
		}
		if _, err := checkBatch(b); err != nil {
			return fmt.Errorf("%w: batch: %w", ErrFile, err)
		}
		return nil
	}
	if err := f.Unsealed(s.keys.seal, sound, func([]byte) error { return nil }); err != nil {
		return r, fmt.Errorf("%w: %w", ErrFile, err)
	}
	i := importing{s: s, ctx: ctx, file: f, report: &r, profile: profile, acks: map[wire.Lane]wire.Ack{}, sent: map[wire.Lane][]wire.Hash{}}
	if err := f.Unsealed(s.keys.seal, i.batch, i.blob); err != nil {
		return r, err
	}
	return r, i.answer(out)
}

// importing is one file being taken.
type importing struct {
	s       *Server
	ctx     context.Context
	file    *wire.File
	report  *ImportReport
	profile wire.Profile
	acks    map[wire.Lane]wire.Ack
	blobs   []wire.Hash
	sent    map[wire.Lane][]wire.Hash // pictures that the acknowledged records speak of
	parted  bool                      // the file tells another history than the one that is held
}

func (i *importing) batch(b wire.Batch) error {
	ack, err := i.s.apply(i.ctx, b)
	switch {
	case errors.Is(err, errGap):
		if !slices.Contains(i.report.Gap, b.Lane) {
			i.report.Gap = append(i.report.Gap, b.Lane)
		}
		return i.keep(b)
	case errors.Is(err, errFork):
		// What it holds is kept first: the file is put away once the epoch is ordered, and the disk that wrote it may be gone.
		if err := i.keep(b); err != nil {
			return err
		}
		return i.forked(b)
	case errors.Is(err, errBatch):
		return fmt.Errorf("%w: a batch of lane %s is not signed by the terminal", ErrFile, b.Lane)
	case err != nil:
		return err
	}
	i.count(ack)
	i.acks[b.Lane] = ack
	i.sent[b.Lane] = append(i.sent[b.Lane], pictures(b)...)
	return nil
}

func (i *importing) count(ack wire.Ack) (accepted int) {
	for _, o := range ack.Outcomes {
		switch o.Status {
		case wire.Accepted:
			accepted++
		case wire.Duplicate:
			i.report.Duplicate++
		case wire.Quarantined:
			i.report.Quarantined++
		}
	}
	i.report.Accepted += accepted
	return accepted
}

// keep takes a batch that does not continue what is held, for the file may be its only copy: at its places where these are empty
// and the history is the same, else beside them. No lane moves, and nothing is acknowledged: a terminal that still has the records
// sends them again, and they are known by their ids.
func (i *importing) keep(b wire.Batch) error {
	from := uint64(0)
	ack, err := i.s.taking(i.ctx, b, func(tx Tx, c checked) (ack wire.Ack, err error) {
		from = 0
		err = errFork
		if b.Epoch != c.terminal.Epoch || b.Records[0].Seq > c.row.Seq+1 {
			err = fits(tx, b)
		}
		if err != nil {
			return ack, err
		}
		if ack.Outcomes, err = i.s.refillRecords(tx, b, c.hashes, c.owners); err != nil {
			return ack, err
		}
		c.terminal.Filled = c.terminal.Filled || anyAccepted(ack.Outcomes)
		return ack, tx.PutTerminal(c.terminal)
	})
	if errors.Is(err, errFork) {
		ack, err = i.s.taking(i.ctx, b, func(tx Tx, c checked) (ack wire.Ack, err error) {
			from = b.Records[0].Seq
			if ack.Outcomes, err = i.s.take(tx, b.Records, c.hashes, c.owners, true); err != nil {
				return ack, err
			}
			c.terminal.Filled = c.terminal.Filled || anyAccepted(ack.Outcomes)
			return ack, errors.Join(retell(tx, b.Records), tx.PutTerminal(c.terminal))
		})
	}
	if err != nil {
		return err
	}
	n := i.count(ack)
	i.report.Kept += n
	if from == 0 {
		return nil
	}
	i.parted = true
	if n == 0 {
		return nil // it was told when they came
	}
	return i.s.store.Update(i.ctx, func(tx Tx) error {
		held, err := tx.LastRecord(b.Terminal, b.Epoch, b.Lane)
		if err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: i.s.now(), Event: EventParted, Terminal: b.Terminal, Code: errFork.Code, Count: n,
			Why: fmt.Sprintf("file %d, lane %s, epoch %d: another history than ours from %d on, held here up to %d; what the file has of it is kept beside", i.file.No, b.Lane, b.Epoch, from, held)})
	})
}

// EventParted is the security event about a file that tells another history than the one that is held: a disk that was set back or
// cloned wrote it, or wrote what is held.
const EventParted = "history.parted"

// forked orders a new epoch when the file was written in the present one and tells another history; a file of an epoch that
// is over was written before the terminal heard of the new one.
func (i *importing) forked(b wire.Batch) error {
	return i.s.store.Update(i.ctx, func(tx Tx) error {
		t, err := tx.Terminal(b.Terminal)
		if err != nil {
			return err
		}
		if b.Epoch < t.Epoch {
			i.report.Outdated = !i.report.Fork
			return nil
		}
		i.report.Fork = true
		if t.Epoch = b.Epoch + 1; t.Epoch > wire.MaxEpoch {
			return errEpoch
		}
		return tx.PutTerminal(t)
	})
}

func (i *importing) blob(data []byte) error {
	h := wire.Hash(sha256.Sum256(data))
	i.blobs = append(i.blobs, h)
	made, err := i.s.cfg.Blobs.Put(i.ctx, h, data)
	if made {
		i.report.Blobs++
	}
	return err
}

// answer writes the ack file: acks, where the platform stands, and the inbox.
func (i *importing) answer(out io.Writer) error {
	h := wire.FileHeader{Kind: wire.FileAcks, Terminal: i.file.Terminal, No: i.file.No, Created: i.s.now(), Lanes: map[wire.Lane]wire.LanePoint{}, Blobs: i.blobs}
	for lane, all := range i.sent {
		a := i.acks[lane]
		a.Lacking = i.s.without(i.ctx, all) // what came with the file is here
		i.acks[lane] = a
	}
	var box []wire.Message
	err := i.s.telling(i.ctx, func(tx Tx) error {
		t, err := tx.Terminal(i.file.Terminal)
		if err != nil {
			return err
		}
		if h.Want, err = missing(tx, wire.Hello{Terminal: t.ID, Past: i.file.Past}); err != nil {
			return err
		}
		earlier := slices.ContainsFunc(h.Want, func(p wire.Place) bool { return p.Epoch != i.file.Epoch })
		if earlier && t.Epoch <= i.file.Epoch {
			if t.Epoch = i.file.Epoch + 1; t.Epoch > wire.MaxEpoch {
				return errEpoch
			}
			if err := tx.PutTerminal(t); err != nil {
				return err
			}
		}
		h.Epoch = t.Epoch
		if h.Held = nil; i.parted {
			if h.Held, err = i.held(tx); err != nil {
				return err
			}
		}
		for _, lane := range wire.Lanes {
			row, err := tx.Lane(t.ID, lane)
			if err != nil {
				return err
			}
			if row.Epoch == t.Epoch {
				h.Lanes[lane] = wire.LanePoint{Seq: row.Seq, Hash: row.Hash}
			}
		}
		if err := i.inbox(tx); err != nil {
			return err
		}
		all, err := tx.Inbox(t.ID, i.file.Inbox, 100)
		box = fitting(all)
		return err
	})
	if err != nil {
		return err
	}
	var whole bytes.Buffer // a file that breaks off half way is not one
	w, err := wire.NewFileWriter(&whole, h, nil)
	if err != nil {
		return err
	}
	for _, lane := range wire.Lanes {
		if a, is := i.acks[lane]; is {
			if err := w.Ack(a); err != nil {
				return err
			}
		}
	}
	for _, m := range box {
		if err := w.Message(m); err != nil {
			return err
		}
	}
	if err := w.Close(func(b []byte) ([]byte, error) { return i.s.keys.signature(i.profile, b) }); err != nil {
		return err
	}
	_, err = out.Write(whole.Bytes())
	return err
}

// held is how far each lane is held in the epoch of the file.
func (i *importing) held(tx Tx) (map[wire.Lane]uint64, error) {
	all := map[wire.Lane]uint64{}
	for _, lane := range wire.Lanes {
		seq, err := tx.LastRecord(i.file.Terminal, i.file.Epoch, lane)
		if err != nil {
			return nil, err
		}
		all[lane] = seq
	}
	return all, nil
}

// inbox notes which messages the terminal took, as a hello does. A file that comes late never takes a number back.
func (i *importing) inbox(tx Tx) error {
	w, err := tx.Working(i.file.Terminal)
	if err != nil || i.file.Inbox <= w.Inbox {
		return err
	}
	return i.s.greeted(tx, wire.Hello{Terminal: i.file.Terminal, Inbox: i.file.Inbox, InboxID: i.file.InboxID, Applied: &w.Applied, Paused: w.Paused})
}
