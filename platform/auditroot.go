package platform

// One root a day over the audit chains of all terminals: where each of them ends, as leaves of a Merkle tree (RFC 6962), signed
// and chained to the root of the day before. Whoever keeps one line a day elsewhere, printed or at another office, can tell
// later whether anything before it was changed, by anybody, the platform's own operators included.

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/budayang/kiosk/sync/wire"
)

// AuditRoot is one day's root.
type AuditRoot struct {
	Day       string      `json:"day"` // that it closes, UTC, 2006-01-02
	At        time.Time   `json:"at"`
	Root      wire.Hash   `json:"root"`
	Prev      wire.Hash   `json:"prev"` // root of the one before; zero for the first
	Leaves    []AuditLeaf `json:"leaves"`
	Signature []byte      `json:"signature"` // by the platform's P-256 key, over SigningBytes
}

// AuditLeaf is where one terminal's audit chain ended.
type AuditLeaf struct {
	Terminal string `json:"terminal"`
	wire.EpochPoint
}

// SigningBytes is what the platform signs.
func (r AuditRoot) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-audit-root-v1\n%s\n%d\n%d\n%s\n%s\n", r.Day, r.At.UnixMilli(), len(r.Leaves), r.Root, r.Prev)
}

// Line is what is kept elsewhere.
func (r AuditRoot) Line() string {
	return fmt.Sprintf("%s %d terminals %s after %s", r.Day, len(r.Leaves), r.Root, hex.EncodeToString(r.Prev[:8]))
}

// treeOf is the root over leaves: each is terminal, epoch, sequence and hash. There is nothing personal in it, and the hash covers
// salted bodies only, so that what was erased stays erased.
func treeOf(leaves []AuditLeaf) (h wire.Hash, err error) {
	h256 := rfc6962.DefaultHasher
	if len(leaves) == 0 {
		copy(h[:], h256.EmptyRoot())
		return h, nil
	}
	tree := (&compact.RangeFactory{Hash: h256.HashChildren}).NewEmptyRange(0)
	for _, l := range leaves {
		leaf := fmt.Appendf(nil, "budayang-audit-leaf-v1\n%s\n%d\n%d\n%s\n", l.Terminal, l.Epoch, l.Seq, l.Hash)
		if err := tree.Append(h256.HashLeaf(leaf), nil); err != nil {
			return h, err
		}
	}
	root, err := tree.GetRootHash(nil)
	copy(h[:], root)
	return h, err
}

const auditRootDays = "audit/roots"

func auditRootOf(day string) string { return "audit/root/" + day }

func rootDays(tx Tx) (days []string, err error) {
	v, err := tx.Setting(auditRootDays)
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(v), &days)
	}
	return days, err
}

func rootOf(tx Tx, day string) (r AuditRoot, err error) {
	v, err := tx.Setting(auditRootOf(day))
	if err == nil {
		err = json.Unmarshal([]byte(v), &r)
	}
	return r, err
}

// closeDay makes the root of the day that is over, once, whichever server comes first.
func (s *Server) closeDay(ctx context.Context) error {
	now := s.now()
	day := now.AddDate(0, 0, -1).Format(time.DateOnly)
	closed := false
	err := s.store.View(ctx, func(tx Tx) error {
		days, err := rootDays(tx)
		closed = len(days) > 0 && days[len(days)-1] >= day
		return err
	})
	if err != nil || closed {
		return err
	}
	// Where the chains end is read first, and not in the transaction that keeps it: that would meet every terminal.
	r := AuditRoot{Day: day, At: now}
	err = s.store.View(ctx, func(tx Tx) error {
		r.Leaves = r.Leaves[:0]
		all, err := tx.Terminals()
		if err != nil {
			return err
		}
		for _, t := range all {
			row, err := tx.Lane(t.ID, wire.LaneAudit)
			if err != nil {
				return err
			}
			if row.Seq > 0 {
				r.Leaves = append(r.Leaves, AuditLeaf{t.ID, wire.EpochPoint{Epoch: row.Epoch, LanePoint: wire.LanePoint{Seq: row.Seq, Hash: row.Hash}}})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.Root, err = treeOf(r.Leaves); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		days, err := rootDays(tx)
		if err != nil || len(days) > 0 && days[len(days)-1] >= day {
			return err
		}
		r.Prev = wire.Hash{}
		if len(days) > 0 {
			last, err := rootOf(tx, days[len(days)-1])
			if err != nil {
				return err
			}
			r.Prev = last.Root
		}
		if r.Signature, err = s.keys.signature(wire.P256, r.SigningBytes()); err != nil {
			return err
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		list, err := json.Marshal(append(days, day))
		if err != nil {
			return err
		}
		return errors.Join(tx.PutSetting(auditRootOf(day), string(raw)), tx.PutSetting(auditRootDays, string(list)))
	})
}

// AuditRoots are the daily roots, oldest first, at most so many.
func AuditRoots(ctx context.Context, store Store, newest int) (all []AuditRoot, err error) {
	err = store.View(ctx, func(tx Tx) error {
		all = all[:0]
		days, err := rootDays(tx)
		if err != nil {
			return err
		}
		for _, day := range days[max(0, len(days)-newest):] {
			r, err := rootOf(tx, day)
			if err != nil {
				return fmt.Errorf("root of %s: %w", day, err)
			}
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

// VerifyAuditRoots says how many daily roots there are and what is wrong with them: a signature, the tree, the chain from day to
// day, a chain that was cut or changed since, or ends before where it had ended.
func VerifyAuditRoots(ctx context.Context, store Store, keys []*ecdsa.PublicKey) (count int, problems []string, err error) {
	var days []string
	if err := store.View(ctx, func(tx Tx) error { days, err = rootDays(tx); return err }); err != nil {
		return 0, nil, err
	}
	prev := wire.Hash{}
	for _, day := range days {
		bad := func(format string, a ...any) {
			problems = append(problems, "root of "+day+": "+fmt.Sprintf(format, a...))
		}
		err := store.View(ctx, func(tx Tx) error {
			r, err := rootOf(tx, day)
			if errors.Is(err, ErrNoRow) {
				bad("it is gone")
				return nil
			}
			if err != nil {
				bad("it cannot be read")
				return nil
			}
			if r.Day != day || !signedByOne(keys, r.SigningBytes(), r.Signature) {
				bad("its signature does not verify")
			}
			if root, err := treeOf(r.Leaves); err != nil || root != r.Root {
				bad("its leaves have another root")
			}
			if r.Prev != prev {
				bad("it does not follow the one before")
			}
			prev = r.Root
			for _, l := range r.Leaves {
				held, err := tx.RecordAt(l.Terminal, l.Epoch, wire.LaneAudit, l.Seq)
				if errors.Is(err, ErrNoRow) {
					held, err = recordAgain(tx, &wire.AuditWalk{Terminal: l.Terminal, Epoch: l.Epoch}, l.Seq)
				}
				switch {
				case errors.Is(err, ErrNoRow):
					bad("%s has no entry %d of epoch %d any more", l.Terminal, l.Seq, l.Epoch)
				case err != nil:
					bad("entry %d of %s cannot be read", l.Seq, l.Terminal)
				case held.Header.Hash() != l.Hash:
					bad("entry %d of epoch %d of %s is another", l.Seq, l.Epoch, l.Terminal)
				}
			}
			return nil
		})
		if err != nil {
			return count, problems, err
		}
		count++
	}
	return count, problems, nil
}
