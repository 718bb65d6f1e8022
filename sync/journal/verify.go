package journal

// Verifying: everything that must hold between a journal's parts.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// Verify checks pages, chains, ledgers and sealed values, and counts. Problems are listed, not returned as an error; an
// error means that checking itself could not go on.
func (j *Journal) Verify(ctx context.Context) (VerifyReport, error) {
	return j.verify(ctx, true)
}

// verifyPages has bbolt check its pages. Nobody may write meanwhile: the list of free pages that it compares with is the writer's.
func (j *Journal) verifyPages(bad func(string, ...any)) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.view(func(tx *bolt.Tx) error {
		for e := range tx.Check() {
			bad("page: %v", e)
		}
		return nil
	})
}

// verify leaves out, unless it is to be thorough, what lies outside the database, and the pages.
func (j *Journal) verify(ctx context.Context, thorough bool) (VerifyReport, error) {
	var r VerifyReport
	bad := func(format string, a ...any) {
		if len(r.Problems) < 100 {
			r.Problems = append(r.Problems, fmt.Sprintf(format, a...))
		}
	}
	if thorough {
		if err := j.verifyPages(bad); err != nil {
			return r, err
		}
	}
	err := j.view(func(tx *bolt.Tx) error {
		if thorough {
			if sum, err := j.summer().all(tx); err != nil {
				return err
			} else if at := tx.Bucket(bucketSum); at == nil || at.Sequence() != sum {
				bad("contents: they are not what the changes put here")
			}
		}
		waiting := map[string]uint64{}
		for _, lane := range wire.Lanes {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := j.verifyLane(tx, lane, &r, waiting, bad); err != nil {
				return err
			}
		}
		if err := j.verifyArchives(tx, &r, bad); err != nil {
			return err
		}
		if err := j.verifyCases(tx, &r, waiting, bad); err != nil {
			return err
		}
		if err := j.verifyBlobs(tx, thorough, bad); err != nil {
			return err
		}
		if err := j.verifyStock(tx, bad); err != nil {
			return err
		}
		return j.verifyEffects(tx, &r, bad)
	})
	return r, err
}

func (j *Journal) verifyLane(tx *bolt.Tx, lane wire.Lane, r *VerifyReport, waiting map[string]uint64, bad func(string, ...any)) error {
	st, err := readLane(tx, lane)
	if err != nil {
		return err
	}
	prev, at, err := j.verifyChain(tx, tx.Bucket(bucketRecords).Bucket([]byte(lane)), lane, st, r, waiting, bad)
	if at != st.Head || (at > 0 && prev != st.HeadHash) {
		bad("lane %s: ends at %d, head says %d", lane, at, st.Head)
	}
	if st.Acked > st.Head {
		bad("lane %s: acknowledged up to %d of %d", lane, st.Acked, st.Head)
	}
	return err
}

// verifyArchives checks the chains of earlier epochs, all of which are acknowledged.
func (j *Journal) verifyArchives(tx *bolt.Tx, r *VerifyReport, bad func(string, ...any)) error {
	archives := tx.Bucket(bucketArchive)
	return archives.ForEachBucket(func(name []byte) error {
		lane, epoch, _ := strings.Cut(string(name), "/")
		n, err := strconv.ParseUint(epoch, 10, 32)
		if err != nil {
			bad("archive %q is none", name)
			return nil
		}
		_, _, err = j.verifyChain(tx, archives.Bucket(name), wire.Lane(lane), laneState{Epoch: uint32(n), Acked: math.MaxUint64}, r, nil, bad)
		return err
	})
}

// verifyChain walks one lane's records and returns where it ends.
func (j *Journal) verifyChain(tx *bolt.Tx, b *bolt.Bucket, lane wire.Lane, st laneState, r *VerifyReport, waiting map[string]uint64,
	bad func(string, ...any)) (prev wire.Hash, at uint64, err error) {
	first := true
	err = b.ForEach(func(k, v []byte) error {
		r.Records++
		if lane == wire.LaneAudit {
			r.AuditEntries++
		}
		var s stored
		if err := decode(v, &s); err != nil {
			bad("lane %s: record %x cannot be read", lane, k)
			return nil
		}
		if first && s.Seq != 1 {
			// what was compacted away lies before; the chain begins at what is left
			prev, at = s.Prev, s.Seq-1
		}
		first = false
		if s.Seq != at+1 || string(seqKey(s.Seq)) != string(k) {
			bad("lane %s: record %d follows %d", lane, s.Seq, at)
		}
		if s.Prev != prev {
			bad("lane %s: chain breaks at %d", lane, s.Seq)
		}
		if s.Epoch != st.Epoch || s.Lane != lane {
			bad("lane %s: record %d says epoch %d of %s", lane, s.Seq, s.Epoch, s.Lane)
		}
		prev, at = s.Header.Hash(), s.Seq
		if s.Seq == st.Acked && prev != st.AckedHash {
			bad("lane %s: acknowledged hash at %d differs", lane, s.Seq)
		}
		if s.Seq > st.Acked && s.Case != "" {
			waiting[s.Case]++
		}
		full, err := j.openRecord(tx, s)
		switch {
		case errors.Is(err, ErrNotFound) && s.Seq <= st.Acked: // shredded after acknowledgement
		case err != nil:
			bad("lane %s: body of %d: %v", lane, s.Seq, err)
		case wire.HashBody(full.Salt, full.Body) != s.BodyHash:
			bad("lane %s: body of %d is not what was chained", lane, s.Seq)
		}
		return nil
	})
	return prev, at, err
}

// verifyBlobs checks that every blob a case has is found by its hash and, when files are to be read, is there and whole.
func (j *Journal) verifyBlobs(tx *bolt.Tx, read bool, bad func(string, ...any)) error {
	err := tx.Bucket(bucketOwned).ForEach(func(k, _ []byte) error {
		e, err := readOwned(tx, string(k))
		if err == nil && tx.Bucket(bucketBlobs).Get([]byte(e.Index+"/"+string(k))) == nil {
			err = errors.New("not in the index")
		}
		if err == nil {
			var key [32]byte
			var h wire.Hash
			if key, h, err = j.openEntry(tx, string(k), e); err == nil && read {
				_, err = j.readBlob(e.File, key, h)
			}
		}
		if err != nil {
			bad("blob %s: %v", k, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketBlobs).ForEach(func(k, _ []byte) error {
		_, owned, _ := strings.Cut(string(k), "/")
		if _, err := readOwned(tx, owned); err != nil {
			bad("blob index %s leads nowhere", k)
		}
		return nil
	})
}

func (j *Journal) verifyCases(tx *bolt.Tx, r *VerifyReport, waiting map[string]uint64, bad func(string, ...any)) error {
	codes := map[string]string{}
	last := uint64(0)
	if b := tx.Bucket(bucketMeta).Get([]byte(metaReceipts)); len(b) == 8 {
		last = binary.BigEndian.Uint64(b)
	}
	err := tx.Bucket(bucketCases).ForEach(func(k, _ []byte) error {
		r.Cases++
		c, err := readCase(tx, string(k))
		if err != nil {
			bad("case %s: %v", k, err)
			return nil
		}
		if len(c.History) == 0 || c.History[len(c.History)-1].State != c.State {
			bad("case %s: state %s is not the end of its history", c.ReceiptCode, c.State)
		}
		for i := 1; i < len(c.History); i++ {
			from, to := c.History[i-1].State, c.History[i].State
			if !from.May(to) {
				bad("case %s: history goes from %s to %s", c.ReceiptCode, from, to)
			}
		}
		// The code of a case that goes on here under a lease was given elsewhere.
		if n, err := strconv.ParseUint(c.ReceiptCode[strings.LastIndexByte(c.ReceiptCode, '-')+1:], 10, 64); c.Lease == 0 && (err != nil || n > last) {
			bad("receipt code %s was never given", c.ReceiptCode)
		}
		if other, twice := codes[c.ReceiptCode]; twice {
			bad("receipt code %s names cases %s and %s", c.ReceiptCode, other, c.ID)
		}
		codes[c.ReceiptCode] = c.ID
		if string(tx.Bucket(bucketCodes).Get([]byte(c.ReceiptCode))) != c.ID {
			bad("receipt code %s does not lead to its case", c.ReceiptCode)
		}
		if n := waitingOf(tx, c.ID); n != waiting[c.ID] {
			bad("case %s: %d records wait, counter says %d", c.ReceiptCode, waiting[c.ID], n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketSealed).ForEach(func(k, v []byte) error {
		id, name, _ := strings.Cut(string(k), "/")
		key, err := j.currentKey(tx, id)
		if err == nil {
			_, err = key.open(v, []byte("value "+id+"/"+name))
		}
		if err != nil {
			bad("sealed value %s of case %s: %v", name, id, err)
		}
		return nil
	})
}

func (j *Journal) verifyEffects(tx *bolt.Tx, r *VerifyReport, bad func(string, ...any)) error {
	return tx.Bucket(bucketEffects).ForEach(func(k, v []byte) error {
		r.Effects++
		var e Effect
		if err := decode(v, &e); err != nil {
			bad("effect %s cannot be read", k)
			return nil
		}
		if e.EffectName.String() != string(k) {
			bad("effect %s lies under %s", e.EffectName, k)
		}
		switch e.State {
		case EffectIntended:
			r.Unsettled++
			if !e.Ended.IsZero() {
				bad("effect %s has an end and no outcome", e.EffectName)
			}
		case EffectDone, EffectFailed, EffectNotSent, EffectUnknown:
			if e.Ended.IsZero() {
				bad("effect %s has an outcome and no end", e.EffectName)
			}
		default:
			bad("effect %s has state %q", e.EffectName, e.State)
		}
		if _, err := readCase(tx, e.Case); err != nil {
			bad("effect %s: %v", e.EffectName, err)
		}
		if e.Attempt > 1 {
			before, err := readEffect(tx, EffectName{e.Case, e.Step, e.Attempt - 1})
			if err != nil || before.State != EffectNotSent && before.State != EffectFailed {
				bad("effect %s was attempted although the one before is %s", e.EffectName, before.State)
			}
		}
		return nil
	})
}
