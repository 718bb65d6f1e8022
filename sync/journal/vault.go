package journal

// Where the key lies that opens everything: a vault is the seam at which a file, a TPM or a certified module is put in.

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyVault keeps the key that wraps the journal's data keys. Whoever has it and the journal's files reads everything.
type KeyVault interface {
	// Key returns the key; [fs.ErrNotExist] when none was ever kept here. Any other error means that there is one, which
	// cannot be had now: the journal is never made anew because of it.
	Key() ([32]byte, error)
	// Keep keeps a key durably. One that is kept already stays, and [fs.ErrExist] says so.
	Keep(key [32]byte) error
	// String names the vault in errors.
	String() string
}

// FileVault is a file of mode 0600 with the key in hex: it protects against other users of the machine and not against
// whoever takes the disk.
type FileVault string

// String implements KeyVault.
func (v FileVault) String() string { return "key file " + string(v) }

// Key implements KeyVault.
func (v FileVault) Key() (raw [32]byte, err error) {
	st, err := os.Stat(string(v))
	if err != nil {
		return raw, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return raw, fmt.Errorf("%s can be read by others (mode %04o): chmod 600", string(v), st.Mode().Perm())
	}
	text, err := os.ReadFile(string(v))
	if err != nil {
		return raw, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(raw) {
		return raw, fmt.Errorf("%s is not 64 hex digits", string(v))
	}
	copy(raw[:], b)
	return raw, nil
}

// Keep implements KeyVault.
func (v FileVault) Keep(key [32]byte) error {
	return KeepFile(string(v), []byte(hex.EncodeToString(key[:])+"\n"))
}

// KeepFile makes a secret file of mode 0600 whole and durable: linked to its name, so that a power cut does not leave half a
// key, which nobody would dare to replace. [fs.ErrExist] when there is one of that name.
func KeepFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

// ErrMoved: the key was found in both vaults, and they differ.
var ErrMoved = errors.New("two vaults hold different keys")

// MoveKey takes a key from one vault to another and makes sure that it can be had there. forget, which takes it from the
// first, is called only then; whatever is cut short before leaves the key in both, and can be done again.
func MoveKey(from, to KeyVault, forget func() error) error {
	key, err := from.Key()
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := to.Key(); there == nil {
			return nil // done before
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	defer clear(key[:])
	if err := to.Keep(key); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", to, err)
	}
	kept, err := to.Key()
	defer clear(kept[:])
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	if kept != key {
		return fmt.Errorf("%w: %s and %s", ErrMoved, from, to)
	}
	return forget()
}

// ForgetFile overwrites a key file and removes it. A flash disk may keep old blocks all the same: a key that lay in a file
// before it was moved protects no better than that until the terminal gets a new one.
func ForgetFile(path string) error {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	noise := make([]byte, st.Size())
	if _, err = rand.Read(noise); err == nil {
		_, err = f.WriteAt(noise, 0)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), syncDir(filepath.Dir(path)))
}
