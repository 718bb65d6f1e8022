package uplink

// Files instead of a line: what waits goes out as one file, and what comes back moves the outbox by the same rules.

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// Errors of files, beside those of wire.
var (
	// ErrOtherFile: the file is sound, but not this terminal's or not of this direction.
	ErrOtherFile = errors.New("file is not for this terminal")
)

// metaExports counts exported files.
const metaExports = "uplink.exports"

// Files carries the outbox in files. It is used while no [Uplink] runs on the same journal.
type Files struct {
	Journal  *journal.Journal
	Identity *Identity
	Software string
	// Orders takes the messages that an ack file brings.
	Orders *Orders
}

// Exported says what a file holds.
type Exported struct {
	No      uint64            `json:"no"`
	Records map[wire.Lane]int `json:"records"`
	Blobs   int               `json:"blobs"`
	Bytes   int               `json:"bytes"`
	More    bool              `json:"more"` // what did not fit goes into the next file, after the ack of this one
}

// Export writes everything that waits, as far as it fits into limit bytes. It moves nothing: what was exported waits until
// its ack comes, and is exported again until then. who is the technician who asked for it; where is written into the audit
// chain ("fixed", "removable").
func (f Files) Export(w io.Writer, limit int, who, where string) (e Exported, err error) {
	if !f.Identity.Enrolled() {
		return e, ErrNotEnrolled
	}
	seal, err := f.sealKey()
	if err != nil {
		return e, err
	}
	taken, takenID, err := lastMessage(f.Journal)
	if err != nil {
		return e, err
	}
	if e.No, err = f.count(who, where); err != nil {
		return e, err
	}
	past, err := f.Journal.Past(wire.MaxPast)
	if err != nil {
		return e, err
	}
	lanes, err := f.Journal.Lanes()
	if err != nil {
		return e, err
	}
	h := wire.FileHeader{Kind: wire.FileBatches, Terminal: f.Identity.Terminal, No: e.No, Created: f.Journal.Now().UTC().Truncate(time.Millisecond),
		Software: f.Software, Epoch: lanes[0].Epoch, Inbox: taken, InboxID: takenID, Past: past}
	out, err := wire.NewFileWriter(w, h, seal)
	if err != nil {
		return e, err
	}
	limit = min(limit, wire.MaxFileBytes) - 4096 // leaves room for the signature
	e.Records = map[wire.Lane]int{}
	for _, l := range lanes {
		if err := f.lane(out, l, limit, &e); err != nil {
			return e, err
		}
	}
	if err := f.blobs(out, limit, &e); err != nil {
		return e, err
	}
	if err := out.Close(f.Identity.Sign); err != nil {
		return e, err
	}
	e.Bytes = out.Size()
	return e, nil
}

// count numbers the export and writes it down before the file exists: what left the machine is known, also when it
// broke off half way.
func (f Files) count(who, where string) (n uint64, err error) {
	if b, err := f.Journal.Meta(metaExports); err == nil && len(b) == 8 {
		n = binary.BigEndian.Uint64(b)
	}
	n++
	err = f.Journal.Update(func(tx *journal.Tx) error {
		if err := tx.SetMeta(metaExports, binary.BigEndian.AppendUint64(nil, n)); err != nil {
			return err
		}
		return tx.Audit(journal.EventOutboxExported, who, map[string]string{"no": fmt.Sprint(n), "medium": where})
	})
	return n, err
}

// lane adds a lane's batches. The size of a batch's plain JSON is a safe measure of what still fits.
func (f Files) lane(out *wire.FileWriter, l journal.LaneStatus, limit int, e *Exported) error {
	for next := l.Acked + 1; next <= l.Head; {
		records, gone, err := f.Journal.Range(l.Epoch, l.Lane, next, l.Head, wire.MaxBatchRecords, batchBytes)
		if err != nil {
			return err
		}
		if gone > 0 || len(records) == 0 {
			return nil // a platform that lost records asked for destroyed ones again; a new epoch goes on from there
		}
		b := wire.Batch{V: wire.Version, Terminal: f.Identity.Terminal, Epoch: l.Epoch, Lane: l.Lane, Records: records}
		if b.Signature, err = f.Identity.Sign(b.SigningBytes()); err != nil {
			return err
		}
		if raw, err := json.Marshal(b); err != nil {
			return err
		} else if out.Size()+len(raw)+64 > limit {
			e.More = true
			return nil
		}
		if err := out.Batch(b); err != nil {
			return err
		}
		e.Records[l.Lane] += len(records)
		next = records[len(records)-1].Seq + 1
	}
	return nil
}

func (f Files) blobs(out *wire.FileWriter, limit int, e *Exported) error {
	all, err := f.Journal.PendingBlobs()
	if err != nil {
		return err
	}
	for _, h := range all {
		data, err := f.Journal.Blob(h)
		if err != nil {
			return err
		}
		if out.Size()+len(data)+64 > limit {
			e.More = true
			continue
		}
		err = out.Blob(data)
		clear(data)
		if err != nil {
			return err
		}
		e.Blobs++
	}
	return nil
}

// Imported says what an ack file changed.
type Imported struct {
	No       uint64            `json:"no"`
	Acked    map[wire.Lane]int `json:"acked"`
	Blobs    int               `json:"blobs"`
	Orders   int               `json:"orders"`
	Epoch    uint32            `json:"epoch,omitempty"`    // that was begun because the platform knows another history
	Rewound  []wire.Lane       `json:"rewound,omitempty"`  // that the platform lost records of: they wait again
	Refused  []wire.Lane       `json:"refused,omitempty"`  // whose ack does not fit our chain
	Lacking  int               `json:"lacking,omitempty"`  // pictures that the platform lost: they wait again
	Outdated bool              `json:"outdated,omitempty"` // a later file was exported since
	Ahead    bool              `json:"ahead,omitempty"`    // it answers a file that this disk never wrote: the disk was set back, or is a clone
}

// Import takes an ack file. Each lane moves only when the acknowledged hash is its own, as over the line; a file that comes
// twice, late or out of order changes nothing that it may not.
func (f Files) Import(ctx context.Context, r io.Reader, who string) (i Imported, err error) {
	if !f.Identity.Enrolled() {
		return i, ErrNotEnrolled
	}
	file, err := wire.ReadFile(r)
	if err != nil {
		return i, err
	}
	switch {
	case file.Kind != wire.FileAcks:
		return i, fmt.Errorf("%w: it holds %.20q, expected acks; the file for the platform was taken by mistake?", ErrOtherFile, file.Kind)
	case file.Terminal != f.Identity.Terminal:
		return i, fmt.Errorf("%w: it is for %.40q, this is %s", ErrOtherFile, file.Terminal, f.Identity.Terminal)
	}
	if err := f.Identity.verify(file.Signed, file.Signature); err != nil {
		return i, fmt.Errorf("ack file: %w: changed on its way, or not of this terminal's platform", err)
	}
	acks, messages, err := file.Answers()
	if err != nil {
		return i, err
	}
	i.No = file.No
	wrote := uint64(0)
	if b, err := f.Journal.Meta(metaExports); err == nil && len(b) == 8 {
		wrote = binary.BigEndian.Uint64(b)
	}
	i.Outdated, i.Ahead = file.No != wrote, file.No > wrote
	// The platform signed when it wrote the file, and that has been.
	if err := f.Journal.TrustFloor(file.Created); err != nil {
		return i, err
	}
	if err := f.acks(acks, &i); err != nil {
		return i, err
	}
	if err := f.compare(file, &i); err != nil {
		return i, err
	}
	for _, h := range file.Blobs {
		err := f.Journal.BlobSent(h)
		if err == nil {
			i.Blobs++
		} else if !errors.Is(err, journal.ErrNotFound) {
			return i, err
		}
	}
	for _, a := range acks {
		for _, h := range a.Lacking {
			lost, err := f.Journal.BlobLost(h)
			if err != nil {
				return i, err
			}
			if lost {
				i.Lacking++
			}
		}
	}
	if err := f.messages(ctx, messages, &i); err != nil {
		return i, err
	}
	return i, f.Journal.Update(func(tx *journal.Tx) error {
		return tx.Audit(journal.EventOutboxAcksImported, who, map[string]string{"no": fmt.Sprint(i.No)})
	})
}

func (f Files) acks(all []wire.Ack, i *Imported) error {
	i.Acked = map[wire.Lane]int{}
	for _, a := range all {
		if err := f.Identity.verify(a.SigningBytes(), a.Signature); err != nil {
			return fmt.Errorf("ack of %.20s: %w", a.Lane, err)
		}
		before, err := f.waiting(a.Lane)
		if err != nil {
			return err
		}
		err = f.Journal.Acked(a)
		switch {
		case errors.Is(err, journal.ErrFork):
			i.Refused = append(i.Refused, a.Lane)
			continue
		case errors.Is(err, journal.ErrState):
			continue // of an epoch that is over
		case err != nil:
			return err
		}
		after, err := f.waiting(a.Lane)
		if err != nil {
			return err
		}
		i.Acked[a.Lane] += int(before - after)
	}
	return nil
}

func (f Files) waiting(lane wire.Lane) (uint64, error) {
	all, err := f.Journal.Lanes()
	for _, l := range all {
		if l.Lane == lane {
			return l.Waiting, err
		}
	}
	return 0, err
}

// compare acts on where the platform stands: a higher epoch is begun; a platform that lost records gets them again, which
// only the answer to the latest file may ask for.
func (f Files) compare(file *wire.File, i *Imported) error {
	lanes, err := f.Journal.Lanes()
	if err != nil || len(lanes) == 0 {
		return err
	}
	if file.Epoch > lanes[0].Epoch {
		i.Epoch = file.Epoch
		return f.Journal.NewEpochForked(file.Epoch, file.Want, file.Held)
	}
	if file.Epoch < lanes[0].Epoch || i.Outdated {
		return nil
	}
	for _, l := range lanes {
		p := file.Lanes[l.Lane]
		if p.Seq >= l.Acked {
			continue
		}
		switch err := f.Journal.Rewind(l.Lane, p); {
		case errors.Is(err, journal.ErrFork), errors.Is(err, journal.ErrNotFound):
			i.Epoch = l.Epoch + 1
			return f.Journal.NewEpoch(i.Epoch)
		case err != nil:
			return err
		}
		i.Rewound = append(i.Rewound, l.Lane)
	}
	return nil
}

func (f Files) messages(ctx context.Context, all []wire.Message, i *Imported) error {
	if f.Orders == nil {
		return nil
	}
	for _, m := range all {
		if err := f.Identity.verify(m.SigningBytes(f.Identity.Terminal), m.Signature); err != nil {
			return fmt.Errorf("message %d: %w", m.No, err)
		}
	}
	last, _, err := lastMessage(f.Journal)
	if err != nil {
		return err
	}
	t := taker{journal: f.Journal, now: f.Orders.now, message: f.Orders.Message, expired: f.Orders.Expired}
	now, err := t.take(ctx, last, all)
	i.Orders = int(now - last)
	return err
}

// sealKey is the platform's X25519 key, as enrolment left it.
func (f Files) sealKey() ([]byte, error) {
	if !f.Identity.Enrolled() {
		return nil, ErrNotEnrolled
	}
	if k := f.Identity.SealKey(); len(k) > 0 {
		return k, nil
	}
	return nil, errors.New("enrolment: the platform named no key to seal to; enrol again")
}
