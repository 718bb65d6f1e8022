package journal

// Escrow: data keys sealed to the platform too, so that what is unsent outlives this board, and what was destroyed here can
// still be given to a platform that lost it, until its backup holds it.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// A data key's entry is its generation (4 bytes), the key sealed with the vault's key (60 bytes in AES-256-GCM, 68 in SM4-GCM,
// which says so), and, once the platform's key is known, the key sealed to that. Destroying it moves the platform's copy into
// the escrow, where this terminal cannot open it.

// splitKey is what a data key's entry holds behind its generation: the key for this terminal, and the platform's copy, nil
// when there is none. Of a destroyed key both are nil.
func splitKey(entry []byte) (local, escrow []byte) {
	if len(entry) <= 4 {
		return nil, nil
	}
	rest := entry[4:]
	n := 32 + wire.SealedBy(rest).Sealing()
	if len(rest) <= n {
		return rest, nil
	}
	return rest[:n], rest[n:]
}

// metaSealKey is the platform's X25519 key.
const metaSealKey = "platform-seal-key"

// metaBackedUp says that the platform has told at least once what its backup holds.
const metaBackedUp = "backed-up"

// SealTo makes the platform's X25519 public key (32 bytes) the one that data keys are sealed to beside the vault's. Keys
// that are there are sealed to it at once; it is remembered.
func (j *Journal) SealTo(public []byte) error {
	if _, err := wire.SealDataKey(public, j.opt.Terminal, "", 0, make([]byte, 32)); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return j.Update(func(tx *Tx) error {
		if bytes.Equal(tx.tx.Bucket(bucketMeta).Get([]byte(metaSealKey)), public) {
			return nil
		}
		if err := tx.bucket(bucketMeta).Put([]byte(metaSealKey), public); err != nil {
			return err
		}
		var ids []string
		err := tx.tx.Bucket(bucketKeys).ForEach(func(k, v []byte) error {
			if len(v) > 4 {
				ids = append(ids, string(k))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := tx.rewrap(id); err != nil {
				return err
			}
		}
		return tx.Audit(EventJournalSealKey, wire.WhoSystem, map[string]string{"keys": fmt.Sprint(len(ids))})
	})
}

func (tx *Tx) rewrap(id string) error {
	entry := tx.tx.Bucket(bucketKeys).Get([]byte(id))
	gen := binary.BigEndian.Uint32(entry)
	k, err := tx.j.keyOf(tx.tx, id, gen)
	if err != nil {
		return err
	}
	if entry, err = tx.wrap(id, gen, k.raw[:]); err != nil {
		return err
	}
	return tx.bucket(bucketKeys).Put([]byte(id), entry)
}

// wrap seals a data key, to the platform's key too when that is known.
func (tx *Tx) wrap(id string, gen uint32, raw []byte) ([]byte, error) {
	sealed, err := tx.j.key.seal(raw, fmt.Appendf(nil, "data-key %s %d", id, gen))
	if err != nil {
		return nil, err
	}
	entry := append(binary.BigEndian.AppendUint32(nil, gen), sealed...)
	public := tx.tx.Bucket(bucketMeta).Get([]byte(metaSealKey))
	if public == nil {
		return entry, nil
	}
	escrow, err := wire.SealDataKey(public, tx.j.opt.Terminal, id, gen, raw)
	return append(entry, escrow...), err
}

func escrowKey(id string, gen uint32) []byte { return fmt.Appendf(nil, "%s/%d", id, gen) }

// escrowOf finds the platform's copy of a data key, destroyed here or not; nil when there is none.
func escrowOf(tx *bolt.Tx, id string, gen uint32) []byte {
	entry := tx.Bucket(bucketKeys).Get([]byte(id))
	if _, escrow := splitKey(entry); escrow != nil && binary.BigEndian.Uint32(entry) == gen {
		return escrow
	}
	return tx.Bucket(bucketEscrow).Get(escrowKey(id, gen))
}

// destroyKey leaves the next generation's number in the key's place.
func (tx *Tx) destroyKey(id string) error {
	keys := tx.bucket(bucketKeys)
	entry := keys.Get([]byte(id))
	if len(entry) <= 4 {
		return nil
	}
	gen := binary.BigEndian.Uint32(entry)
	if _, escrow := splitKey(entry); escrow != nil {
		if err := tx.bucket(bucketEscrow).Put(escrowKey(id, gen), bytes.Clone(escrow)); err != nil {
			return err
		}
	}
	return keys.Put([]byte(id), binary.BigEndian.AppendUint32(nil, gen+1))
}

// SealedCopies returns up to so many records of a lane behind a sequence, as only the platform can open them. Records whose
// data key was never sealed to it are left out.
func (j *Journal) SealedCopies(lane wire.Lane, after uint64, most int) (all []wire.SealedRecord, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		if _, err := readLane(tx, lane); err != nil {
			return err
		}
		all, err = sealedCopies(tx, lane, after, most)
		return err
	})
	return all, err
}

func sealedCopies(tx *bolt.Tx, lane wire.Lane, after uint64, most int) (all []wire.SealedRecord, err error) {
	c := tx.Bucket(bucketRecords).Bucket([]byte(lane)).Cursor()
	for k, v := c.Seek(seqKey(after + 1)); k != nil && len(all) < most; k, v = c.Next() {
		var s stored
		if err := decode(v, &s); err != nil {
			return nil, fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
		}
		id := keyID(s.Header)
		if escrow := escrowOf(tx, id, s.Gen); escrow != nil {
			all = append(all, wire.SealedRecord{Header: s.Header, KeyID: id, Gen: s.Gen, Key: bytes.Clone(escrow), Sealed: s.Sealed})
		}
	}
	return all, nil
}

// Salvage reads from a journal whose key file or board is lost what waits for the platform, sealed so that the platform can
// open it. The database is only read. It tells how many waiting records it had to leave out, because the platform's key was
// not known when they were written.
func Salvage(path string, each func(wire.SealedRecord) error) (left int, err error) {
	if err := suspect(path); err != nil {
		return 0, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.View(func(tx *bolt.Tx) error {
		for _, b := range spilled {
			if tx.Bucket(b) == nil {
				return damaged(path, fmt.Sprintf("its %s are missing", b))
			}
		}
		for _, lane := range wire.Lanes {
			st, err := readLane(tx, lane)
			if err != nil {
				return err
			}
			all, err := sealedCopies(tx, lane, st.Acked, int(min(st.Head-min(st.Acked, st.Head), 1<<30)))
			if err != nil {
				return err
			}
			left += int(st.Head-st.Acked) - len(all)
			for _, r := range all {
				if err := each(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return left, err
}

// BackedUp notes up to where the platform's backup holds a lane: what lies there needs no copy here any more, and the
// platform's copies of keys that were destroyed here go when nothing else needs them. A point of an earlier epoch, or ahead
// of what was acknowledged, is [ErrState]; [ErrFork] when our hash there is another.
func (j *Journal) BackedUp(lane wire.Lane, epoch uint32, p wire.LanePoint) error {
	err := j.Update(func(tx *Tx) error {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return err
		}
		if epoch != st.Epoch || p.Seq > st.Acked {
			return fmt.Errorf("backup of %s at %d/%d, acknowledged %d/%d: %w", lane, epoch, p.Seq, st.Epoch, st.Acked, ErrState)
		}
		if p.Seq <= st.Backed {
			return nil
		}
		hash, err := tx.hashAt(lane, p.Seq)
		if err != nil {
			return err
		}
		if hash != p.Hash {
			return fmt.Errorf("backup of %s at %d: %w", lane, p.Seq, ErrFork)
		}
		st.Backed = p.Seq
		if err := tx.writeLane(lane, st); err != nil {
			return err
		}
		if err := tx.bucket(bucketMeta).Put([]byte(metaBackedUp), []byte{1}); err != nil {
			return err
		}
		return tx.releaseEscrow()
	})
	if err != nil {
		return err
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	j.spill.stale = true
	return nil
}

// releaseEscrow forgets the platform's copies of keys that sealed nothing which its backup lacks.
func (tx *Tx) releaseEscrow() error {
	needed := map[string]bool{}
	for _, lane := range wire.Lanes {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return err
		}
		c := tx.tx.Bucket(bucketRecords).Bucket([]byte(lane)).Cursor()
		for k, v := c.Seek(seqKey(st.Backed + 1)); k != nil; k, v = c.Next() {
			var s stored
			if err := decode(v, &s); err != nil {
				return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
			}
			needed[string(escrowKey(keyID(s.Header), s.Gen))] = true
		}
	}
	var gone []string
	err := tx.tx.Bucket(bucketEscrow).ForEach(func(k, _ []byte) error {
		if !needed[string(k)] && !strings.HasPrefix(string(k), "epoch-") {
			gone = append(gone, string(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range gone {
		if err := tx.bucket(bucketEscrow).Delete([]byte(k)); err != nil {
			return err
		}
	}
	return nil
}

// forgettable is up to where a lane's records may be trimmed: what was acknowledged, and, for a platform that tells what its
// backup holds, what that holds.
func forgettable(tx *bolt.Tx, st laneState) uint64 {
	if tx.Bucket(bucketMeta).Get([]byte(metaBackedUp)) != nil {
		return min(st.Acked, st.Backed)
	}
	return st.Acked
}

// dropEscrow forgets the platform's copies of a forgotten case's keys, unless the platform tells what its backup holds and
// so will end them itself.
func (tx *Tx) dropEscrow(id string) error {
	if tx.tx.Bucket(bucketMeta).Get([]byte(metaBackedUp)) != nil {
		return nil
	}
	prefix := []byte(id + "/")
	var gone [][]byte
	c := tx.tx.Bucket(bucketEscrow).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := tx.bucket(bucketEscrow).Delete(k); err != nil {
			return err
		}
	}
	return nil
}
