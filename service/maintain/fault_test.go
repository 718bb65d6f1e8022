package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
)

func faultWords(t *testing.T) service.Messages {
	t.Helper()
	m := service.Messages{}
	for _, lang := range service.Languages {
		m[lang] = map[string]string{}
		for _, room := range []string{"fault", "maintain"} {
			b, err := fs.ReadFile(assets.FS, "lang/"+lang+"."+room+".json")
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, ptr(m[lang])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

func ptr(m map[string]string) *map[string]string { return &m }

// Whatever can go wrong has a name in every language, and a Chinese page says it in Chinese.
func TestEveryFaultIsWorded(t *testing.T) {
	m := faultWords(t)
	var all []error
	for _, k := range kindsOfFault {
		for _, e := range k.errs {
			all = append(all, fmt.Errorf("outer: %w", &fs.PathError{Op: "open", Path: "/x/1", Err: e}))
		}
	}
	all = append(all, &exec.Error{Name: "decoder", Err: exec.ErrNotFound}, &net.DNSError{Name: "platform.invalid", Err: "no such host"},
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, context.DeadlineExceeded)
	for _, o := range []devices.PrintOutcome{devices.PrintNotSent, devices.PrintFailed, devices.PrintUnknown} {
		all = append(all, PrintFault(devices.PrintResult{Outcome: o, Why: devices.UnreadyJammed, Detail: "no answer"}), PrintFault(devices.PrintResult{Outcome: o}))
	}
	all = append(all, stillDoor{devices.CoverOpen}, unready{devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}})
	said := map[string]bool{}
	for _, err := range all {
		x := Fault(err)
		said[x.ID] = true
		zh := m.Say("zh", x)
		for _, value := range []string{"/x/1", "decoder", "platform.invalid", "PIN"} { // names stay as they are
			zh = strings.ReplaceAll(zh, value, "")
		}
		if zh == "" || strings.ContainsAny(zh, "{}") || regexp.MustCompile(`[A-Za-z]`).MatchString(zh) {
			t.Errorf("%v: %s in Chinese is %q", err, x.ID, zh)
		}
		if en := m.Say("en", x); strings.HasPrefix(x.ID, "fault.") && en != err.Error() {
			t.Errorf("%v: in English %q", err, en)
		}
	}
	if x := Fault(errors.New("of no known kind")); m.Say("zh", x) != "未归类的故障，原文：of no known kind" {
		t.Errorf("%+v", x)
	}
	if x := Fault(nil); !x.IsZero() {
		t.Errorf("nothing went wrong: %+v", x)
	}
	for id := range m["zh"] {
		if strings.HasPrefix(id, "fault.") && !said[id] && id != "fault.other" && id != "fault.print.why" {
			t.Errorf("%s is worded and never said", id)
		}
	}
}
