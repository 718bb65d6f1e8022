package journal_test

// Opening: what is locked, damaged, or somebody else's.

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// filled is a closed journal with something of everything in it.
func filled(t testing.TB) *journaltest.Journal {
	t.Helper()
	j := journaltest.Open(t, opt)
	for range 40 {
		c := openCase(t, j.Journal)
		must(t, j.Update(func(tx *journal.Tx) error { return tx.Seal(c.ID, "v", make([]byte, 3000)) }))
		_, err := j.Do(context.Background(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k"},
			func(context.Context, func(k, v string) error) journal.Outcome {
				return journal.Outcome{State: journal.EffectDone}
			})
		must(t, err)
	}
	ackAll(t, j.Journal)
	j.Shut()
	return j
}

func TestASecondProcessIsRefusedSoon(t *testing.T) {
	j := journaltest.Open(t, opt)
	_, err := journal.Open(j.Path, j.Opt)
	wants(t, err, journal.ErrLocked)
}

func TestKeys(t *testing.T) {
	j := filled(t)
	try := func(o journal.Options) error {
		opened, err := journal.Open(j.Path, o)
		if err == nil {
			_ = opened.Close()
		}
		return err
	}
	wants(t, os.Chmod(j.Opt.KeyFile, 0o640), nil)
	wants(t, try(j.Opt), journal.ErrKey)
	must(t, os.Chmod(j.Opt.KeyFile, 0o600))
	must(t, try(j.Opt))

	other := j.Opt
	other.KeyFile = filepath.Join(t.TempDir(), "other.key")
	wants(t, try(other), journal.ErrKey)
	if _, err := os.Stat(other.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a new key was made for an old journal")
	}
	must(t, os.WriteFile(other.KeyFile, []byte(strings.Repeat("ab", 32)), 0o600))
	wants(t, try(other), journal.ErrKey)
	must(t, os.WriteFile(other.KeyFile, []byte("not hex"), 0o600))
	wants(t, try(other), journal.ErrKey)

	other = j.Opt
	other.Terminal = "990000-0004"
	wants(t, try(other), journal.ErrKey)
}

// A damaged file is an error or, when the damage hit nothing that counts, a journal that verifies or says what is wrong. It
// is never made anew, never changed, and never ends the process.
func TestDamage(t *testing.T) {
	j := filled(t)
	whole, err := os.ReadFile(j.Path)
	must(t, err)
	used := len(bytes.TrimRight(whole, "\x00"))
	page := os.Getpagesize()
	rnd := rand.New(rand.NewPCG(1, 2))
	type damage struct {
		name string
		do   func(b []byte) []byte
		sure bool // cannot go unnoticed at opening
	}
	all := []damage{
		{"empty", func([]byte) []byte { return nil }, true},
		{"text", func([]byte) []byte { return []byte("<html>not a database</html>") }, true},
		{"zeroed", func(b []byte) []byte { clear(b); return b }, true},
		{"both metas", func(b []byte) []byte { clear(b[:2*page]); return b }, true},
		{"half", func(b []byte) []byte { return b[:used/2/page*page] }, true},
		{"three pages", func(b []byte) []byte { return b[:3*page] }, true},
		{"odd end", func(b []byte) []byte { return b[:used-5000] }, true},
	}
	for range 40 {
		at, n := 2*page+rnd.IntN(used-2*page), 1+rnd.IntN(2000)
		all = append(all, damage{"noise", func(b []byte) []byte {
			for i := at; i < min(at+n, len(b)); i++ {
				b[i] = byte(rnd.Uint32())
			}
			return b
		}, false}, damage{"page", func(b []byte) []byte {
			p := at / page * page
			clear(b[p : p+page])
			return b
		}, false})
	}
	for _, d := range all {
		bad := d.do(bytes.Clone(whole))
		must(t, os.WriteFile(j.Path, bad, 0o600))
		opened, err := journal.Open(j.Path, j.Opt)
		if errors.Is(err, journal.ErrLocked) {
			t.Fatalf("%s: the damaged file before this one is still locked", d.name)
		}
		if err == nil {
			if _, err := opened.Verify(t.Context()); err != nil && d.sure {
				t.Errorf("%s: verify: %v", d.name, err)
			}
			if err := opened.Close(); err != nil {
				t.Errorf("%s: close: %v", d.name, err)
			}
			if d.sure {
				t.Errorf("%s: opened", d.name)
			}
			continue
		}
		if !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrKey) {
			t.Errorf("%s: %v", d.name, err)
		}
		if errors.Is(err, journal.ErrDamaged) && !strings.Contains(err.Error(), "call support") {
			t.Errorf("%s: the error does not say what to do: %v", d.name, err)
		}
		if left, err := os.ReadFile(j.Path); err != nil || !bytes.Equal(left, bad) {
			t.Errorf("%s: the damaged file was changed", d.name)
		}
	}
	must(t, os.WriteFile(j.Path, whole, 0o600))
	sound, err := journal.Open(j.Path, j.Opt)
	must(t, err)
	if _, err := journaltest.Sound(sound); err != nil {
		t.Error(err)
	}
	must(t, sound.Close())
}

func TestVerifySeesADamagedBlob(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	h, err := j.PutBlob([]byte("ink"))
	must(t, err)
	must(t, j.Update(func(tx *journal.Tx) error { return tx.KeepBlob(c.ID, "ink", h) }))
	files, err := os.ReadDir(j.Path + ".blobs")
	must(t, err)
	path := filepath.Join(j.Path+".blobs", files[0].Name())
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)-1]++
	must(t, os.WriteFile(path, b, 0o600))
	_, err = j.CaseBlob(c.ID, "ink")
	wants(t, err, journal.ErrDamaged)
	if _, err := journaltest.Sound(j.Journal); err == nil {
		t.Error("verified")
	}
	must(t, j.DropBlob(c.ID, "ink"))
}

// Planted personal data must not be found in any file, name or error.
func TestPersonalDataIsNowhereInTheOpen(t *testing.T) {
	dir := t.TempDir()
	j := journaltest.OpenAt(t, filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "journal.key")})
	canaries := []string{"张三丰", "990000199001010013", "13800000001", "certificate of 张三丰", "花园路一号"}
	var errs []error
	var c journal.Case
	blob, err := j.PutBlob([]byte(canaries[3]))
	must(t, err)
	must(t, j.Update(func(tx *journal.Tx) (err error) {
		c, err = tx.OpenCase(journal.NewCase{Item: "12345", Person: "张**", Last4: "0013",
			Details: map[string]string{"name": canaries[0], "number": canaries[1], "phone": canaries[2]}})
		if err != nil {
			return err
		}
		_, emitted := tx.Emit(wire.LaneTx, c.ID, wire.TypeHotline, 1, wire.Hotline{Phone: canaries[2], Ink: blob})
		return errors.Join(emitted, tx.Seal(c.ID, "address", []byte(canaries[4])), tx.KeepBlob(c.ID, "document", blob), tx.UploadBlob(c.ID, blob))
	}))
	errs = append(errs,
		j.Update(func(tx *journal.Tx) error { return tx.Seal(c.ID, "big", bytes.Repeat([]byte(canaries[1]), 9999)) }),
		j.Update(func(tx *journal.Tx) error {
			_, err := tx.Emit(wire.LaneTx, c.ID, "x", 1, strings.Repeat(canaries[1], 9999))
			return err
		}),
		set(j.Journal, c.ID, journal.Printed), j.Shred(c.ID))
	_, err = j.CaseByReceipt(canaries[1])
	errs = append(errs, err)
	for i, err := range errs {
		if err == nil {
			t.Errorf("%d: no error", i)
			continue
		}
		for _, s := range canaries {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%d: personal data in an error", i)
			}
		}
	}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range canaries {
			if bytes.Contains(b, []byte(s)) || strings.Contains(path, s) {
				t.Errorf("%q in %s", s, filepath.Base(path))
			}
		}
		// Nor may anything let a guess be checked: the plain hash of what is sealed.
		if bytes.Contains(b, blob[:]) || bytes.Contains(b, []byte(blob.String())) || strings.Contains(path, blob.String()) {
			t.Errorf("hash of a sealed blob in %s", filepath.Base(path))
		}
		return nil
	}))
}
