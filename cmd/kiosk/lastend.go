package main

// How the program ended the time before: written down at its start and its end, and told in the audit chain when it begins
// again, so that a terminal whose power goes or whose program dies every night is known as such.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/cmd/kiosk/config"
)

// Causes of a start, as the audit chain tells them. A program that systemd ended or saw die is called by systemd's own word
// behind "died-": died-watchdog, died-signal, died-oom-kill, died-exit-code, died-core-dump, died-timeout.
const (
	causeFirst    = "first"    // never before on this disk
	causeStopped  = "stopped"  // ended in good order
	causeRestart  = "restart"  // ended in good order to be started again
	causeRebooted = "rebooted" // ended in good order, then the machine was started anew
	causeDied     = "died"     // the program was gone without having ended
	causePower    = "power"    // so was the whole machine: power cut, crash of the system, or hardware watchdog
)

// maxResult bounds what is read of the service manager's word, in bytes.
const maxResult = 256

// life is what the file says of the program's last life.
type life struct {
	Boot  string `json:"boot"`            // of the machine, by the kernel
	Ended string `json:"ended,omitempty"` // causeStopped or causeRestart; "" while it runs
}

// lives keeps the file of one terminal.
type lives struct {
	dir  string
	boot string // this boot's id; "" when the kernel does not say
}

func livesOf(c config.Config) lives {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return lives{c.Terminal.Data, strings.TrimSpace(string(b))}
}

func (l lives) path() string { return filepath.Join(l.dir, "running.json") }

// result is where budayang.service's ExecStopPost writes how systemd saw the program end.
func (l lives) result() string { return filepath.Join(l.dir, "last-result") }

// begin tells why the program starts and writes down that it runs.
func (l lives) begin() (cause string, err error) {
	cause = l.cause()
	err = replaceJSON(l.path(), life{Boot: l.boot})
	if e := os.Remove(l.result()); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return cause, fmt.Errorf("the file that tells how the program ended: %w", err)
	}
	return cause, nil
}

func (l lives) cause() string {
	b, err := os.ReadFile(l.path())
	if errors.Is(err, fs.ErrNotExist) {
		return causeFirst
	}
	var last life
	if err != nil || json.Unmarshal(b, &last) != nil {
		return causeDied // replaced in one step by us: whatever spoiled it was no good end
	}
	switch same := last.Boot == l.boot; {
	case last.Ended != "" && !same:
		return causeRebooted
	case last.Ended != "":
		return last.Ended
	case !same:
		return causePower
	}
	if word := l.managerSays(); word != "" {
		return causeDied + "-" + word
	}
	return causeDied
}

// managerSays is systemd's $SERVICE_RESULT of the life before, if it is one of its words.
func (l lives) managerSays() string {
	f, err := os.Open(l.result())
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, maxResult)
	n, _ := f.Read(b)
	word, _, _ := strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	switch word {
	case "watchdog", "signal", "oom-kill", "exit-code", "core-dump", "timeout", "resources", "protocol":
		return word
	}
	return ""
}

// end writes down that the program ended in good order.
func (l lives) end(again bool) error {
	last := life{l.boot, causeStopped}
	if again {
		last.Ended = causeRestart
	}
	return replaceJSON(l.path(), last)
}
