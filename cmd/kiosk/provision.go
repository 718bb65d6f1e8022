package main

// Provisioning: from a bare machine to one that serves. One flow of questions for a shell (over ssh too) and for the touch screen;
// what was answered is kept in a draft beside the configuration until the terminal is put into service.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/ui"
)

// provisionCmd is `kiosk provision`.
type provisionCmd struct {
	Config    string `short:"c" default:"/etc/budayang/terminal.toml"`
	Data      string `default:"/var/lib/budayang" type:"path"`
	SerialDir string `default:"/dev/serial/by-id" type:"path"`
	Screen    bool
	Language  string `enum:"zh,en" default:"zh"`
}

// Run asks until the terminal is in service or the technician leaves; what was answered stays.
func (p provisionCmd) Run(ctx context.Context, io stdio) error {
	if p.Screen {
		return p.onScreen(ctx, io)
	}
	words, err := ui.LoadWords(assets.FS, "lang")
	if err != nil {
		return err
	}
	shell := newShell(io, words, p.Language)
	f, err := p.begin(shell, func(lang string) { shell.lang = lang })
	if err != nil {
		return err
	}
	done, err := f.run(ctx)
	switch {
	case err != nil:
		return err
	case !done:
		fmt.Fprintln(io.out, shell.say(service.T("sh.provision.kept", "file", f.draftPath())))
		return nil
	}
	fmt.Fprintln(io.out, shell.say(service.T("sh.provision.done", "file", p.Config)))
	return nil
}

// onScreen asks at the touch screen and then becomes kiosk run.
func (p provisionCmd) onScreen(ctx context.Context, io stdio) error {
	if os.Getenv("DISPLAY") == "" {
		return refuse("provision.no-display")
	}
	if err := withEnvironment(); err != nil {
		return refuseBy(err, "run.environment")
	}
	log := slog.New(slog.NewTextHandler(io.err, nil))
	words, err := ui.LoadWords(assets.FS, "lang")
	if err != nil {
		return err
	}
	a := app.NewWithID("org.budayang.kiosk")
	app.SetMetadata(fyne.AppMetadata{ID: "org.budayang.kiosk", Name: "Budayang", Version: version, Migrations: map[string]bool{"fyneDo": true}})
	w := a.NewWindow("Budayang")
	c := config.Default()
	size := panelSize{c.Screen.Width, c.Screen.Height, 0, 0}
	if seen, found := connectedPanel("/"); found {
		size = seen
	}
	if env := os.Getenv(provisionSizeEnv); env != "" {
		if _, err := fmt.Sscanf(env, "%dx%d", &size.Width, &size.Height); err != nil {
			return fmt.Errorf("%s: %w", provisionSizeEnv, err)
		}
	}
	w.Resize(fyne.NewSize(float32(size.Width), float32(size.Height)))
	w.SetFullScreen(os.Getenv(provisionSizeEnv) == "")
	w.SetCloseIntercept(func() {})
	screen := ui.New(ui.Options{App: a, Window: w, Screen: ui.Screen{Width: size.Width, Height: size.Height, DiagonalMM: float64(c.Screen.DiagonalMM)},
		Language: p.Language, Site: "Budayang", Terminal: version, Words: words, End: time.Hour, Warn: time.Hour - time.Minute, Log: log, Keys: true})
	f, err := p.begin(screen, screen.Speak)
	if err != nil {
		return err
	}
	f.screen = size
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type end struct {
		done bool
		err  error
	}
	ended := make(chan end, 1)
	a.Lifecycle().SetOnStarted(func() {
		toldAlone(ctx, stop)
		go func() {
			probe := serveProbe(screen, log)
			done, err := f.run(ctx)
			probe()
			ended <- end{done, err}
			if done && err == nil {
				// Fyne need not take its window down: this process becomes another program.
				if err := becomeRun(p.Config); err != nil {
					log.Error("kiosk run", "error", err)
				}
			}
			fyne.Do(a.Quit)
		}()
	})
	w.ShowAndRun()
	stop()
	e := <-ended
	return e.err
}

// provisionSizeEnv makes the window of kiosk provision --screen as large as this ("1080x1920") and not full-screen, for demonstrations.
const provisionSizeEnv = "BUDAYANG_PROVISION_SIZE"

// becomeRun replaces this process by kiosk run.
func becomeRun(file string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, []string{self, "run", "--config", file}, os.Environ())
}

// draft is what was answered so far.
type draft struct {
	Config   config.Config                 `json:"config"`
	Done     map[string]service.Text       `json:"done"`     // step → what came of it
	Tests    map[devices.Role]service.Text `json:"tests"`    // role → what its test said
	Operator string                        `json:"operator"` // of the technician
	Loaded   map[string]int                `json:"loaded"`   // kind of stock → pieces put in
	Rotate   string                        `json:"rotate"`   // the picture's turn, as /etc/default/budayang has it
	// LoadedLost: Loaded could not be read, so that the ledger tells what was put in before.
	LoadedLost bool `json:"loaded_lost,omitempty"`
}

// flow is one provisioning.
type flow struct {
	provisionCmd
	draft
	citizen service.Citizen
	speak   func(lang string)
	screen  panelSize    // the window's, where the questions are asked at the screen
	note    service.Text // about the draft, for the technician to read first
}

func (p provisionCmd) begin(c service.Citizen, speak func(string)) (*flow, error) {
	f := &flow{provisionCmd: p, citizen: c, speak: speak, draft: newDraft()}
	f.draft.Config.Terminal.Data = p.Data
	f.draft.Config.Platform.CA = filepath.Join(filepath.Dir(p.Config), "ca.pem")
	f.draft.Config.Device = map[devices.Role]config.Device{}
	found, note, err := f.takeDraft()
	if err != nil {
		return nil, err
	}
	f.note = note
	if found {
		f.speak(f.draft.Config.Screen.Language)
		return f, nil
	}
	if c, err := config.Load(p.Config); err == nil { // a machine that is provisioned once more
		f.draft.Config = c
	}
	f.draft.Config.Screen.Language = p.Language
	return f, nil
}

func (f *flow) draftPath() string { return f.provisionCmd.Config + ".draft" }

func (f *flow) save() error {
	b, err := json.MarshalIndent(f.draft, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.draftPath()), 0o755); err != nil {
		return err
	}
	return replace(f.draftPath(), b)
}

// A step is one part of provisioning. do returns what came of it, for the list; the zero Text means that it is not done.
type step struct {
	id       string
	optional bool
	do       func(context.Context) (service.Text, error)
}

func (f *flow) steps() []step {
	return []step{{"language", false, f.askLanguage}, {"identity", false, f.askIdentity}, {"screen", false, f.askScreen}, {"time", false, f.askTime},
		{"platform", false, f.askPlatform}, {"enrol", false, f.askCode}, {"technician", false, f.askTechnician}, {"devices", false, f.askDevices},
		{"supplies", true, f.askSupplies}, {"items", true, f.askItems}, {"report", false, f.report}}
}

// provisioning is the frame of every page.
var provisioning = service.Page{At: -1, Back: true}

// run shows the list of steps, goes through those that are not done, and says whether the terminal was put into service.
func (f *flow) run(ctx context.Context) (done bool, err error) {
	steps := f.steps()
	if !f.note.IsZero() {
		if err := f.tell(ctx, service.T("prov.title"), maintain.GradeWarn, f.note); err != nil {
			return false, err
		}
	}
	for {
		next := ""
		p := maintain.Panel{Page: service.Page{At: -1}, ID: "provision", Title: service.T("prov.title"), Hint: service.T("prov.hint"),
			Left: maintain.Button{ID: "leave", Label: service.T("prov.leave")}, Next: maintain.Button{ID: "continue", Label: service.T("prov.continue")}}
		for _, s := range steps {
			row := maintain.Row{ID: s.id, Label: service.T("prov.step." + s.id), Action: service.T("prov.open"), Pill: service.T("prov.open-yet"), Grade: maintain.GradeWarn}
			if said := f.Done[s.id]; !said.IsZero() {
				row.Detail, row.Pill, row.Grade = said, service.T("tech.grade.ok"), maintain.GradeOK
			} else if next == "" {
				next = s.id
			}
			p.Rows = append(p.Rows, row)
		}
		if next == "" {
			p.Next = maintain.Button{ID: "serve", Label: service.T("prov.serve")}
		}
		id, err := f.panel(ctx, p)
		switch {
		case errors.Is(err, service.ErrBack):
			continue
		case err != nil:
			return false, err
		case id == "leave":
			return false, nil
		case id == "serve":
			return true, f.finish()
		case id == "continue":
			id = next
		}
		for _, s := range steps {
			if s.id != id {
				continue
			}
			said, err := s.do(ctx)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			switch {
			case errors.Is(err, service.ErrBack), errors.Is(err, service.ErrTimedOut), errors.Is(err, service.ErrLeft):
			case err != nil:
				delete(f.Done, s.id)
				if err := f.tell(ctx, service.T("prov.step."+s.id), maintain.GradeBad, faultOf(err)); err != nil {
					return false, err
				}
			case said.IsZero():
				delete(f.Done, s.id)
			default:
				f.Done[s.id] = said
				if id != "report" {
					delete(f.Done, "report") // it tells of what was changed
				}
			}
			if err := f.save(); err != nil {
				return false, err
			}
		}
	}
}

// finish writes the configuration and removes the draft.
func (f *flow) finish() error {
	text := writeConfig(f.draft.Config)
	if _, err := config.Parse(f.provisionCmd.Config, text); err != nil {
		return err
	}
	if err := replace(f.provisionCmd.Config, text); err != nil {
		return err
	}
	f.handOver()
	return errors.Join(setRotation("/etc/default/budayang", f.Rotate), os.Remove(f.draftPath()))
}

// handOver gives what root wrote to the user that will serve, where the package made one.
func (f *flow) handOver() {
	if os.Getuid() != 0 {
		return
	}
	uid, gid, found := userNamed("/etc/passwd", "budayang")
	if !found || !strings.HasPrefix(f.draft.Config.Terminal.Data, "/var/lib/budayang") {
		return
	}
	_ = os.Chown(f.provisionCmd.Config, 0, gid)
	_ = os.Chmod(f.provisionCmd.Config, 0o640)
	_ = filepath.WalkDir(f.draft.Config.Terminal.Data, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_ = os.Lchown(path, uid, gid)
		}
		return nil
	})
}

// panel asks with a page.
func (f *flow) panel(ctx context.Context, p maintain.Panel) (string, error) {
	a, err := f.citizen.Ask(ctx, p)
	if err != nil {
		return "", err
	}
	c, ok := a.(service.Chosen)
	if !ok {
		return "", fmt.Errorf("%w: %T to %s", service.ErrAnswer, a, p.Name())
	}
	return c.ID, nil
}

// form asks for values.
func (f *flow) form(ctx context.Context, title string, fields ...service.Field) (map[string]string, error) {
	for i := range fields {
		fields[i].Label = service.T("prov.field." + fields[i].ID)
		if fields[i].Hint.IsZero() && !fields[i].Secret {
			fields[i].Hint = service.T("prov.field." + fields[i].ID + ".hint")
		}
	}
	a, err := f.citizen.Ask(ctx, service.Form{Page: provisioning, Title: service.T("prov.step." + title), Hint: service.T("prov.step." + title + ".hint"), Fields: fields})
	if err != nil {
		return nil, err
	}
	v, ok := a.(service.Filled)
	if !ok {
		return nil, fmt.Errorf("%w: %T to a form", service.ErrAnswer, a)
	}
	for k := range v.Values {
		v.Values[k] = strings.TrimSpace(v.Values[k])
	}
	return v.Values, nil
}

// choose asks for one of several; labels are the same in every language.
func (f *flow) choose(ctx context.Context, title, hint service.Text, ids []string, label func(string) service.Text) (string, error) {
	p := service.Choose{Page: provisioning, Title: title, Hint: hint}
	for _, id := range ids {
		p.Options = append(p.Options, service.Option{ID: id, Label: label(id)})
	}
	a, err := f.citizen.Ask(ctx, p)
	if err != nil {
		return "", err
	}
	c, ok := a.(service.Chosen)
	if !ok || !slices.Contains(ids, c.ID) {
		return "", fmt.Errorf("%w: %v to a choice", service.ErrAnswer, a)
	}
	return c.ID, nil
}

// tell shows how something ended.
func (f *flow) tell(ctx context.Context, title service.Text, g maintain.Grade, what service.Text) error {
	_, err := f.panel(ctx, maintain.Panel{Page: provisioning, ID: "told", Title: title, Rows: []maintain.Row{{Label: what, Pill: service.T("tech.grade." + string(g)), Grade: g}},
		Next: maintain.Button{ID: "understood", Label: service.T("tech.understood")}})
	if errors.Is(err, service.ErrBack) {
		return nil
	}
	return err
}

// busy does something that takes its time; it can be given up after a few seconds.
func (f *flow) busy(ctx context.Context, title, hint service.Text, do func(context.Context) error) error {
	work, giveUp := context.WithCancel(ctx)
	defer giveUp()
	shown, over := context.WithCancelCause(ctx)
	defer over(nil)
	done := make(chan error, 1)
	ended := errors.New("it ended")
	go func() {
		err := do(work)
		done <- err
		over(ended)
	}()
	_, err := f.citizen.Ask(shown, service.Wait{Page: service.Page{At: -1}, Title: title, Hint: hint, CancelAfter: 3 * time.Second})
	giveUp()
	result := <-done
	if err != nil && !errors.Is(err, ended) && result == nil {
		return err
	}
	return result
}

// plainText is a text that is the same in every language.
func plainText(s string) service.Text {
	if s == "" {
		return service.Text{}
	}
	return service.Worded(map[string]string{"zh": s, "en": s})
}

// inOrder are a map's keys, sorted.
func inOrder[V any](m map[devices.Role]V) []devices.Role { return slices.Sorted(maps.Keys(m)) }
