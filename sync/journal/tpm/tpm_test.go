package tpm

// Against swtpm over its socket: a whole TPM 2.0 in software.

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// chip starts a TPM of its own and returns its address.
func chip(t testing.TB) string {
	t.Helper()
	bin, err := exec.LookPath("swtpm")
	if err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("swtpm is missing and required")
		}
		t.Skip("swtpm is missing: deploy/setup/install.sh test")
	}
	dir, err := os.MkdirTemp("", "tpm") // a socket's path has at most 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s")
	var said bytes.Buffer
	cmd := exec.Command(bin, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+sock, "--flags", "not-need-init,startup-clear")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", sock); err == nil {
			_ = c.Close()
			return "unix:" + sock
		}
	}
	t.Fatalf("swtpm does not come up: %s", said.String())
	return ""
}

func TestOnlyTheTPMThatSealedTheKeyOpensIt(t *testing.T) {
	v := Vault{File: filepath.Join(t.TempDir(), "key.tpm"), Device: chip(t)}
	if _, err := v.Key(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before: %v", err)
	}
	want := [32]byte{1, 2, 3, 31: 9}
	if err := v.Keep(want); err != nil {
		t.Fatal(err)
	}
	if err := v.Keep([32]byte{4}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("kept over another: %v", err)
	}
	for range 5 { // nothing is left behind in the TPM, which has room for three
		if got, err := v.Key(); err != nil || got != want {
			t.Fatalf("%x, %v", got, err)
		}
	}
	b, err := os.ReadFile(v.File)
	if err != nil || bytes.Contains(b, want[:]) {
		t.Errorf("the key lies in the file: %v", err)
	}
	if st, err := os.Stat(v.File); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	other := v
	other.Device = chip(t)
	if _, err := other.Key(); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), "salvage") {
		t.Errorf("another TPM: %v", err)
	}
	gone := v
	gone.Device = "unix:" + filepath.Join(t.TempDir(), "nothing")
	if _, err := gone.Key(); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no TPM: %v", err)
	}
	gone.File += "2"
	if err := gone.Keep(want); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no TPM: %v", err)
	}
	if _, err := os.Stat(gone.File); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made without a TPM")
	}
	for what, text := range map[string]string{"empty": "", "half": string(b[:len(b)/2]), "other": `{"v":2}`,
		"no object": `{"v":1,"root":"AA==","public":"AA==","private":"AA=="}`, "long": strings.Repeat("x", maxFile+1)} {
		if err := os.WriteFile(v.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Key(); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAJournalMovesIntoTheTPMAndBack(t *testing.T) {
	dir := t.TempDir()
	file := journal.FileVault(filepath.Join(dir, "journal.key"))
	v := Vault{File: filepath.Join(dir, "journal.key.tpm"), Device: chip(t)}
	path := filepath.Join(dir, "journal.db")
	use := func(vault journal.KeyVault, do func(j *journal.Journal)) {
		t.Helper()
		j, err := journal.Open(path, journal.Options{Terminal: "990000-0003", Vault: vault})
		if err != nil {
			t.Fatal(err)
		}
		do(j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var id string
	use(file, func(j *journal.Journal) {
		err := j.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "12345"})
			id = c.ID
			return errors.Join(err, tx.Seal(id, "phone", []byte("13800000001")))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	reads := func(j *journal.Journal) {
		if b, err := j.Sealed(id, "phone"); err != nil || string(b) != "13800000001" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := journal.MoveKey(file, v, func() error { return journal.ForgetFile(string(file)) }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(string(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	use(v, reads)
	other := v
	other.Device = chip(t)
	if _, err := journal.Open(path, journal.Options{Terminal: "990000-0003", Vault: other}); !errors.Is(err, journal.ErrKey) || !errors.Is(err, ErrOther) {
		t.Errorf("in another board: %v", err)
	}
	if err := journal.MoveKey(v, file, func() error { return journal.ForgetFile(v.File) }); err != nil {
		t.Fatal(err)
	}
	use(file, reads)
}

func FuzzSealedKey(f *testing.F) {
	f.Add([]byte(`{"v":1,"root":"AA==","public":"AA==","private":"AA=="}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parse(b); err == nil && (len(s.Private) == 0 || s.V != 1) {
			t.Errorf("%+v", s)
		}
	})
}
