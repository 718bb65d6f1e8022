package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/tpm"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// wordsOf are the doctor's words of one language.
func wordsOf(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := assets.FS.ReadFile("lang/" + lang + ".doctor.json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// usedWords are the ids that this program's source can say.
func usedWords(t *testing.T) map[string]bool {
	t.Helper()
	found := regexp.MustCompile(`\b(?:ok|bad|warn)\((?:mend\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\.With\([^()]*(?:\([^()]*\)[^()]*)*\))?, |mend[A-Z]\w*\([^()]*\), |how, )?"([a-z.-]+)"`)
	how := regexp.MustCompile(`\bmend\("([a-z.-]*[a-z])"`)
	part := regexp.MustCompile(`\{"([a-z]+)", (?:func\(|x\.)`)
	used := map[string]bool{"fault.config.line": true, "fault.config.file": true, "fault.command": true, "doc.device.name": true, "doc.span.hours": true, "doc.span.minutes": true, "doc.span.seconds": true}
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found.FindAllStringSubmatch(string(b), -1) {
			used["doc."+m[1]] = true
		}
		for _, m := range how.FindAllStringSubmatch(string(b), -1) {
			used["mend."+m[1]] = true
		}
		if f == "doctor.go" {
			for _, m := range part.FindAllStringSubmatch(string(b), -1) {
				used["doc.part."+m[1]] = true
			}
		}
	}
	for _, word := range []string{"plug", "group", "no-port", "port-held", "silent", "address", "unusable", "driver", "power", "alsa-utils", "sound", "door"} {
		used["mend.device."+word] = true
	}
	for _, code := range []string{"E-REVOKED", "E-TERMINAL", "E-CERT", "E-AUTH", "E-CERT-EXPIRED", "E-CLOCK", "tell"} {
		used["mend.refused."+code] = true
	}
	for _, why := range []devices.Unready{devices.UnreadyNoDevice, devices.UnreadyStarting, devices.UnreadyFraud, devices.UnreadyBroken, devices.UnreadyJammed,
		devices.UnreadyCoverOpen, devices.UnreadyPaperOut, devices.UnreadyTonerOut, devices.UnreadyOffline} {
		used[mendUnready(why).ID] = true
	}
	return used
}

// latin is what may stand in Latin letters on a Chinese page: commands, keys of the configuration, files, names of standards.
var latin = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`kiosk (?:doctor|devices|outbox|stock|desk|key|clock|enroll)(?: (?:list|show|count|load|slip|resolve|clear|salvage|recover|export|confirm|move|audit))?`, `platform (?:enroll|reset|ca|send|orders|audit)(?: (?:verify|resume|\{id\}))*`,
	`--kind ribbon`, `--[a-z-]+`, `(?:systemctl|timedatectl|journalctl|resolvectl|apt|usermod|chmod|chown|mkdir|rm|ps)(?: [-a-z0-9=/.]+)*`, `/[a-z0-9/._-]+`, `\{[a-z]+\}`, `docs/technician\.md`,
	`(?:device|terminal|screen|visit|platform|seal)\.[a-z_.…{}]+`, `\[seal\]`, `vault = "tpm"`, `RuntimeWatchdogSec=30s`, `ModemManager`, `\broot\b`, `CONNECT`, `NTP`, `aplay(?: -L)?`, `alsa-utils`, `PEM`, `MiB`, `DISPLAY`, `DIAGONAL`, `X 会话`, `X 服务器`, `\.spill`, `journal\.key`,
	`by-path`, `SB-P`, `\bzh\b|\ben\b`, `https?`, `p256-sha256|sm2-sm3|aes-256-gcm|sm4-gcm`, `\bfile\b|\btpm\b`, `A4`, `PIN`, `-aG dialout|-R|-c|-p|o-w`, `dialout`,
}, "|"))

func TestEveryFindingIsWorded(t *testing.T) {
	zh, en := wordsOf(t, "zh"), wordsOf(t, "en")
	used := usedWords(t)
	if len(used) < 180 {
		t.Fatalf("only %d ids found: the search is broken", len(used))
	}
	for id := range used {
		if zh[id] == "" || en[id] == "" {
			t.Errorf("%s: zh %q, en %q", id, zh[id], en[id])
		}
	}
	value := regexp.MustCompile(`\{[a-z]+\}`)
	for id, text := range zh {
		if !used[id] && !strings.HasPrefix(id, "fault.") && !strings.HasPrefix(id, "expect.") {
			t.Errorf("%s is worded and never said", id)
		}
		if left := latin.ReplaceAllString(text, ""); regexp.MustCompile(`[A-Za-z]`).MatchString(left) {
			t.Errorf("%s: English in the Chinese wording %q: %q", id, text, left)
		}
		if regexp.MustCompile(`\p{Han}`).MatchString(en[id]) {
			t.Errorf("%s: Chinese in the English wording %q", id, en[id])
		}
		// Chinese may leave a value out, or name by a kind what English quotes; it never asks for one that nobody gives.
		for _, v := range value.FindAllString(text, -1) {
			if !slices.Contains(value.FindAllString(en[id], -1), v) && !slices.Contains([]string{"{why}", "{what}", "{uri}", "{code}", "{expected}", "{where}", "{line}", "{program}"}, v) {
				t.Errorf("%s: %s in Chinese alone", id, v)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration][2]string{12 * time.Second: {"12 s", "12 秒"}, 61 * time.Second: {"1 min 1 s", "1 分 1 秒"}, time.Hour: {"1 h 0 min 0 s", "1 小时 0 分 0 秒"},
		49*time.Hour + 59*time.Minute: {"49 h 59 min 0 s", "49 小时 59 分 0 秒"}} {
		if en, zh := english(span(d)), lexicon().Say("zh", span(d)); en != want[0] || zh != want[1] {
			t.Errorf("%v is %q and %q", d, en, zh)
		}
	}
}

// What this program alone can meet is named in Chinese as well, and English keeps the error's own words.
func TestFaultsOfTheProgram(t *testing.T) {
	problem := config.Problem{File: "/etc/budayang/terminal.toml", Line: 3, Key: "device.id-reader.driver", Expected: "one of sam"}
	all := []error{
		problem, config.Problem{File: "/f", Key: "screen.language", Expected: `"zh" or "en"`}, config.Problem{File: "/f", Line: 2, Key: "screen.langage", Expected: "a key that exists (is it misspelt?)"},
		config.Problem{File: "/f", Line: 2, Expected: "no such syntax"},
		x509.UnknownAuthorityError{}, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, x509.CertificateInvalidError{Cert: &x509.Certificate{}},
		fmt.Errorf("x: %w", uplink.ErrNotEnrolled), uplink.ErrGarbled, uplink.ErrForged, uplink.ErrClock, uplink.ErrProfile, uplink.ErrOtherFile, uplink.ErrUnreachable, wire.ErrCode, tpm.ErrUnreachable, tpm.ErrOther, tpm.ErrRefused, journal.ErrNotFound, journal.ErrMoved, journal.ErrNoSpill, desk.ErrReason, desk.ErrSecond, desk.ErrOperator, desk.ErrOwed, desk.ErrAmbiguous, wire.ErrEvent, wire.ErrFileForeign, wire.ErrFileDamaged, fs.ErrExist, errInput, saying("fault.proxy-refused", "words", "Forbidden"), keyFault(errors.New("not 64 hex digits")),
		fmt.Errorf("%w: %w", uplink.ErrUnreachable, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), io.ErrUnexpectedEOF, context.DeadlineExceeded,
		saying("fault.command", "program", "timedatectl", "words", "timedatectl: exit status 1"),
	}
	for _, code := range []string{"E-PROOF", "E-ENROLL-EXPIRED", "E-ENROLL-USED", "E-ENROLL-LOCKED", "E-ENROLLED", "E-REVOKED", "E-OTHER"} {
		all = append(all, enrolmentFailed(config.Config{}, &uplink.StatusError{Status: 403, Body: wire.Error{Code: code}}))
	}
	said := map[string]bool{}
	for _, err := range all {
		x := faultOf(err)
		said[x.ID] = true
		zh := lexicon().Say("zh", x)
		for _, value := range []string{"timedatectl", "device.id-reader.driver", "/etc/budayang/terminal.toml", "screen.language", "screen.langage", "docs/technician.md", "/f", "E-OTHER", "zh 或 en"} {
			zh = strings.ReplaceAll(zh, value, "")
		}
		if x.ID == "fault.other" || strings.ContainsAny(zh, "{}") || regexp.MustCompile(`[A-Za-z]`).MatchString(zh) {
			t.Errorf("%v: %s in Chinese is %q", err, x.ID, zh)
		}
		if got := english(x); got != err.Error() {
			t.Errorf("%v: in English %q", err, got)
		}
	}
	for id := range wordsOf(t, "zh") {
		if strings.HasPrefix(id, "fault.") && !said[id] {
			t.Errorf("%s is worded and never said", id)
		}
	}
	if got, want := lexicon().Say("zh", faultOf(problem)), "/etc/budayang/terminal.toml · device.id-reader.driver（第 3 行）：应为本角色支持的驱动"; got != want {
		t.Errorf("%q", got)
	}
	if x := faultOf(errors.New("odd")); x.ID != "fault.other" {
		t.Errorf("%+v", x)
	}
}

// The shell speaks the language that is asked for, else its locale's.
func TestShellLanguage(t *testing.T) {
	for _, x := range []struct{ asked, all, messages, lang, want string }{
		{"zh", "", "", "en_US.UTF-8", "zh"}, {"en", "zh_CN.UTF-8", "", "", "en"}, {"auto", "", "", "zh_CN.UTF-8", "zh"}, {"auto", "", "", "", "en"},
		{"auto", "C.UTF-8", "zh_CN.UTF-8", "zh_CN.UTF-8", "en"}, {"auto", "", "zh_CN.UTF-8", "C", "zh"}, {"auto", "", "", "de_DE.UTF-8", "en"},
	} {
		t.Setenv("LC_ALL", x.all)
		t.Setenv("LC_MESSAGES", x.messages)
		t.Setenv("LANG", x.lang)
		if got := shellLanguage(x.asked); got != x.want {
			t.Errorf("%+v: %s", x, got)
		}
	}
	if len(service.Languages) != 2 {
		t.Errorf("the doctor's words are compared in two languages, there are %v", service.Languages)
	}
}
