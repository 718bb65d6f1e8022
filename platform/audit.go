package platform

// The audit chains of all terminals, as the platform holds them. Every acknowledgement of an audit lane is kept with the
// platform's own signature, so that the store cannot be made to hold less, or other entries, than were acknowledged; only
// whoever holds the signing key could do that, and it can lie elsewhere.

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// auditAcks is the setting that holds the last acknowledgement of every epoch of a terminal's audit lane.
func auditAcks(terminal string) string { return "audit/" + terminal }

// auditAgain is the setting that holds a record of an audit lane which was held already, under an earlier epoch, when its
// lane was chained anew: the store keeps a record once, the chain has it at both places.
func auditAgain(terminal string, epoch uint32, seq uint64) string {
	return fmt.Sprintf("audit/%s/%d/%d", terminal, epoch, seq)
}

// witness keeps the acknowledgement of an audit lane, in the transaction of what it acknowledges. held is the sequence up to
// which the lane was held before the batch.
func (s *Server) witness(tx Tx, b wire.Batch, held uint64, a wire.Ack, profile wire.Profile) (err error) {
	if a.Lane != wire.LaneAudit {
		return nil
	}
	for i, o := range a.Outcomes {
		if o.Status != wire.Duplicate || o.Seq <= held {
			continue
		}
		raw, err := json.Marshal(b.Records[i])
		if err != nil {
			return err
		}
		if err := tx.PutSetting(auditAgain(a.Terminal, a.Epoch, o.Seq), string(raw)); err != nil {
			return err
		}
	}
	a.Outcomes = nil
	if a.Signature, err = s.keys.signature(profile, a.SigningBytes()); err != nil {
		return err
	}
	all, err := acksOf(tx, a.Terminal)
	if err != nil {
		return err
	}
	if n := len(all); n > 0 && all[n-1].Epoch == a.Epoch {
		all[n-1] = a
	} else {
		all = append(all, a)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return tx.PutSetting(auditAcks(a.Terminal), string(raw))
}

func acksOf(tx Tx, terminal string) (all []wire.Ack, err error) {
	v, err := tx.Setting(auditAcks(terminal))
	if errors.Is(err, ErrNoRow) || err == nil && v == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(v), &all); err != nil {
		return nil, fmt.Errorf("acknowledgements of the audit lane of %s: %w", terminal, err)
	}
	return all, nil
}

// TerminalAudit is one terminal's chain as the platform holds it.
type TerminalAudit struct {
	Terminal               string
	Epochs, Entries, Heads int
	LastHead               time.Time // when the terminal last signed its chain; zero when it never did
	Problems               []string
}

// auditPage is how many records are read in one transaction, so that terminals are served meanwhile.
const auditPage = 500

// VerifyAudit walks the audit chains of all terminals. keys are the platform's signing keys, one of each profile.
func VerifyAudit(ctx context.Context, store Store, keys []*ecdsa.PublicKey) (all []TerminalAudit, err error) {
	var terminals []Terminal
	if err := store.View(ctx, func(tx Tx) error { terminals, err = tx.Terminals(); return err }); err != nil {
		return nil, err
	}
	for _, t := range terminals {
		a, err := verifyTerminal(ctx, store, keys, t)
		if err != nil {
			return all, fmt.Errorf("terminal %s: %w", t.ID, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func verifyTerminal(ctx context.Context, store Store, keys []*ecdsa.PublicKey, t Terminal) (TerminalAudit, error) {
	out := TerminalAudit{Terminal: t.ID}
	bad := func(format string, a ...any) { out.Problems = append(out.Problems, fmt.Sprintf(format, a...)) }
	var acks []wire.Ack
	var row LaneRow
	var past [][]byte
	err := store.View(ctx, func(tx Tx) (err error) {
		if row, err = tx.Lane(t.ID, wire.LaneAudit); err != nil {
			return err
		}
		if acks, err = acksOf(tx, t.ID); err != nil {
			bad("%v", err)
		}
		past, err = pastKeys(tx, t.ID)
		return err
	})
	if err != nil {
		return out, err
	}
	var good []wire.Ack
	for _, a := range acks {
		switch {
		case a.Terminal != t.ID || a.Lane != wire.LaneAudit || !signedByOne(keys, a.SigningBytes(), a.Signature):
			bad("epoch %d: our own acknowledgement up to %d does not verify", a.Epoch, a.High)
		case len(good) > 0 && a.Epoch <= good[len(good)-1].Epoch:
			bad("epoch %d: acknowledgements are out of order", a.Epoch)
		default:
			good = append(good, a)
		}
	}
	if n := len(good); row.Seq > 0 && (n == 0 || good[n-1].Epoch != row.Epoch || good[n-1].High != row.Seq || good[n-1].Hash != row.Hash) {
		bad("epoch %d: the ledger says %d, and no acknowledgement of ours does", row.Epoch, row.Seq)
	}
	var own []*ecdsa.PublicKey
	for _, der := range append(past, t.PublicKey) {
		pub, _, err := wire.ParsePublicKey(der)
		if err != nil {
			bad("its public key cannot be read")
			continue
		}
		own = append(own, pub)
	}
	signed := func(h wire.AuditHead) error {
		if !signedByOne(own, h.SigningBytes(), h.Signature) {
			return wire.ErrSignature
		}
		return nil
	}
	for _, a := range good {
		w := &wire.AuditWalk{Terminal: t.ID, Epoch: a.Epoch, Signed: signed,
			Claims: []wire.Claim{{Epoch: a.Epoch, Seq: a.High, Hash: a.Hash, By: "what we acknowledged"}}}
		if err := walkEpoch(ctx, store, w, a.High); err != nil {
			return out, err
		}
		w.Reached()
		out.Epochs, out.Entries, out.Heads = out.Epochs+1, out.Entries+w.Entries, out.Heads+w.Heads
		if w.LastHead.After(out.LastHead) {
			out.LastHead = w.LastHead
		}
		out.Problems = append(out.Problems, w.Problems...)
	}
	return out, nil
}

// walkEpoch adds an epoch's records in order.
func walkEpoch(ctx context.Context, store Store, w *wire.AuditWalk, high uint64) error {
	for from := uint64(1); from <= high; from += auditPage {
		err := store.View(ctx, func(tx Tx) error {
			for seq := from; seq < from+auditPage && seq <= high; seq++ {
				r, err := tx.RecordAt(w.Terminal, w.Epoch, wire.LaneAudit, seq)
				if errors.Is(err, ErrNoRow) {
					if r, err = recordAgain(tx, w, seq); errors.Is(err, ErrNoRow) {
						continue // the walk misses it
					}
				}
				if err != nil {
					w.Unreadable(seq, err)
					continue
				}
				if r.Hash != r.Header.Hash() {
					w.Unreadable(seq, errors.New("its hash is not the one that was kept"))
				}
				if r.Seq != seq {
					w.Unreadable(seq, fmt.Errorf("it says that it is %d", r.Seq))
				}
				w.Add(r.Record)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recordAgain is a record that was held already when it came to this place.
func recordAgain(tx Tx, w *wire.AuditWalk, seq uint64) (r RecordRow, err error) {
	raw, err := tx.Setting(auditAgain(w.Terminal, w.Epoch, seq))
	if err == nil {
		err = json.Unmarshal([]byte(raw), &r.Record)
		r.Hash = r.Header.Hash()
	}
	return r, err
}

// SigningKeys are the public halves of a platform's signing keys, read from its data directory. It never makes one.
func SigningKeys(dir string) (keys []*ecdsa.PublicKey, err error) {
	for _, name := range []string{signKeyFile, sm2KeyFile} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no signing key in %s: platform serve makes it at its first start", dir)
		}
		var key crypto.Signer
		if name == sm2KeyFile {
			key, err = sm2Key(path)
		} else {
			key, err = p256(path)
		}
		if err != nil {
			return nil, err
		}
		pub, is := key.Public().(*ecdsa.PublicKey)
		if !is {
			return nil, fmt.Errorf("%s is not a signing key", path)
		}
		keys = append(keys, pub)
	}
	return keys, nil
}

// signedByOne says whether a signature is one of the keys'.
func signedByOne(keys []*ecdsa.PublicKey, b, signature []byte) bool {
	return slices.ContainsFunc(keys, func(k *ecdsa.PublicKey) bool { return wire.Verify(k, b, signature) })
}

// pastKeysSetting is the setting that holds the public keys with which a terminal signed before its present one, PKIX DER: its
// audit chain carries their signatures for ever.
func pastKeysSetting(terminal string) string { return "keys/" + terminal }

func pastKeys(tx Tx, terminal string) (all [][]byte, err error) {
	v, err := tx.Setting(pastKeysSetting(terminal))
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(v), &all); err != nil {
		return nil, fmt.Errorf("past keys of %s: %w", terminal, err)
	}
	return all, nil
}

// keepPastKey keeps a terminal's public key when another takes its place.
func keepPastKey(tx Tx, terminal string, was, is []byte) error {
	if len(was) == 0 || bytes.Equal(was, is) {
		return nil
	}
	all, err := pastKeys(tx, terminal)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(append(all, was))
	if err != nil {
		return err
	}
	return tx.PutSetting(pastKeysSetting(terminal), string(raw))
}
