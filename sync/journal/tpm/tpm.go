// Package tpm is a TPM 2.0 as the journal's vault: the key lies in a file that only the TPM which sealed it can open, so that
// a disk without its board is worth nothing.
//
// The key is sealed under the storage root key of the owner hierarchy (the ECC P-256 template of the TCG's provisioning
// guidance), which the TPM derives anew each time from a seed that never leaves it. [Vault.Keep] has the TPM seal the key and
// writes what came of it; [Vault.Key] has it opened. Both go over a session that is salted with the root key, so that nothing
// of the key travels between board and chip in the open.
//
// It is not bound to PCRs: their values change with every update of firmware, boot loader and kernel, and a terminal that
// cannot open its journal after an update is worse than what the binding adds to a machine whose disk is not taken out. What
// the platform is owed survives the TPM in any case, because data keys are sealed to the platform as well.
//
// A file that another TPM sealed, or this one before it was cleared, is [ErrOther]; a TPM that does not answer is
// [ErrUnreachable]. Neither makes a new key.
package tpm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/budayang/kiosk/sync/journal"
)

// Errors of a vault.
var (
	// ErrOther: the TPM is not the one that sealed the key, or it was cleared since.
	ErrOther = errors.New("this TPM did not seal the key")
	// ErrUnreachable: there is no TPM at the address, or it does not answer.
	ErrUnreachable = errors.New("TPM cannot be reached")
	// ErrRefused: the TPM answers, and does not do it.
	ErrRefused = errors.New("TPM refuses")
	// ErrFile: the file is not one that this package wrote.
	ErrFile = errors.New("not a sealed key")
)

// Vault keeps the journal's key in a file that a TPM sealed.
type Vault struct {
	File   string
	Device string // "/dev/tpmrm0", or "unix:PATH" of a software TPM
}

var _ journal.KeyVault = Vault{}

// String implements journal.KeyVault.
func (v Vault) String() string { return fmt.Sprintf("key %s sealed by the TPM %s", v.File, v.Device) }

// sealed is the file.
type sealed struct {
	V       int    `json:"v"`       // 1
	Root    []byte `json:"root"`    // name of the storage root key that it was sealed under
	Public  []byte `json:"public"`  // TPMT_PUBLIC of the sealed object
	Private []byte `json:"private"` // TPM2B_PRIVATE's contents, encrypted by the TPM
}

// maxFile is more than a file of this package ever has, in bytes.
const maxFile = 8 << 10

func parse(b []byte) (s sealed, err error) {
	if len(b) > maxFile || json.Unmarshal(b, &s) != nil || s.V != 1 || len(s.Root) == 0 || len(s.Public) == 0 || len(s.Private) == 0 {
		return sealed{}, ErrFile
	}
	return s, nil
}

// Key implements journal.KeyVault.
func (v Vault) Key() (key [32]byte, err error) {
	st, err := os.Stat(v.File)
	if err != nil {
		return key, err
	}
	if st.Size() > maxFile {
		return key, fmt.Errorf("%w: %s has %d bytes", ErrFile, v.File, st.Size())
	}
	b, err := os.ReadFile(v.File)
	if err != nil {
		return key, err
	}
	s, err := parse(b)
	if err != nil {
		return key, fmt.Errorf("%w: %s", err, v.File)
	}
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](s.Public)
	if err != nil {
		return key, fmt.Errorf("%w: %s", ErrFile, v.File)
	}
	err = v.with(func(t transport.TPM, root *tpm2.CreatePrimaryResponse, session func(bool) tpm2.Session) error {
		if string(root.Name.Buffer) != string(s.Root) {
			return v.other()
		}
		loaded, err := tpm2.Load{
			ParentHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: session(false)},
			InPrivate:    tpm2.TPM2BPrivate{Buffer: s.Private},
			InPublic:     tpm2.New2B(*public),
		}.Execute(t)
		if errors.Is(err, tpm2.TPMRCIntegrity) {
			return v.other()
		}
		if err != nil {
			return fmt.Errorf("%w: load: %w", ErrRefused, err)
		}
		defer flush(t, loaded.ObjectHandle)
		out, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: session(true)}}.Execute(t)
		if err != nil {
			return fmt.Errorf("%w: unseal: %w", ErrRefused, err)
		}
		defer clear(out.OutData.Buffer)
		if len(out.OutData.Buffer) != len(key) {
			return fmt.Errorf("%w: %s holds %d bytes", ErrFile, v.File, len(out.OutData.Buffer))
		}
		copy(key[:], out.OutData.Buffer)
		return nil
	})
	return key, err
}

// other says what may have become of the TPM, and what still can be done.
func (v Vault) other() error {
	return fmt.Errorf("%w: %s was sealed by another TPM than %s, or by this one before it was cleared: put the disk back into its board; "+
		"if that is lost, kiosk outbox salvage writes what waits into a file for the platform, and the terminal begins anew", ErrOther, v.File, v.Device)
}

// Keep implements journal.KeyVault.
func (v Vault) Keep(key [32]byte) error {
	if _, err := os.Stat(v.File); err == nil {
		return fmt.Errorf("%s: %w", v.File, fs.ErrExist)
	}
	var s sealed
	err := v.with(func(t transport.TPM, root *tpm2.CreatePrimaryResponse, session func(bool) tpm2.Session) error {
		data := append([]byte(nil), key[:]...)
		defer clear(data)
		made, err := tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: session(false)},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: data})}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true}}),
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("%w: seal: %w", ErrRefused, err)
		}
		s = sealed{V: 1, Root: root.Name.Buffer, Public: made.OutPublic.Bytes(), Private: made.OutPrivate.Buffer}
		return nil
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return journal.KeepFile(v.File, append(b, '\n'))
}

// busyFor is how long a TPM may be busy with others before it counts as not to be reached.
const busyFor = 5 * time.Second

// with opens the TPM and derives its storage root key. session makes an encrypted session: for an answer, or for a question.
func (v Vault) with(do func(t transport.TPM, root *tpm2.CreatePrimaryResponse, session func(answer bool) tpm2.Session) error) error {
	t, err := open(v.Device)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer func() { _ = t.Close() }()
	root, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	switch {
	case errors.Is(err, tpm2.TPMRCAuthFail), errors.Is(err, tpm2.TPMRCBadAuth):
		return fmt.Errorf("%w: the owner hierarchy of %s has a password: the terminal needs it without one", ErrRefused, v.Device)
	case isRC(err):
		return fmt.Errorf("%w: storage root key: %w", ErrRefused, err)
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, v.Device, err)
	}
	defer flush(t, root.ObjectHandle)
	public, err := root.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("%w: storage root key: %w", ErrRefused, err)
	}
	return do(t, root, func(answer bool) tpm2.Session {
		way := tpm2.EncryptIn
		if answer {
			way = tpm2.EncryptOut
		}
		return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.AESEncryption(128, way), tpm2.Salted(root.ObjectHandle, *public))
	})
}

// isRC says that the TPM answered with a code of its own.
func isRC(err error) bool {
	var rc tpm2.TPMRC
	return errors.As(err, &rc)
}

// flush gives a transient object back; a TPM has room for three.
func flush(t transport.TPM, h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(t)
}
