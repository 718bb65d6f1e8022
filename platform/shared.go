package platform

// What servers of one platform hold in common beside the records: seen requests, limits, claims on documents. It lives in
// the store, so that any server may answer any request and a server may vanish at any time.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// firstSeen notes a request and says whether it is new to every server.
func (s *Server) firstSeen(ctx context.Context, nonce string) (fresh bool, err error) {
	until := s.now().Add(2 * wire.MaxSkew)
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		fresh, err = tx.UseNonce(nonce, until)
		return err
	})
	return fresh, err
}

// allowed counts a hit. This server's own count refuses first, so that a flood does not become a flood of the store;
// it is never higher than the common one.
func (s *Server) allowed(ctx context.Context, own *limiter, key string, most int, window time.Duration) (bool, error) {
	now := s.now()
	if !own.allow(key, most, window, now) {
		return false, nil
	}
	n := 0
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		n, err = tx.Hit(hashed("limit", key), now, now.Add(window))
		return err
	})
	return n <= most, err
}

// claimLife is how long a server may work on one document before another may think it dead.
const claimLife = time.Minute

// claim makes this request the only one that works on a key; release ends it.
func (s *Server) claim(ctx context.Context, key string) (ok bool, release func(), err error) {
	owner, now := token(), s.now()
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		ok, err = tx.Claim(key, owner, now, now.Add(claimLife))
		return err
	})
	release = func() {
		// The claim is given back although the caller went away.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.store.Update(end, func(tx Tx) error { return tx.Release(key, owner) }); err != nil {
			s.cfg.Log.Warn("claim runs until its end", "error", err)
		}
	}
	if errors.Is(err, ErrInDoubt) {
		release() // it may be held, and nobody works under it
	}
	return ok, release, err
}

// platformKeySetting names the fingerprint of the keys that a store belongs to.
const platformKeySetting = "platform-key"

// sameKeys refuses to serve a store with other keys than its other servers have: terminals would find every second
// signature wrong.
func (s *Server) sameKeys(ctx context.Context) error {
	h := sha256.New()
	for _, part := range [][]byte{s.keys.ca.Raw, s.keys.public[wire.P256], s.keys.public[wire.SM2], s.keys.seal.PublicKey().Bytes()} {
		fmt.Fprintf(h, "%d ", len(part))
		_, _ = h.Write(part)
	}
	mine := hex.EncodeToString(h.Sum(nil)[:8])
	return s.store.Update(ctx, func(tx Tx) error {
		held, err := tx.Setting(platformKeySetting)
		switch {
		case errors.Is(err, ErrNoRow):
			return tx.PutSetting(platformKeySetting, mine)
		case err != nil:
			return err
		case held != mine:
			return fmt.Errorf("this store belongs to the platform with keys %s, but %s holds keys %s: give every server the same ca.key, ca.pem, sign.key, sign-sm2.key and seal.key", held, s.cfg.Dir, mine)
		}
		return nil
	})
}

const sweepEvery = time.Minute

// sweep forgets what ran out and closes days, until ctx ends. Codes of the last hour stay: they count against the next.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		before := s.now().Add(-time.Hour)
		if err := s.store.Update(ctx, func(tx Tx) error { return tx.Sweep(before) }); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("sweeping the store", "error", err)
		}
		if err := s.sweepCards(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("erasing pictures of cards", "error", err)
		}
		if err := s.sweepTickets(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("forgetting old numbers of the queue", "error", err)
		}
		if err := s.sweepVerdicts(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("ending proposals that were overtaken", "error", err)
		}
		if err := s.endUnclaimed(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("ending cards that nobody came for", "error", err)
		}
		if err := s.doubtSilent(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("cards of silent terminals", "error", err)
		}
		if err := s.closeDay(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("the day's root over the audit chains", "error", err)
		}
	}
}
