package main

// The journal's key: where it lies, and how it gets from a file into a TPM and back.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/tpm"
)

// keyCmd is `kiosk key` with its subcommands.
type keyCmd struct {
	Show keyShowCmd `cmd:"" default:"withargs"`
	Move keyMoveCmd `cmd:""`
}

// vaults are both places of a terminal's key.
func vaults(c config.Config) (file journal.FileVault, chip tpm.Vault) {
	return journal.FileVault(filepath.Join(c.Terminal.Data, "journal.key")),
		tpm.Vault{File: filepath.Join(c.Terminal.Data, "journal.key.tpm"), Device: c.Seal.TPM}
}

// vaultOf is where the configuration says that the key lies.
func vaultOf(c config.Config) journal.KeyVault {
	file, chip := vaults(c)
	if c.Seal.Vault == config.VaultTPM {
		return placed{chip, string(file), "key.in-file"}
	}
	return placed{file, chip.File, "key.in-tpm"}
}

// placed says so when the key lies in the other vault: then the configuration was changed and the key not moved, and a new
// one must not be made.
type placed struct {
	journal.KeyVault
	other, says string
}

// Key implements journal.KeyVault.
func (p placed) Key() ([32]byte, error) {
	key, err := p.KeyVault.Key()
	if errors.Is(err, fs.ErrNotExist) {
		if _, serr := os.Stat(p.other); serr == nil {
			return key, refuse(p.says, "file", p.other)
		}
	}
	return key, err
}

// keyShowCmd is `kiosk key show`.
type keyShowCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
}

// Run says where the key lies and whether it can be had; it never shows it.
func (k keyShowCmd) Run(io stdio) error {
	c, err := config.Load(k.Config)
	if err != nil {
		return err
	}
	key, err := vaultOf(c).Key()
	clear(key[:])
	if errors.Is(err, fs.ErrNotExist) {
		io.tell("key.none", "where", vaultOf(c))
		return nil
	}
	if err != nil {
		return err
	}
	io.tell("key.had", "where", vaultOf(c))
	return nil
}

// keyMoveCmd is `kiosk key move`.
type keyMoveCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
}

// Run moves the key to the vault that the configuration names. What is cut short leaves it in both and can be done again.
func (k keyMoveCmd) Run(io stdio) error {
	c, err := config.Load(k.Config)
	if err != nil {
		return err
	}
	file, chip := vaults(c)
	if c.Seal.Vault == config.VaultTPM {
		err = journal.MoveKey(file, chip, func() error { return journal.ForgetFile(string(file)) })
	} else {
		err = journal.MoveKey(chip, file, func() error { return journal.ForgetFile(chip.File) })
	}
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("key.no-move")
	}
	if err == nil {
		io.tell("key.moved", "where", vaultOf(c))
	}
	return err
}

// keyFault names a key that is there and is none.
func keyFault(err error) error {
	if faultOf(err).ID == "fault.other" {
		return saying("fault.key-file", "words", err.Error())
	}
	return err
}

// checkKey is the doctor's look at the key.
func checkKey(c config.Config) []finding {
	file, chip := vaults(c)
	key, err := vaultOf(c).Key()
	clear(key[:])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, tpm.ErrUnreachable):
		return []finding{bad(mend("key.tpm", "tpm", c.Seal.TPM), "key.error").because(err)}
	case err != nil && c.Seal.Vault == config.VaultTPM:
		return []finding{bad(mend("key.board"), "key.error").because(err)}
	case err != nil:
		return []finding{bad(mend("key.file"), "key.error").because(keyFault(err))}
	case c.Seal.Vault != config.VaultTPM:
		if _, err := os.Stat(config.DefaultTPM); err == nil {
			return []finding{warn(mend("key.move-in"), "key.weak", "where", string(file))}
		}
		return []finding{ok("key.weak-only", "where", string(file))}
	}
	if _, err := os.Stat(string(file)); err == nil {
		return []finding{bad(mend("key.move"), "key.twice", "where", string(file))}
	}
	return []finding{ok("key.tpm", "where", chip.String())}
}
