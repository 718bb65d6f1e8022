package platform

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// A day is closed once, by whichever server; what is changed, cut or exchanged afterwards is found, in the chains and in the
// roots themselves.
func TestDailyRoots(t *testing.T) {
	l := newLoginRig(t)
	var lanes []*auditLane
	for _, id := range []string{"990000-0001", "990000-0002", "990000-0003"} {
		lanes = append(lanes, &auditLane{peer: enrolled(t, l.Server, id), epoch: 1})
	}
	lanes = lanes[:2] // the third has nothing in its lane
	day := func() string { return l.Server.now().AddDate(0, 0, -1).Format(time.DateOnly) }
	var days []string
	for range 3 {
		for _, a := range lanes {
			a.push(a.add(wire.TypeAudit, line()), a.add(wire.TypeAudit, line()))
		}
		for range 3 {
			if err := l.closeDay(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		days = append(days, day())
		l.later(24 * time.Hour)
	}
	keys, err := SigningKeys(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	verified := func(want int) []string {
		t.Helper()
		n, problems, err := VerifyAuditRoots(t.Context(), l.store, keys)
		if err != nil || n != want {
			t.Errorf("%d roots, %v", n, err)
		}
		return problems
	}
	if p := verified(3); len(p) != 0 {
		t.Fatal(p)
	}
	all, err := AuditRoots(t.Context(), l.store, 2)
	if err != nil || len(all) != 2 || all[0].Day != days[1] || all[1].Day != days[2] || len(all[1].Leaves) != 2 || all[1].Leaves[1].Seq != 6 || all[1].Prev != all[0].Root {
		t.Fatalf("%+v %v", all, err)
	}
	if s := all[1].Line(); !strings.Contains(s, all[1].Root.String()) {
		t.Error(s)
	}
	put := func(day string, change func(*AuditRoot)) (restore func()) {
		t.Helper()
		was := ""
		err := l.store.Update(t.Context(), func(tx Tx) (err error) {
			if was, err = tx.Setting(auditRootOf(day)); err != nil {
				return err
			}
			var r AuditRoot
			if err := json.Unmarshal([]byte(was), &r); err != nil {
				return err
			}
			change(&r)
			raw, err := json.Marshal(r)
			if err != nil {
				return err
			}
			return tx.PutSetting(auditRootOf(day), string(raw))
		})
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := l.store.Update(t.Context(), func(tx Tx) error { return tx.PutSetting(auditRootOf(day), was) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	signed := func(r *AuditRoot) {
		r.Root, _ = treeOf(r.Leaves)
		r.Signature, _ = l.keys.signature(wire.P256, r.SigningBytes())
	}
	for name, c := range map[string]struct {
		change func(*AuditRoot)
		found  string
	}{
		"another time":               {func(r *AuditRoot) { r.At = r.At.Add(time.Hour) }, "signature"},
		"a leaf less":                {func(r *AuditRoot) { r.Leaves = r.Leaves[1:] }, "another root"},
		"a leaf less, signed anew":   {func(r *AuditRoot) { r.Leaves = r.Leaves[1:]; signed(r) }, "does not follow"},
		"a leaf set back":            {func(r *AuditRoot) { r.Leaves[0].Seq-- }, "another root"},
		"an entry that never was":    {func(r *AuditRoot) { r.Leaves[0].Seq = 99; signed(r) }, "no entry 99"},
		"an entry of another record": {func(r *AuditRoot) { r.Leaves[0].Hash[0] ^= 1; signed(r) }, "is another"},
	} {
		t.Run(name, func(t *testing.T) {
			restore := put(days[1], c.change)
			if p := strings.Join(verified(3), "; "); !strings.Contains(p, c.found) {
				t.Errorf("found %q, not %q", p, c.found)
			}
			restore()
		})
	}
	t.Run("a day gone", func(t *testing.T) {
		err := l.store.Update(t.Context(), func(tx Tx) error {
			raw, _ := json.Marshal([]string{days[0], days[2]})
			return tx.PutSetting(auditRootDays, string(raw))
		})
		if err != nil {
			t.Fatal(err)
		}
		if p := strings.Join(verified(2), "; "); !strings.Contains(p, "does not follow") {
			t.Errorf("found %q", p)
		}
	})
}
