package main

// The words of findings and faults outside the screen: the shell in its own language, files and logs in English.

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/tpm"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
	"github.com/budayang/kiosk/ui"
)

// lexicon is the language files; what is missing is said by its id.
var lexicon = sync.OnceValue(func() service.Messages {
	all, err := ui.LoadWords(assets.FS, "lang")
	if err != nil {
		return service.Messages{}
	}
	return all
})

func english(t service.Text) string { return lexicon().Say("en", t) }

// shellLanguage is the language asked for, or with "auto" that of the shell's locale; English where it is neither.
func shellLanguage(asked string) string {
	if asked != "auto" {
		return asked
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} { // the first that is set counts, as in locale(7)
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}

// said is an error in the words of the language files; err, which may be nil, is what it comes from.
type said struct {
	text service.Text
	err  error
}

func (s said) Error() string      { return english(s.text) }
func (s said) Text() service.Text { return s.text }
func (s said) Unwrap() error      { return s.err }

// saying is an error with these words.
func saying(id string, pairs ...string) error { return said{text: service.T(id, pairs...)} }

// faultOf says what went wrong: what this program alone knows, else what the console knows.
func faultOf(err error) service.Text {
	var s said
	if errors.As(err, &s) {
		return s.text
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	var wrong config.Problem
	if errors.As(err, &wrong) {
		return problemText(wrong)
	}
	var refused *uplink.StatusError
	if errors.As(err, &refused) {
		if known := "fault.platform." + refused.Body.Code; lexicon()["zh"][known] != "" {
			return service.T(known, "words", text)
		}
		return service.T("fault.platform", "words", text, "code", refused.Body.Code)
	}
	if id := tlsFault(err); id != "" {
		return service.T("fault."+id, "words", text)
	}
	for _, k := range []struct {
		id  string
		err error
	}{{"not-enrolled", uplink.ErrNotEnrolled}, {"garbled", uplink.ErrGarbled}, {"forged", uplink.ErrForged}, {"time", uplink.ErrClock}, {"signatures", uplink.ErrProfile}, {"other-file", uplink.ErrOtherFile}, {"code", wire.ErrCode},
		{"not-found", journal.ErrNotFound}, {"moved", journal.ErrMoved}, {"no-spill", journal.ErrNoSpill}, {"reason", desk.ErrReason}, {"second", desk.ErrSecond}, {"who", desk.ErrOperator},
		{"owed", desk.ErrOwed}, {"ambiguous", desk.ErrAmbiguous}, {"event", wire.ErrEvent}, {"file-foreign", wire.ErrFileForeign}, {"file-damaged", wire.ErrFileDamaged},
		{"file-there", fs.ErrExist}, {"input", errInput}, {"tpm", tpm.ErrUnreachable}, {"tpm-other", tpm.ErrOther}, {"tpm-refused", tpm.ErrRefused}} {
		if errors.Is(err, k.err) {
			return service.T("fault."+k.id, "words", text)
		}
	}
	if t := maintain.Fault(err); t.ID != "fault.other" {
		return t
	}
	if errors.Is(err, uplink.ErrUnreachable) {
		return service.T("fault.line", "words", text)
	}
	return service.T("fault.other", "words", text)
}

// tlsFault names what a certificate lacks; "" where it is nothing of that kind.
func tlsFault(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "authority"
	case errors.As(err, &name):
		return "host"
	case errors.As(err, &invalid):
		return "certificate"
	}
	return ""
}

var deviceKey = regexp.MustCompile(`^device\.[a-z-]+`)

// problemText says what a configuration's mistake is.
func problemText(p config.Problem) service.Text {
	id := "fault.config.line"
	if p.Line == 0 {
		id = "fault.config.file"
	}
	expect := "expect." + deviceKey.ReplaceAllString(p.Key, "device")
	switch {
	case strings.HasPrefix(p.Expected, "a key that exists"):
		expect = "expect.known"
	case lexicon()["zh"][expect] == "":
		expect = "expect.other"
	}
	where := p.File
	if p.Key != "" {
		where += " · " + p.Key
	}
	return service.T(id, "words", p.Error(), "where", where, "line", strconv.Itoa(p.Line)).With("expected", service.T(expect, "words", p.Expected))
}
