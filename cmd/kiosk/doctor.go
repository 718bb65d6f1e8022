package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
)

// doctorCmd is `kiosk doctor`: the whole machine, or one part of it in depth.
type doctorCmd struct {
	Machine machineCmd `cmd:"" default:"withargs" help:"Look at the whole machine."`
	Audit   auditCmd   `cmd:"" help:"Verify the audit chain of a stopped terminal."`
}

// machineCmd is `kiosk doctor` without more.
type machineCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
}

// A finding is one thing the doctor looked at.
type finding struct {
	grade string // "ok", "warn", "bad"
	what  string
	mend  string // how to mend it; "" when there is nothing to mend
}

func ok(format string, a ...any) finding { return finding{"ok", fmt.Sprintf(format, a...), ""} }
func warn(mend, format string, a ...any) finding {
	return finding{"warn", fmt.Sprintf(format, a...), mend}
}
func bad(mend, format string, a ...any) finding {
	return finding{"bad", fmt.Sprintf(format, a...), mend}
}

// Run looks at the whole machine in at most ten seconds and says how to mend what it finds.
func (d machineCmd) Run(ctx context.Context, io stdio) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	wrong := 0
	show := func(all ...finding) {
		for _, f := range all {
			fmt.Fprintf(io.out, "%-5s %s\n", f.grade, f.what)
			if f.mend != "" {
				fmt.Fprintf(io.out, "      → %s\n", f.mend)
			}
			if f.grade == "bad" {
				wrong++
			}
		}
	}
	c, err := config.Load(d.Config)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			show(bad("correct the file at the place named, then run kiosk doctor again", "%s", strings.TrimSpace(line)))
		}
		return fmt.Errorf("%d things to mend", wrong)
	}
	show(ok("configuration %s", d.Config))
	show(checkData(c)...)
	show(checkKey(c)...)
	show(d.checkJournal(ctx, c)...)
	show(checkDisplay()...)
	show(checkIdentity(c, time.Now())...)
	show(checkPlatform(ctx, c)...)
	show(checkLetIn(ctx, c)...)
	show(checkDevices(ctx, c)...)
	if wrong > 0 {
		return fmt.Errorf("%d things to mend", wrong)
	}
	return nil
}

// checkData looks at the data directory, its space and the modes of secret files.
func checkData(c config.Config) []finding {
	dir := c.Terminal.Data
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{bad("mkdir -p "+dir+" and give it to the user that runs the terminal", "data directory %s does not exist", dir)}
	case err != nil:
		return []finding{bad("look at the permissions of its parent directories", "data directory %s: %v", dir, err)}
	case !st.IsDir():
		return []finding{bad("move the file away", "data directory %s is a file", dir)}
	}
	var all []finding
	if st.Mode().Perm()&0o077 != 0 {
		all = append(all, bad("chmod 700 "+dir, "data directory %s can be read by others (mode %04o)", dir, st.Mode().Perm()))
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		all = append(all, bad("give the directory to the user that runs the terminal, or mount its disk writable", "cannot write in %s: %v", dir, err))
	} else {
		_ = os.Remove(probe)
	}
	var disk syscall.Statfs_t
	if syscall.Statfs(dir, &disk) == nil {
		free := disk.Bavail * uint64(disk.Bsize) >> 20
		switch {
		case free < 100:
			all = append(all, bad("free space on this disk; below 100 MiB the terminal takes no new business", "%d MiB free for %s", free, dir))
		case free < 1024:
			all = append(all, warn("free space on this disk soon", "%d MiB free for %s", free, dir))
		default:
			all = append(all, ok("%d MiB free for %s", free, dir))
		}
	}
	for _, secret := range []string{c.Platform.CodeFile, filepath.Join(dir, "journal.key"), filepath.Join(dir, "journal.key.tpm"), filepath.Join(dir, uplink.IdentityFile)} {
		st, err := os.Stat(secret)
		switch {
		case err == nil && st.Mode().Perm()&0o077 != 0:
			all = append(all, bad("chmod 600 "+secret, "%s can be read by others (mode %04o)", secret, st.Mode().Perm()))
		case err == nil:
			all = append(all, ok("%s is closed to others", secret))
		}
	}
	return all
}

func (d machineCmd) checkJournal(ctx context.Context, c config.Config) []finding {
	path := journalPath(c)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return []finding{ok("no journal yet; the first start makes it")}
	}
	j, err := journal.Open(path, journalOptions(c))
	switch {
	case errors.Is(err, journal.ErrLocked):
		return []finding{ok("journal is held by the running terminal; stop it to have the chains verified")}
	case errors.Is(err, journal.ErrKey):
		return []finding{bad("put the key that belongs to this journal back (kiosk key show says where it should lie); without it, kiosk outbox salvage", "journal: %v", err)}
	case errors.Is(err, journal.ErrDamaged):
		return []finding{bad("do not delete anything; copy "+filepath.Dir(path)+" away, then kiosk outbox recover -c "+d.Config+", and call support about the disk", "journal: %v", err)}
	case err != nil:
		return []finding{bad("do not delete anything; copy "+filepath.Dir(path)+" away and call support", "journal: %v", err)}
	}
	defer j.Close()
	r, err := j.Verify(ctx)
	if err != nil {
		return []finding{bad("keep the file and call support", "journal: %v", err)}
	}
	var all []finding
	for _, p := range r.Problems {
		all = append(all, bad("keep the file and call support", "journal: %s", p))
	}
	if r.Unsettled > 0 {
		all = append(all, warn("start the terminal: it asks the devices what became of them", "journal: %d effects without outcome", r.Unsettled))
	}
	if j.ClockUnsure() {
		all = append(all, warn("let the terminal reach its platform; at a site without a line set the clock, then kiosk clock confirm -c "+d.Config, "the clock contradicts what is known of the time (kiosk clock)"))
	}
	if len(all) == 0 {
		all = append(all, ok("journal: %d cases, %d effects, %d records, chains whole", r.Cases, r.Effects, r.Records))
	}
	return all
}

func checkDisplay() []finding {
	if os.Getenv("DISPLAY") == "" {
		return []finding{warn("start the terminal inside an X session (docs/technician.md)", "no DISPLAY in this shell")}
	}
	return []finding{ok("display %s", os.Getenv("DISPLAY"))}
}

// checkIdentity looks at the enrolment and at the age of the certificate.
func checkIdentity(c config.Config, now time.Time) []finding {
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); errors.Is(err, fs.ErrNotExist) {
		return []finding{bad("have a code made (platform enroll "+c.Terminal.ID+") and run kiosk enroll", "terminal %s has no keys yet and is not enrolled", c.Terminal.ID)}
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	switch {
	case err != nil:
		return []finding{bad("if the file is spoiled, move it away, have the terminal reset (platform reset "+c.Terminal.ID+") and enrol it again", "%v", err)}
	case !id.Enrolled():
		return []finding{bad("have a code made (platform enroll "+c.Terminal.ID+") and run kiosk enroll", "terminal %s is not enrolled", c.Terminal.ID)}
	}
	from, until := id.Certified()
	days := int(until.Sub(now).Hours() / 24)
	switch {
	case now.Before(from):
		return []finding{bad("look at the clock: it is before this terminal's enrolment", "certificate begins %s", from.Local().Format(time.DateTime))}
	case now.After(until):
		return []finding{warn("nothing by hand if this is less than half a year ago: it renews itself when the platform can be reached; later, have the terminal reset and enrol it again", "certificate ended %s", until.Local().Format(time.DateOnly))}
	case days < 30:
		return []finding{warn("let the terminal reach its platform: it should have renewed its certificate by now", "certificate ends in %d days", days)}
	}
	return []finding{ok("enrolled as %s (%s); certificate good for %d days", c.Terminal.ID, id.Profile(), days)}
}

// checkLetIn asks for the catalogue as the terminal does.
func checkLetIn(ctx context.Context, c config.Config) []finding {
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); err != nil {
		return nil
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil || !id.Enrolled() {
		return nil
	}
	client, err := uplink.NewClient(c.Platform.URL, c.Platform.CA, id)
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	_, err = client.Catalogue(ctx)
	var refused *uplink.StatusError
	switch {
	case err == nil:
		return []finding{ok("the platform lets this terminal in")}
	case !errors.As(err, &refused):
		return nil // that it cannot be reached was said above
	}
	again := "have it reset (platform reset " + c.Terminal.ID + "), a new code made, and run kiosk enroll"
	mend := map[string]string{
		"E-REVOKED":      "an operator put it out: ask why; then " + again,
		"E-TERMINAL":     "it was reset or never enrolled there: have a code made (platform enroll " + c.Terminal.ID + ") and run kiosk enroll",
		"E-CERT":         "its keys are older than those the platform knows, as on a restored or copied disk: " + again + " --new-keys",
		"E-AUTH":         "its keys are not those the platform knows, as on a restored or copied disk: " + again + " --new-keys",
		"E-CERT-EXPIRED": "nothing by hand: the running terminal renews it, up to half a year after its end",
		"E-CLOCK":        "look at the clock and its battery",
	}[refused.Body.Code]
	if mend == "" {
		mend = "tell the platform's operator"
	}
	return []finding{bad(mend, "the platform does not let this terminal in: %s", refused.Body.Code)}
}

// checkPlatform speaks TLS with the platform and compares clocks.
func checkPlatform(ctx context.Context, c config.Config) []finding {
	pem, err := os.ReadFile(c.Platform.CA)
	if err != nil {
		return []finding{bad("copy the authority's PEM from the platform (platform ca prints it) to this place", "%v", err)}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return []finding{bad("copy the authority's PEM from the platform (platform ca prints it) to this place", "%s holds no certificate", c.Platform.CA)}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u, _ := url.Parse(c.Platform.URL)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("healthz").String(), nil)
	if err != nil {
		return []finding{bad("correct platform.url", "platform: %v", err)}
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer tr.CloseIdleConnections()
	before := time.Now()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		var unknown x509.UnknownAuthorityError
		var name x509.HostnameError
		var expired x509.CertificateInvalidError
		mend := "look at cable, network, DNS and the address in platform.url; the terminal serves what works offline meanwhile"
		switch {
		case errors.As(err, &unknown):
			mend = "platform.ca is not the authority of this platform: copy the right one"
		case errors.As(err, &name):
			mend = "platform.url names another host than the platform's certificate"
		case errors.As(err, &expired):
			mend = "the platform's certificate is not valid at this machine's time: look at the clock first"
		}
		return []finding{bad(mend, "platform %s: %v", u.Host, err)}
	}
	_ = resp.Body.Close()
	took := time.Since(before)
	all := []finding{ok("platform %s answers in %v", u.Host, took.Round(time.Millisecond))}
	if resp.StatusCode != http.StatusOK {
		all[0] = bad("tell the platform's operator", "platform %s answers %s", u.Host, resp.Status)
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		off := time.Since(t).Round(time.Second)
		switch {
		case off.Abs() > 3*time.Minute:
			all = append(all, bad("set the clock (timedatectl set-ntp true); the platform refuses requests more than 180 s off", "clock is %v off the platform's", off))
		case off.Abs() > 10*time.Second:
			all = append(all, warn("let the clock be set by NTP", "clock is %v off the platform's", off))
		default:
			all = append(all, ok("clock agrees with the platform's"))
		}
	}
	return all
}

// checkDevices opens and probes every configured device that no running terminal holds.
func checkDevices(ctx context.Context, c config.Config) []finding {
	var all []finding
	for _, r := range probeAll(ctx, c) {
		name := fmt.Sprintf("%s (%s)", r.role, c.Device[r.role].URI)
		switch why := r.status.Unready(); {
		case r.err != nil:
			all = append(all, bad(mendDevice(r.role, r.err), "%s: %v", name, r.err))
		case why != devices.UnreadyNot:
			all = append(all, bad(mendUnready(why), "%s: %s %s", name, why, strings.Join(r.status.Reasons, " ")))
		case r.status.Paper == devices.SupplyLow || r.status.Toner == devices.SupplyLow:
			all = append(all, warn("refill at the next visit", "%s: paper %s, toner %s", name, r.status.Paper, r.status.Toner))
		default:
			all = append(all, ok("%s: %s", name, strings.TrimSpace(r.status.Identity.Model+" "+r.status.Identity.Serial)))
		}
	}
	return all
}

func mendDevice(role devices.Role, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "plug it in, or correct device." + string(role) + ".uri (kiosk devices list shows the ports)"
	case errors.Is(err, fs.ErrPermission):
		return "add the user to the group of the port (usermod -aG dialout), then log in again"
	case errors.Is(err, devices.ErrBusy):
		return "another program holds the port: the running terminal, or ModemManager (apt purge modemmanager)"
	case errors.Is(err, devices.ErrSilent):
		return "switch it on; look at cable and baud rate"
	case errors.Is(err, devices.ErrUnusable):
		return "the device itself says that it cannot work: replace it, or look at its own panel"
	}
	return "look at power and cable"
}

func mendUnready(why devices.Unready) string {
	return map[devices.Unready]string{
		devices.UnreadyNoDevice:  "switch it on; look at power and cable",
		devices.UnreadyStarting:  "wait a moment and run kiosk doctor again",
		devices.UnreadyFraud:     "this is not the device that was commissioned: find out why, then change device.….serial",
		devices.UnreadyBroken:    "look at the device's own panel; replace it if it stays so",
		devices.UnreadyJammed:    "open it, take the paper out, close it",
		devices.UnreadyCoverOpen: "close the cover",
		devices.UnreadyPaperOut:  "put paper in",
		devices.UnreadyTonerOut:  "change the toner",
		devices.UnreadyOffline:   "press the printer's on-line button",
	}[why]
}
