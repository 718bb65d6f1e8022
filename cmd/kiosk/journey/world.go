//go:build !release

package journey

// The world around a terminal: a platform that listens, a line to it, and peripherals on the wire.

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/facesim"
	"github.com/budayang/kiosk/platform/fingersim"
	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/sync/journal"
)

// WorldOptions of [NewWorld].
type WorldOptions struct {
	Dir      string        // for keys, journal and sockets; removed by Close
	Papers   string        // receives receipt-NN.png, certificate-NN.pdf and its first page as certificate-NN.png, card-NN.png
	Camera   string        // what the configuration says of the camera, as TOML; "" shows somebody who sits well
	PageTime time.Duration // of a sheet, and of a card; 0 is what such printers take
	// ReaderUSB and ReceiptUSB hang these two on USB instead of serial lines, where the kernel can (test/lab).
	ReaderUSB, ReceiptUSB *sim.USBOptions
	// For long runs. Crowd is how many more people have an application for an identity card, so that a temporary card may be made
	// for each once; Blanks are in the dispenser, 0 is [Blanks]; Motion is how long one of its acts takes, 0 is what such machines take;
	// NetCamera puts a camera on the network in place of a picture in a file; no papers are kept.
	Crowd, Blanks int
	Motion        time.Duration
	NetCamera     bool
	Pictures      [][]byte // what it shows; nil: somebody who sits well
	// Fingers gives the terminal a fingerprint sensor, and the city a server that compares; two fingers of each sample person are enrolled.
	Fingers bool
	// Beside is the world of another terminal of the same hall, whose platform, citizens and channel this one shares; it must be
	// closed after this one.
	Beside *World
	// Fee takes the place of the usual prices; nil leaves them.
	Fee func(*platform.Prices)
}

// World is everything but the terminal.
type World struct {
	Link     *Link
	Props    *sim.Bench
	Platform *platform.Server

	opt    WorldOptions
	phone  *pocket
	store  platform.Store
	faces  *facesim.Server
	prints *fingersim.Server // nil without Fingers
	till   *till
	Cards  *sim.CardDispenser
	Camera *sim.Camera       // nil where the camera is a file
	Sensor *sim.FingerSensor // nil without Fingers
	// Scanner reads what people hold before it; Eye reads the card that was just printed, inside the machine.
	Scanner, Eye *sim.CodeScanner
	people       []sim.Card // beside the sample cards
	stop         context.CancelFunc
	served       chan error
	id, no       string // of the terminal
	address      string // of the platform

	printed sync.Mutex
	code    string              // on the card that was printed last
	smear   func(string) string // what the eye sees of it; nil: what is there
}

// siteName is the site of both terminals.
const siteName = "示例区市民之家"

// terminalID is the demonstration's terminal, besideID the one beside it.
const (
	terminalID = "990000-0003"
	besideID   = "990000-0004"
)

// pocket is the citizen's phone: it shows the codes that the platform sent.
type pocket struct {
	mu    sync.Mutex
	codes []string
}

// Send implements platform.SMS.
func (p *pocket) Send(_ context.Context, _, _, code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes = append(p.codes, code)
	return nil
}

// NewWorld starts platform, line and peripherals.
func NewWorld(ctx context.Context, opt WorldOptions) (w *World, err error) {
	w = &World{opt: opt, phone: &pocket{}, id: terminalID, no: "03"}
	defer func() {
		if err != nil {
			_ = w.Close()
		}
	}()
	for _, d := range []string{opt.Dir, opt.Papers} {
		if d == "" {
			continue
		}
		if err := os.MkdirAll(d, 0o700); err != nil {
			return w, fmt.Errorf("world: %w", err)
		}
	}
	if b := opt.Beside; b != nil {
		w.id, w.no = besideID, "04"
		w.phone, w.faces, w.till, w.Platform, w.store, w.address = b.phone, b.faces, b.till, b.Platform, b.store, b.address
	} else if err := w.startPlatform(ctx); err != nil {
		return w, err
	}
	if err := w.admit(ctx); err != nil {
		return w, err
	}
	if w.Link, err = NewLink(w.address); err != nil {
		return w, err
	}
	return w, w.startDevices()
}

// admit leaves what a terminal needs to be let in.
func (w *World) admit(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(w.opt.Dir, "ca.pem"), w.Platform.CA(), 0o644); err != nil {
		return fmt.Errorf("world: %w", err)
	}
	code, _, err := w.Platform.IssueCode(ctx, w.id, 0, platform.Operator{Who: "demonstration"})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.opt.Dir, "code"), []byte(code), 0o600); err != nil {
		return fmt.Errorf("world: %w", err)
	}
	return nil
}

func (w *World) startPlatform(ctx context.Context) (err error) {
	if w.faces, err = facesim.Start(time.Now); err != nil {
		return err
	}
	if w.till, err = openTill(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("world: %w", err)
	}
	w.address = l.Addr().String()
	faces, err := w.faces.Backend()
	dir := filepath.Join(w.opt.Dir, "platform")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		w.store, err = platform.OpenSQLite(ctx, filepath.Join(dir, "platform.db"))
	}
	if err == nil {
		cfg := platform.Config{Dir: dir, Store: w.store, Queue: hallWindows, SMS: w.phone, BaseURL: "https://" + w.address,
			Backends: []platform.BackendConfig{faces}, Pay: w.till.config(w.opt.Fee)}
		if w.opt.Fingers {
			err = w.enrolFingers(&cfg)
		}
		if err == nil && w.opt.Crowd > 0 {
			err = w.gather(ctx, &cfg)
		}
		if err == nil {
			w.Platform, err = platform.New(ctx, cfg)
		}
	}
	if err != nil {
		_ = l.Close()
		return err
	}
	serve, cancel := context.WithCancel(context.Background())
	w.stop, w.served = cancel, make(chan error, 1)
	go func() {
		var told sync.WaitGroup
		told.Go(func() { w.till.deliver(serve, "https://"+w.address, w.Platform.CA()) })
		err := w.Platform.Serve(serve, l)
		told.Wait()
		w.served <- err
	}()
	return nil
}

// enrolFingers starts the city's fingerprint server, which has the right thumb and forefinger of everybody who exists.
func (w *World) enrolFingers(cfg *platform.Config) (err error) {
	if w.prints, err = fingersim.Start(time.Now); err != nil {
		return err
	}
	for _, p := range sim.People() {
		for n := 1; n <= 2; n++ {
			f := sim.FingerOf(p.Number, n)
			w.prints.Enrol(p.Number, f.Picture(sim.Press{Grain: 4711}, 256, 288), 256, 288, 500)
		}
	}
	b, err := w.prints.Backend()
	cfg.Backends = append(cfg.Backends, b)
	return err
}

// Prints are the comparisons of fingers so far.
func (w *World) Prints() []fingersim.Seen { return w.prints.Seen() }

func (w *World) startDevices() (err error) {
	w.Props, err = sim.StartBench(sim.BenchOptions{Dir: w.opt.Dir, Out: w.opt.Papers,
		Reader:  sim.ReaderOptions{Line: sim.LineOptions{USB: w.opt.ReaderUSB}},
		Receipt: sim.ReceiptOptions{Line: sim.LineOptions{USB: w.opt.ReceiptUSB}, Head: "kp628e", Font: assets.Font("wide-regular.ttf")}, Document: sim.DocumentOptions{PageTime: w.opt.PageTime, OnPrint: w.firstPage},
		CardPrinter: sim.CardPrinterOptions{CardTime: w.opt.PageTime, Ribbon: w.ribbon(), OnPrint: w.cardPrinted}})
	if err != nil {
		return err
	}
	// The printer takes the card out of the dispenser's path and puts it back there: both are one machine.
	w.Cards, err = sim.StartCardDispenser(sim.DispenserOptions{Line: sim.LineOptions{Dir: w.opt.Dir}, Family: "crt", Cards: w.blanks(), Bin: max(50, w.blanks()), Motion: w.opt.Motion})
	if err != nil {
		return err
	}
	if w.opt.NetCamera {
		pictures := w.opt.Pictures
		if pictures == nil {
			pictures = [][]byte{boothPicture}
		}
		if w.Camera, err = sim.StartCamera(sim.CameraOptions{Pictures: pictures}); err != nil {
			return err
		}
	}
	if w.opt.Fingers {
		if w.Sensor, err = sim.StartFingerSensor(sim.FingerSensorOptions{Line: sim.LineOptions{Dir: w.opt.Dir}}); err != nil {
			return err
		}
	}
	if w.Scanner, err = sim.StartCodeScanner(sim.ScannerOptions{Suffix: "\r", Triggered: true}); err != nil {
		return err
	}
	if w.Eye, err = sim.StartCodeScanner(sim.ScannerOptions{Suffix: "\r", Triggered: true, Lies: w.onCard}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.opt.Dir, "booth.jpg"), boothPicture, 0o600)
}

// cardPrinted reads what is on the card, as the eye will, and lets the card go back to the dispenser.
func (w *World) cardPrinted(p sim.Paper) {
	code := ""
	if m, err := png.Decode(bytes.NewReader(p.Data)); err == nil {
		code, _ = cardface.ReadCode(m)
	}
	w.printed.Lock()
	w.code = code
	w.printed.Unlock()
	go w.Props.CardPrinter.Take()
}

// onCard is what the eye sees.
func (w *World) onCard() string {
	w.printed.Lock()
	defer w.printed.Unlock()
	if w.smear != nil {
		return w.smear(w.code)
	}
	return w.code
}

// Smear changes what the eye sees of the next cards; nil ends it.
func (w *World) Smear(how func(string) string) {
	w.printed.Lock()
	defer w.printed.Unlock()
	w.smear = how
}

// Blanks is how many blank cards are in the dispenser at the start, if nothing else is said.
const Blanks = 20

func (w *World) blanks() int { return cmp.Or(w.opt.Blanks, Blanks) }

// ribbon is how many faces the card printer's ribbon prints at the start: more than there are blanks.
func (w *World) ribbon() int { return max(250, 2*w.blanks()) }

// cameraURI is where the terminal finds its camera.
func (w *World) cameraURI() string {
	if w.Camera != nil {
		return w.Camera.URI()
	}
	return "file:" + filepath.Join(w.opt.Dir, "booth.jpg")
}

//go:embed people/booth.jpg
var boothPicture []byte

// firstPage draws a certificate's first page beside it, where poppler is installed.
func (w *World) firstPage(p sim.Paper) {
	if p.File == "" {
		return
	}
	file := filepath.Join(w.opt.Papers, p.File)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = exec.CommandContext(ctx, "pdftoppm", "-r", "80", "-png", "-f", "1", "-l", "1", "-singlefile", file, strings.TrimSuffix(file, ".pdf")).Run()
}

// Patience of a visit, for journeys that wait for its end; "" keeps the default.
type Patience struct{ Warn, End string }

// WriteConfig writes the terminal's configuration.
func (w *World) WriteConfig(path string, width, height int, lang string, p Patience) error {
	if p.Warn == "" {
		p = Patience{"40s", "60s"}
	}
	text := fmt.Sprintf(`# Written for a demonstration or a journey.
[terminal]
id = %q
no = %q
site = %q
name = "%s 号终端"
data = "terminal"

[screen]
width = %d
height = %d
diagonal_mm = 546
full_screen = false
language = %q

[visit]
warn = %q
end = %q
take_card = "5s"
take_output = "15s"
refill = "2m"

[platform]
url = "https://%s"
ca = "ca.pem"
code_file = "code"

[device.id-reader]
driver = "sam"
uri = %q

[device.receipt-printer]
driver = "escpos"
uri = %q
profile = "cashino-kp628e"

[device.document-printer]
driver = "ipp"
uri = %q
media = "iso_a4_210x297mm"

[device.card-printer]
driver = "ipp"
uri = %q

[device.door]
driver = "modbus"
uri = %q

[device.lights]
driver = "modbus"
uri = %q

[device.card-dispenser]
driver = "card"
uri = %q
profile = "crt-591"

[device.card-check]
driver = "code"
uri = %q
profile = "honeywell"

[device.code-scanner]
driver = "code"
uri = %q
profile = "honeywell"

[device.camera]
driver = "video"
%s
`, w.id, w.no, siteName, w.no, width, height, lang, p.Warn, p.End, w.Link.Addr(), w.Props.Reader.URI(), w.Props.Receipt.URI(), w.Props.Document.URI(), w.Props.CardPrinter.URI(),
		w.Props.Cabinet.URI(), w.Props.Cabinet.URI(), w.Cards.URI(), w.Eye.URI(), w.Scanner.URI(), cmp.Or(w.opt.Camera, fmt.Sprintf("uri = %q\nrate = 20", w.cameraURI())))
	if w.Sensor != nil {
		text += fmt.Sprintf("\n[device.fingerprint]\ndriver = \"grow\"\nuri = %q\nprofile = \"r307\"\n", w.Sensor.URI())
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// JournalPath is where the terminal keeps its record.
func (w *World) JournalPath() string { return filepath.Join(w.opt.Dir, "terminal", "journal.db") }

// JournalOptions open it.
func (w *World) JournalOptions() journal.Options {
	return journal.Options{Terminal: w.id, No: w.no, KeyFile: filepath.Join(w.opt.Dir, "terminal", "journal.key")}
}

// PaperDir is where papers lie.
func (w *World) PaperDir() string { return w.opt.Papers }

// Codes are the one-time codes sent so far.
func (w *World) Codes() []string {
	w.phone.mu.Lock()
	defer w.phone.mu.Unlock()
	return slices.Clone(w.phone.codes)
}

// Records is how many records the platform holds.
func (w *World) Records() int {
	c, err := w.Platform.Received(context.Background())
	if err != nil {
		return 0
	}
	return c.Records
}

// CasesAtPlatform counts by case id how often the platform was told of it.
func (w *World) CasesAtPlatform() map[string]int {
	out := map[string]int{}
	all, err := w.Platform.Cases(context.Background(), 10_000)
	if err != nil {
		return out
	}
	for _, c := range all {
		out[c.ID] += c.Times
	}
	return out
}

// Count fills what platform and printers counted.
func (w *World) Count(t *Totals) {
	if c, err := w.Platform.Received(context.Background()); err == nil {
		t.Ratings, t.Quarantined = c.Ratings, c.Quarantined
	}
	t.Certificates, t.Receipts = len(w.Props.Document.Documents()), len(w.Props.Receipt.Slips())
	t.Cards = len(w.Props.CardPrinter.Cards())
}

// PaperFiles are the papers that came out, by name.
func (w *World) PaperFiles() []string {
	var out []string
	for _, p := range w.Props.Receipt.Slips() {
		out = append(out, p.File)
	}
	for _, p := range slices.Concat(w.Props.Document.Documents(), w.Props.CardPrinter.Cards()) {
		out = append(out, p.File)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// Close takes everything down and removes its directory.
func (w *World) Close() error {
	var errs []error
	if w.Props != nil {
		errs = append(errs, w.Props.Close())
	}
	if w.Cards != nil {
		errs = append(errs, w.Cards.Close())
	}
	if w.Camera != nil {
		errs = append(errs, w.Camera.Close())
	}
	if w.Sensor != nil {
		errs = append(errs, w.Sensor.Close())
	}
	for _, s := range []*sim.CodeScanner{w.Scanner, w.Eye} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if w.Link != nil {
		w.Link.Close()
	}
	if w.opt.Beside != nil {
		return errors.Join(append(errs, os.RemoveAll(w.opt.Dir))...)
	}
	if w.stop != nil {
		w.stop()
		errs = append(errs, <-w.served)
	}
	if w.Platform != nil {
		errs = append(errs, w.Platform.Close())
	}
	if w.till != nil {
		w.till.close()
	}
	if w.faces != nil {
		errs = append(errs, w.faces.Close())
	}
	if w.prints != nil {
		errs = append(errs, w.prints.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.opt.Dir))...)
}

// LoadBlanks writes down, before the terminal's first start, that a technician has put the blanks and the ribbon in.
func (w *World) LoadBlanks() error {
	if err := os.MkdirAll(filepath.Dir(w.JournalPath()), 0o700); err != nil {
		return fmt.Errorf("load blanks: %w", err)
	}
	j, err := journal.Open(w.JournalPath(), w.JournalOptions())
	if err != nil {
		return fmt.Errorf("load blanks: %w", err)
	}
	err = j.Update(func(tx *journal.Tx) error {
		_, err := tx.LoadStock(journal.StockCard, w.blanks(), "demo.chen")
		_, rerr := tx.LoadStock(journal.StockRibbon, w.ribbon(), "demo.chen")
		return errors.Join(err, rerr)
	})
	return errors.Join(err, j.Close())
}

// Approve is the official who approves what waits.
func (w *World) Approve() error { return w.decide(10_000, true, "the photo is good") }

// Reject is the official who does not.
func (w *World) Reject(why string) error { return w.decide(10_000, false, why) }

// decide looks at the newest cases only.
func (w *World) decide(newest int, approve bool, why string) error {
	ctx := context.Background()
	all, err := w.Platform.Cases(ctx, newest)
	if err != nil {
		return err
	}
	err = errors.New("no application waits")
	for _, c := range all {
		if derr := w.Platform.DecideCard(ctx, c.ID, 1, approve, platform.Operator{Who: "demo.li", Why: why}); derr == nil {
			return nil
		} else if c.Item == "TID" {
			err = derr
		}
	}
	return err
}

// State is the state of the newest case, as the platform holds it.
func (w *World) State() string {
	all, err := w.Platform.Cases(context.Background(), 1)
	if err != nil || len(all) == 0 {
		return ""
	}
	return string(all[0].State)
}
