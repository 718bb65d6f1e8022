package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// TestStaffInABrowser: two terminals call, one clerk is on duty, in Chromium.
func TestStaffInABrowser(t *testing.T) {
	tools(t)
	dir := t.TempDir()
	s, base := city(t, dir, platform.Config{SMS: &pocket{}})
	var clients []*uplink.Client
	for _, name := range []string{"990000-0002", "990000-0003"} {
		c, code := terminal(t, s, base, dir, name)
		defer c.Close()
		if err := c.Enroll(t.Context(), "hall", "n", code); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	if w, err := clients[0].ProofWays(t.Context()); err != nil || len(w.Ways) != 0 {
		t.Errorf("%v %v", w, err)
	}
	said := make(chan error, 1)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	go func() { said <- called(ctx, clients, dir) }()
	saw := drive(t, "staff.mjs", base, "DIR="+dir)
	saw.are(t, map[string]any{
		"before":       []any{[]any{"—", "hall"}, true},
		"duty":         "hall",
		"called":       []any{1.0, true, true, false},
		"not on duty":  0.0,
		"unsent":       true,
		"unticked":     true,
		"kept":         []any{1.0, true},
		"left":         []any{1.0, true},
		"another site": 401.0, // the browser does not even send the cookie
		"off":          true,
	})
	if err := <-said; err != nil {
		t.Error(err)
	}
	if w, err := clients[0].ProofWays(t.Context()); err != nil || len(w.Ways) != 0 {
		t.Errorf("after the duty: %v %v", w, err)
	}
}

// called is what the terminals do: the first calls once somebody is there, the second when the clerk has typed.
func called(ctx context.Context, clients []*uplink.Client, dir string) error {
	until := func(what string, is func() bool) error {
		for !is() {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return errors.New(what)
			}
		}
		return nil
	}
	err := until("nobody is there", func() bool {
		w, err := clients[0].ProofWays(ctx)
		return err == nil && slices.Contains(w.Ways, wire.ProofStaff)
	})
	if err != nil {
		return err
	}
	ask := func(c *uplink.Client, first17, name string) (wire.Proof, error) {
		number, err := idnum.Complete(first17)
		if err != nil {
			return wire.Proof{}, err
		}
		return c.AskProof(ctx, wire.ProofRequest{Person: wire.PersonRef{Number: number, Name: name}, Visit: uuid.NewString(), Shown: wire.ShownCard})
	}
	first, err := ask(clients[0], "99000019921105022", "李晓雯")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "part"), []byte(first.Number), 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "part"), filepath.Join(dir, "number")); err != nil {
		return err
	}
	if err := until("nothing was typed", func() bool { _, err := os.Stat(filepath.Join(dir, "typed")); return err == nil }); err != nil {
		return err
	}
	second, err := ask(clients[1], "99000019850312011", "王建国")
	if err != nil {
		return err
	}
	for i, want := range []wire.ProofState{wire.ProofConfirmed, wire.ProofRefused} {
		now, err := clients[i].ProofAfter(ctx, []string{first.ID, second.ID}[i], wire.ProofOpen, 50*time.Second)
		if err != nil {
			return err
		}
		if now.State != want || (now.Token != "") != (want == wire.ProofConfirmed) || want == wire.ProofRefused && now.Why["zh"] == "" {
			return fmt.Errorf("call %d: %+v", i, now)
		}
	}
	return nil
}
