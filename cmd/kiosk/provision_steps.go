package main

// The steps of provisioning, but for the devices.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

func (f *flow) askLanguage(ctx context.Context) (done service.Text, err error) {
	names := map[string]string{"zh": "中文", "en": "English"}
	lang, err := f.choose(ctx, service.T("prov.step.language"), service.T("prov.step.language.hint"), []string{"zh", "en"}, func(id string) service.Text { return plainText(names[id]) })
	if err != nil {
		return done, err
	}
	f.draft.Config.Screen.Language = lang
	f.speak(lang)
	return plainText(names[lang]), nil
}

// check parses what was answered so far and says what is wrong with keys that begin so.
func (f *flow) check(prefix string) error {
	_, err := config.Parse(f.provisionCmd.Config, writeConfig(f.draft.Config))
	var all []error
	for _, e := range unjoin(err) {
		var p config.Problem
		if errors.As(e, &p) && strings.HasPrefix(p.Key, prefix) {
			all = append(all, said{text: service.T("prov.expected", "key", p.Key, "words", p.Expected).With("expected", problemText(p).Parts["expected"])})
		}
	}
	return errors.Join(all...)
}

func unjoin(err error) []error {
	if many, is := err.(interface{ Unwrap() []error }); is {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func (f *flow) askIdentity(ctx context.Context) (done service.Text, err error) {
	t := &f.draft.Config.Terminal
	v, err := f.form(ctx, "identity", service.Field{ID: "id", Kind: service.FieldText, Required: true, Value: t.ID}, service.Field{ID: "no", Kind: service.FieldText, Required: true, Max: 4, Value: t.No},
		service.Field{ID: "site", Kind: service.FieldHan, Required: true, Max: 40, Value: t.Site})
	if err != nil {
		return done, err
	}
	t.ID, t.No, t.Site = v["id"], strings.ToUpper(v["no"]), v["site"]
	if t.Name == "" || strings.HasSuffix(t.Name, " 号终端") {
		t.Name = t.No + " 号终端"
	}
	return plainText(t.ID + " · " + t.Site), f.check("terminal.")
}

// turns are how a panel may be mounted, as /etc/default/budayang has it.
var turns = []string{"normal", "left", "right", "inverted"}

func (f *flow) askScreen(ctx context.Context) (done service.Text, err error) {
	s := &f.draft.Config.Screen
	if seen, found := connectedPanel("/"); found && f.Done["screen"].IsZero() {
		s.Width, s.Height, s.DiagonalMM = seen.Width, seen.Height, seen.diagonal()
	} else if f.screen.Width > 0 && f.Done["screen"].IsZero() {
		s.Width, s.Height = f.screen.Width, f.screen.Height
	}
	turn, err := f.choose(ctx, service.T("prov.step.screen"), service.T("prov.turn.hint"), turns, func(id string) service.Text { return service.T("prov.turn." + id) })
	if err != nil {
		return done, err
	}
	if (turn == "left" || turn == "right") && s.Width > s.Height {
		s.Width, s.Height = s.Height, s.Width
	}
	n := preset
	v, err := f.form(ctx, "screen", service.Field{ID: "width", Kind: service.FieldDigits, Required: true, Max: 4, Value: n(s.Width)}, service.Field{ID: "height", Kind: service.FieldDigits, Required: true, Max: 4, Value: n(s.Height)},
		service.Field{ID: "diagonal", Kind: service.FieldDigits, Required: true, Max: 4, Value: n(s.DiagonalMM)})
	if err != nil {
		return done, err
	}
	f.Rotate = turn
	s.Width, s.Height, s.DiagonalMM = number(v["width"]), number(v["height"]), number(v["diagonal"])
	s.FullScreen = os.Getenv(provisionSizeEnv) == ""
	return service.T("prov.said.screen", "width", n(s.Width), "height", n(s.Height), "mm", n(s.DiagonalMM)).With("turn", service.T("prov.turn."+turn)), f.check("screen.")
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// preset is a number in a field before somebody types; a nought would stand before what is typed.
func preset(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// timeFindings are what the machine's look tells of the time.
func timeFindings(m machine) (all []finding) {
	for _, x := range checkMachine(config.Config{}, m) {
		if strings.HasPrefix(x.What.ID, "doc.zone") || strings.HasPrefix(x.What.ID, "doc.clock") {
			all = append(all, x)
		}
	}
	return all
}

// askTime shows time zone and source, and sets them where this program may.
func (f *flow) askTime(ctx context.Context) (done service.Text, err error) {
	for {
		all := timeFindings(theMachine())
		p := maintain.Panel{Page: provisioning, ID: "time", Title: service.T("prov.step.time"), Hint: plainText(time.Now().Format(time.DateTime + " MST")), Rows: rowsOf(all),
			Grid: []maintain.Button{{ID: "zone", Label: service.T("prov.time.zone")}, {ID: "ntp", Label: service.T("prov.time.ntp")}}, Next: maintain.Button{ID: "next", Label: service.T("prov.accept")}}
		id, err := f.panel(ctx, p)
		if err != nil {
			return done, err
		}
		switch id {
		case "next":
			zone, _ := time.Now().Zone()
			return plainText(zone + " " + time.Now().Format("15:04")), nil
		case "zone":
			err = command(ctx, "timedatectl", "set-timezone", "Asia/Shanghai")
			if err == nil {
				err = saying("prov.zone-set")
			}
		case "ntp":
			err = f.setNTP(ctx)
		}
		if err != nil && !errors.Is(err, service.ErrBack) {
			if err := f.tell(ctx, service.T("prov.step.time"), maintain.GradeWarn, faultOf(err)); err != nil {
				return done, err
			}
		}
	}
}

// timesync is where the time source is named for systemd-timesyncd.
const timesync = "/etc/systemd/timesyncd.conf.d/budayang.conf"

func (f *flow) setNTP(ctx context.Context) error {
	v, err := f.form(ctx, "time", service.Field{ID: "ntp", Kind: service.FieldText, Required: true})
	if err != nil {
		return err
	}
	if strings.ContainsAny(v["ntp"], "\n\r=#[]") {
		return saying("prov.not-a-host")
	}
	if err := os.MkdirAll(filepath.Dir(timesync), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(timesync, []byte("[Time]\nNTP="+v["ntp"]+"\n"), 0o644); err != nil {
		return err
	}
	if err := command(ctx, "timedatectl", "set-ntp", "true"); err != nil {
		return err
	}
	return command(ctx, "systemctl", "try-restart", "systemd-timesyncd")
}

// command runs a program of the system's and gives its own words when it fails.
func command(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return saying("fault.command", "program", name, "words", fmt.Sprintf("%s: %v %s", name, err, strings.TrimSpace(string(out[:min(len(out), 200)]))))
	}
	return nil
}

func rowsOf(all []finding) (rows []maintain.Row) {
	for _, x := range all {
		rows = append(rows, maintain.Row{Label: x.What, Detail: x.Mend, Pill: service.T("tech.grade." + x.Grade), Grade: maintain.Grade(x.Grade)})
	}
	return rows
}

// askPlatform asks where the platform is and looks at the way there. It is not done while something is bad.
func (f *flow) askPlatform(ctx context.Context) (done service.Text, err error) {
	p := &f.draft.Config.Platform
	v, err := f.form(ctx, "platform", service.Field{ID: "url", Kind: service.FieldText, Required: true, Value: p.URL}, service.Field{ID: "ca", Kind: service.FieldText, Required: true, Value: p.CA},
		service.Field{ID: "proxy", Kind: service.FieldText, Value: p.Proxy})
	if err != nil {
		return done, err
	}
	p.URL, p.CA, p.Proxy = v["url"], v["ca"], v["proxy"]
	if err := f.check("platform."); err != nil {
		return done, err
	}
	var all []finding
	title := service.T("prov.step.platform")
	if err := f.busy(ctx, title, service.T("tech.network.looking"), func(ctx context.Context) error { all = checkPlatform(ctx, f.draft.Config); return nil }); err != nil {
		return done, err
	}
	bad := slices.ContainsFunc(all, func(x finding) bool { return x.Grade == gradeBad })
	panel := maintain.Panel{Page: provisioning, ID: "network", Title: title, Rows: rowsOf(all)}
	if !bad {
		panel.Next = maintain.Button{ID: "next", Label: service.T("prov.accept")}
	}
	if _, err := f.panel(ctx, panel); err != nil {
		return done, err
	}
	return plainText(p.URL), nil
}

// askCode enrols the terminal with a one-time code.
func (f *flow) askCode(ctx context.Context) (done service.Text, err error) {
	c := f.draft.Config
	if f.Done["identity"].IsZero() || f.Done["platform"].IsZero() {
		return done, saying("prov.first.identity")
	}
	if err := prepareData(c.Terminal.Data); err != nil {
		return done, err
	}
	id, err := identity(c)
	if err != nil {
		return done, err
	}
	if !id.Enrolled() {
		v, err := f.form(ctx, "enrol", service.Field{ID: "once", Kind: service.FieldText, Required: true, Max: 64, Secret: true})
		if err != nil {
			return done, err
		}
		code := v["once"]
		if _, err := wire.CodeKey(c.Terminal.ID, code); err != nil {
			return done, err
		}
		err = f.busy(ctx, service.T("prov.step.enrol"), service.T("tech.test.wait"), func(ctx context.Context) error {
			client, err := newClient(c, id)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			return client.Enroll(ctx, c.Terminal.Site, c.Terminal.Name, code)
		})
		if err != nil {
			return done, enrolmentFailed(c, err)
		}
	}
	_, until := id.Certified()
	return plainText(until.Local().Format(time.DateOnly)), nil
}

// askTechnician makes the first technician, whose name stands under what follows.
func (f *flow) askTechnician(ctx context.Context) (done service.Text, err error) {
	v, err := f.form(ctx, "technician", service.Field{ID: "operator", Kind: service.FieldText, Required: true, Max: 32, Value: f.Operator}, service.Field{ID: "code", Kind: service.FieldDigits, Required: true, Max: 8},
		service.Field{ID: "pin", Kind: service.FieldDigits, Required: true, Max: 12, Secret: true})
	if err != nil {
		return done, err
	}
	if err := prepareData(f.draft.Config.Terminal.Data); err != nil {
		return done, err
	}
	k := keeper(f.draft.Config.Terminal.Data)
	if err := k.Remove(v["code"]); err != nil && !errors.Is(err, maintain.ErrNobody) {
		return done, err
	}
	if err := k.Add(maintain.Technician{Code: v["code"], Operator: v["operator"], Name: strings.TrimPrefix(v["operator"], "op.")}, v["pin"]); err != nil {
		return done, err
	}
	f.Operator = v["operator"]
	return plainText(f.Operator), nil
}

// askSupplies asks what was put in; it is written into the ledger with the report.
func (f *flow) askSupplies(ctx context.Context) (done service.Text, err error) {
	if err := f.loadedBefore(); err != nil {
		return done, err
	}
	var fields []service.Field
	kinds := []string{journal.StockSheet, journal.StockSlip, journal.StockCard}
	_, prints := f.draft.Config.Device[devices.RoleCardPrinter]
	if prints {
		kinds = append(kinds, journal.StockRibbon)
	}
	for _, k := range kinds {
		fields = append(fields, service.Field{ID: k, Kind: service.FieldDigits, Max: 5, Value: preset(f.Loaded[k])})
	}
	v, err := f.form(ctx, "supplies", fields...)
	if err != nil {
		return done, err
	}
	if f.Operator == "" {
		return done, saying("prov.first.technician")
	}
	c := f.draft.Config
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if err != nil {
		return done, err
	}
	err = j.Update(func(tx *journal.Tx) error {
		for kind, text := range v {
			n := number(text)
			if more := n - f.Loaded[kind]; more != 0 {
				if kind == journal.StockRibbon && n > 0 {
					more = n // it takes the place of what was said before
				}
				if _, err := tx.LoadStock(kind, more, f.Operator); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err = errors.Join(err, j.Close()); err != nil {
		return done, err
	}
	for kind, text := range v {
		f.Loaded[kind] = number(text)
	}
	n := func(kind string) string { return strconv.Itoa(f.Loaded[kind]) }
	said := "prov.said.supplies"
	if prints {
		said += ".ribbon"
	}
	return service.T(said, "sheets", n(journal.StockSheet), "slips", n(journal.StockSlip), "cards", n(journal.StockCard), "ribbon", n(journal.StockRibbon)), nil
}

// loadedBefore takes from the ledger what was put in, where a draft could not tell: otherwise it would be counted twice.
func (f *flow) loadedBefore() error {
	c := f.draft.Config
	if !f.LoadedLost || !there(journalPath(c)) {
		return nil
	}
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if err != nil {
		return err
	}
	for _, k := range []string{journal.StockSheet, journal.StockSlip, journal.StockCard} {
		b, berr := j.StockBalance(k)
		err = errors.Join(err, berr)
		f.Loaded[k] = int(b.Loaded)
	}
	if err = errors.Join(err, j.Close()); err == nil {
		f.LoadedLost = false
	}
	return err
}

// askItems asks which items are offered.
func (f *flow) askItems(ctx context.Context) (done service.Text, err error) {
	all, _, err := shelf{filepath.Join(f.draft.Config.Terminal.Data, "items"), slog.New(slog.DiscardHandler)}.offered()
	if err != nil {
		return done, err
	}
	offer := map[string]bool{}
	for _, it := range all {
		offer[it.Code] = len(f.draft.Config.Terminal.Items) == 0 || slices.Contains(f.draft.Config.Terminal.Items, it.Code)
	}
	for {
		p := maintain.Panel{Page: provisioning, ID: "items", Title: service.T("prov.step.items"), Hint: service.T("prov.step.items.hint"), Next: maintain.Button{ID: "next", Label: service.T("prov.accept")}}
		var codes []string
		for _, it := range all {
			row := maintain.Row{ID: it.Code, Label: it.Name.Text(), Detail: plainText(it.Code), Pill: service.T("prov.items.no"), Grade: maintain.GradeWarn, Action: service.T("prov.items.change")}
			if offer[it.Code] {
				row.Pill, row.Grade = service.T("prov.items.yes"), maintain.GradeOK
				codes = append(codes, it.Code)
			}
			p.Rows = append(p.Rows, row)
		}
		id, err := f.panel(ctx, p)
		if err != nil {
			return done, err
		}
		if id == "next" {
			if len(codes) == 0 {
				return done, saying("prov.one-item")
			}
			f.draft.Config.Terminal.Items = codes
			if len(codes) == len(all) {
				f.draft.Config.Terminal.Items = nil
			}
			return plainText(strings.Join(codes, " ")), nil
		}
		offer[id] = !offer[id]
	}
}

// commissioned is the commissioning report. Nothing in it is secret or anybody's.
type commissioned struct {
	Terminal string            `json:"terminal"`
	Site     string            `json:"site"`
	At       time.Time         `json:"at"`
	By       string            `json:"by"`
	Software string            `json:"software"`
	Steps    map[string]string `json:"steps"`
	Devices  []commissionedRow `json:"devices"`
	Loaded   map[string]int    `json:"loaded"`
	Findings []finding         `json:"findings"`
}

type commissionedRow struct {
	Role   devices.Role `json:"role"`
	Driver string       `json:"driver"`
	URI    string       `json:"uri"`
	Serial string       `json:"serial,omitempty"`
	Test   string       `json:"test"`
}

// report looks at everything once more, writes the report into the data directory, names its hash in the audit chain, prints it and
// brings it to the platform.
func (f *flow) report(ctx context.Context) (done service.Text, err error) {
	for _, s := range f.steps() {
		if f.Done[s.id].IsZero() && !s.optional && s.id != "report" {
			return done, said{text: service.T("prov.not-done").With("step", service.T("prov.step."+s.id))}
		}
	}
	c := f.draft.Config
	title := service.T("prov.step.report")
	r := commissioned{Terminal: c.Terminal.ID, Site: c.Terminal.Site, At: time.Now().UTC().Truncate(time.Second), By: f.Operator, Software: version, Steps: map[string]string{}, Loaded: f.Loaded}
	for k, v := range f.Done {
		if k != "report" {
			r.Steps[k] = english(v)
		}
	}
	for _, role := range inOrder(c.Device) {
		d := c.Device[role]
		r.Devices = append(r.Devices, commissionedRow{role, d.Driver, d.URI, d.Serial, english(f.Tests[role])})
	}
	var told []service.Text
	err = f.busy(ctx, title, service.T("prov.report.wait"), func(ctx context.Context) error {
		r.Findings = f.examine(ctx)
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		hash := sha256.Sum256(b)
		if err := f.keepReport(b, hash, r); err != nil {
			return err
		}
		told = append(told, f.printReport(ctx, r, hash), f.uploadReport(ctx, b, hash))
		return nil
	})
	if err != nil {
		return done, err
	}
	p := maintain.Panel{Page: provisioning, ID: "report", Title: title, Next: maintain.Button{ID: "next", Label: service.T("prov.accept")}}
	for _, s := range told {
		p.Rows = append(p.Rows, maintain.Row{Label: s})
	}
	bad := 0
	for _, x := range r.Findings {
		if x.Grade == gradeBad {
			bad++
		}
		if x.Grade != gradeOK {
			p.Rows = append(p.Rows, rowsOf([]finding{x})...)
		}
	}
	if _, err := f.panel(ctx, p); err != nil {
		return done, err
	}
	if bad > 0 {
		return done, saying("prov.mend-first", "count", strconv.Itoa(bad))
	}
	return plainText(r.At.Local().Format(time.DateTime)), nil
}

// examine is the doctor's look at a machine whose configuration is not written yet.
func (f *flow) examine(ctx context.Context) []finding {
	path := f.provisionCmd.Config + ".trial"
	if err := replace(path, writeConfig(f.draft.Config)); err != nil {
		return []finding{bad(mend("rights"), "write").because(err)}
	}
	defer os.Remove(path)
	return examine(ctx, path)
}

// keepReport writes the report beside the journal and its hash into the audit chain.
func (f *flow) keepReport(b []byte, hash [32]byte, r commissioned) error {
	c := f.draft.Config
	if err := replace(filepath.Join(c.Terminal.Data, "commissioned.json"), b); err != nil {
		return err
	}
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if err != nil {
		return err
	}
	findings := 0
	for _, x := range r.Findings {
		if x.Grade != gradeOK {
			findings++
		}
	}
	err = j.Update(func(tx *journal.Tx) error {
		return tx.Audit(journal.EventTerminalCommissioned, f.Operator, map[string]string{"report": hex.EncodeToString(hash[:]), "devices": strconv.Itoa(len(r.Devices)), "findings": strconv.Itoa(findings)})
	})
	return errors.Join(err, j.Close())
}

// notDone says that something did not come about, and why.
func notDone(what string, err error) service.Text {
	return service.T("prov.report.not-"+what).With("why", faultOf(err))
}

// printReport prints the report on the slip printer, where there is one, and says what came of it.
func (f *flow) printReport(ctx context.Context, r commissioned, hash [32]byte) service.Text {
	c := f.draft.Config
	if _, configured := c.Device[devices.RoleReceiptPrinter]; !configured {
		return service.T("prov.report.no-printer")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	dev, err := openDevice(ctx, c, devices.RoleReceiptPrinter)
	if err != nil {
		return notDone("printed", err)
	}
	defer dev.Close()
	p, ok := dev.(devices.ReceiptPrinter)
	if !ok {
		return service.T("prov.report.no-printer")
	}
	res := p.Print(ctx, devices.ReceiptJob{ID: "commissioned/" + r.At.Format(time.RFC3339), Slip: reportSlip(c, r, f.Tests, hash)})
	if res.Outcome != devices.PrintConfirmed {
		return notDone("printed", maintain.PrintFault(res))
	}
	return service.T("prov.report.printed")
}

func reportSlip(c config.Config, r commissioned, tests map[devices.Role]service.Text, hash [32]byte) slip.Slip {
	rows := [][]string{{"终端 Terminal", r.Terminal}, {"时间 Time", r.At.Local().Format(time.DateTime)}, {"技术员 By", r.By}, {"程序 Version", r.Software}}
	blocks := []slip.Block{slip.Text{Text: "投入使用报告", Align: slip.Center, Bold: true, Size: 2}, slip.Text{Text: "Commissioning report", Align: slip.Center},
		slip.Text{Text: r.Site + " " + c.Terminal.Name, Align: slip.Center}, slip.Rule{}}
	two := []slip.Column{{Share: 2}, {Share: 3, Align: slip.Right}}
	lang := func(id string) string { return lexicon().Say(c.Screen.Language, service.T(id)) }
	blocks = append(blocks, slip.Table{Columns: two, Rows: rows}, slip.Rule{Dashed: true})
	rows = nil
	for _, d := range r.Devices {
		rows = append(rows, []string{lang("tech.role." + string(d.Role)), lexicon().Say(c.Screen.Language, tests[d.Role])})
	}
	blocks = append(blocks, slip.Table{Columns: two, Rows: rows}, slip.Rule{Dashed: true})
	for _, x := range r.Findings {
		if x.Grade != gradeOK {
			blocks = append(blocks, slip.Text{Text: lang("tech.grade."+x.Grade) + "：" + lexicon().Say(c.Screen.Language, x.What)})
		}
	}
	return slip.Slip{Blocks: append(blocks, slip.Text{Text: "SHA-256 " + hex.EncodeToString(hash[:8])}, slip.Text{Text: "签字 Signature"}, slip.Space{Dots: 60})}
}

// uploadReport brings the report to the platform and says what came of it.
func (f *flow) uploadReport(ctx context.Context, b []byte, hash [32]byte) service.Text {
	c := f.draft.Config
	id, err := identity(c)
	if err != nil {
		return notDone("uploaded", err)
	}
	client, err := newClient(c, id)
	if err != nil {
		return notDone("uploaded", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := client.PutBlob(ctx, hash, b); err != nil {
		return notDone("uploaded", err)
	}
	return service.T("prov.report.uploaded")
}
