//go:build !release

package main

// The dock: a small window beside the demo's terminal with everything that stands around a terminal in a hall — cards to
// put down, printers to empty, a link to cut, a plug to pull — and what came out of the printers and at the platform. It
// steers the same simulators as `kiosk sim fault`.

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices/sim"
)

// dock is the window and what it steers.
type dock struct {
	world   *journey.World
	plug    func()       // pulls the terminal's plug
	replug  func() error // and puts it in again
	running func() bool
	leave   func() // ends terminal and world when the window system does not let go
	right   int    // where the terminal's window ends, pixels

	card     *widget.Label
	code     *widget.Label
	link     *widget.Label
	platform *widget.Label
	cases    *widget.Label
	trouble  *widget.Label
	papers   *widget.Label
	faults   map[string]*widget.Label // what is wrong with each device
	slip, a4 printout
	plugged  *widget.Button
	buttons  map[string]*widget.Button // every control, by a name for tests
	people   *widget.Select
	slow     bool
}

// printout is the newest paper of one printer.
type printout struct {
	file string
	img  *canvas.Image
}

// slowness is how much later the platform answers when it is slow: long enough to see what the terminal says meanwhile.
const slowness = 4 * time.Second

// show runs the dock until its window is closed or ctx ends.
func (d *dock) show(ctx context.Context) {
	a := app.NewWithID("org.budayang.kiosk.dock")
	a.Settings().SetTheme(dockTheme{theme.DefaultTheme()})
	w := a.NewWindow(dockTitle)
	w.SetContent(d.content())
	w.Resize(fyne.NewSize(560, 960))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.follow(ctx, stop)
	}()
	quit := make(chan struct{})
	go func() {
		defer close(quit)
		select {
		case <-ctx.Done():
		case <-stop:
			return
		}
		fyne.Do(a.Quit)
		select {
		case <-stop:
		case <-time.After(quitGrace): // as in terminal.takeDown
			d.leave()
			os.Exit(0)
		}
	}()
	aside, cancel := context.WithCancel(ctx)
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		d.stepAside(aside)
	}()
	w.ShowAndRun()
	cancel()
	close(stop)
	<-done
	<-quit
	<-moved
}

const dockTitle = "Budayang 演示台 · dock"

// stepAside puts the dock to the right of the terminal: an X server without a window manager lays one window on the other.
// Where xdotool is missing the window manager's place will do.
func (d *dock) stepAside(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_ = exec.CommandContext(ctx, "xdotool", "search", "--sync", "--onlyvisible", "--name", "dock$",
		"windowmove", strconv.Itoa(d.right), "0").Run()
}

func (d *dock) content() fyne.CanvasObject {
	d.card, d.code, d.link = widget.NewLabel("—"), widget.NewLabel("—"), widget.NewLabel("")
	d.platform, d.cases, d.trouble = widget.NewLabel(""), widget.NewLabel(""), widget.NewLabel("")
	d.papers = widget.NewLabel("还没有打印 nothing printed yet")
	d.trouble.Wrapping = fyne.TextWrapWord
	d.trouble.Importance = widget.DangerImportance
	d.faults, d.buttons = map[string]*widget.Label{}, map[string]*widget.Button{}

	d.people = widget.NewSelect(d.world.Props.Cards(), nil)
	if len(d.people.Options) > 0 {
		d.people.SetSelectedIndex(min(1, len(d.people.Options)-1))
	}
	cards := container.NewGridWithColumns(2,
		d.control("put", "放身份证 put card", func() { d.do(d.world.Props.PutCard(d.people.Selected)) }),
		d.control("take", "拿走身份证 take card", func() { d.do(d.world.Props.TakeCard()) }))

	devices := container.NewVBox(
		d.device("凭条 slip", sim.DeviceReceiptPrinter, "缺纸 empty", "paper-out", "卡纸 jam", "jam", "开盖 cover", "cover-open"),
		d.device("证明 A4", sim.DeviceDocumentPrinter, "缺纸 empty", "media-empty", "卡纸 jam", "media-jam", "开盖 cover", "cover-open"),
		d.device("证卡 card", sim.DeviceCardPrinter, "缺卡 empty", "hopper-empty", "缺色带 ribbon", "ribbon-out", "卡住 sticks", "card-sticks"),
		d.device("机柜 cabinet", sim.DeviceIOBoard, "开门 door", "door-open", "移动 moved", "tampered", "无应答 silent", "silent"),
		d.device("读卡器 reader", sim.DeviceIDReader, "无应答 silent", "silent", "拔线 unplug", "unplug", "读错 fails", "read-fails"))

	booth := container.NewGridWithColumns(3,
		d.control("approve", "审核通过 approve", func() { d.do(d.world.Approve()) }),
		d.control("pay", "手机付款 pay", func() { d.do(d.world.Pay()) }),
		d.control("takemade", "取走证件 take the card made", func() { d.world.Cards.Take() }))

	links := container.NewGridWithColumns(3,
		d.control("cut", "断网 cut link", func() { d.world.Link.Cut() }),
		d.control("slow", "平台变慢 slow", func() { d.slow = true; d.world.Platform.Slow(slowness) }),
		d.control("restore", "恢复 restore", func() { d.slow = false; d.world.Platform.Slow(0); d.world.Link.Restore() }))

	plug := d.control("plug", pulled, nil)
	d.plugged = d.buttons["plug"]
	d.plugged.OnTapped = func() {
		if d.running() {
			d.plug()
		} else {
			d.do(d.replug())
		}
	}
	paper := d.control("paper", "取走打印件 take papers", func() { d.do(d.world.Props.TakeOutput()) })

	d.slip.img, d.a4.img = sheet(), sheet()
	row := func(name string, v fyne.CanvasObject) fyne.CanvasObject { return container.NewHBox(bold(name), v) }
	top := container.NewVBox(
		d.people, cards, row("读卡区 on the reader:", d.card), row("手机短信 code on the phone:", d.code),
		widget.NewSeparator(), devices, booth,
		widget.NewSeparator(), links, row("链路 link:", d.link), plug,
		widget.NewSeparator(), row("平台收到 platform:", d.platform), d.cases, d.trouble,
		widget.NewSeparator(), container.NewBorder(nil, nil, nil, paper, d.papers))
	return container.NewBorder(top, nil, nil, nil, container.NewStack(canvas.NewRectangle(color.NRGBA{0xE4, 0xEA, 0xF2, 0xFF}),
		container.NewPadded(container.NewGridWithColumns(2, d.slip.img, d.a4.img))))
}

const (
	pulled = "拔掉终端电源 pull the plug"
	plugIn = "插上电源 plug in again"
)

// control is a button that tests can find.
func (d *dock) control(name, label string, do func()) fyne.CanvasObject {
	b := widget.NewButton(label, do)
	d.buttons[name] = b
	return b
}

// device is what can be done to one device, and what is wrong with it: three faults as pairs of label and name, and mending.
func (d *dock) device(label, device string, faults ...string) fyne.CanvasObject {
	state := widget.NewLabel("")
	d.faults[device] = state
	row := container.NewGridWithColumns(4)
	for i := 0; i+1 < len(faults); i += 2 {
		row.Add(d.control(device+"."+faults[i+1], faults[i], func() { d.do(d.world.Props.Fault(device, faults[i+1], "")) }))
	}
	row.Add(d.control(device+".mend", "修好 mend", func() { d.do(d.world.Props.Clear(device)) }))
	return container.NewVBox(container.NewHBox(bold(label), state), row)
}

// sheet is a place for a paper, empty until one comes out.
func sheet() *canvas.Image {
	img := canvas.NewImageFromImage(image.NewNRGBA(image.Rect(0, 0, 1, 1)))
	img.FillMode = canvas.ImageFillContain
	img.SetMinSize(fyne.NewSize(200, 260))
	return img
}

func bold(s string) *widget.Label {
	return widget.NewLabelWithStyle(s, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
}

func (d *dock) do(err error) {
	if err != nil {
		d.trouble.SetText(err.Error())
		return
	}
	d.trouble.SetText("")
}

// follow keeps the dock's words true, twice a second.
func (d *dock) follow(ctx context.Context, stop <-chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stop:
			return
		case <-tick.C:
		}
		s := d.look(ctx)
		fyne.Do(func() { d.refresh(s) })
	}
}

// scene is how everything around the terminal stands.
type scene struct {
	code          string
	up, running   bool
	totals        journey.Totals
	cases         []string
	props         sim.State
	slip, a4      string // the newest papers' pictures
	slips, sheets int
}

func (d *dock) look(ctx context.Context) scene {
	s := scene{code: "—", up: d.world.Link.Up(), running: d.running()}
	if all := d.world.Codes(); len(all) > 0 {
		s.code = all[len(all)-1]
	}
	d.world.Count(&s.totals)
	s.props, _ = d.world.Props.State()
	if all, err := d.world.Platform.Cases(ctx, 4); err == nil {
		for _, c := range all {
			s.cases = append(s.cases, fmt.Sprintf("%s  %s  %s", c.ReceiptCode, c.Item, c.State))
		}
	}
	if all := s.props.Slips; len(all) > 0 {
		s.slips, s.slip = len(all), all[len(all)-1].File
	}
	if all := s.props.Documents; len(all) > 0 {
		s.sheets, s.a4 = len(all), strings.TrimSuffix(all[len(all)-1].File, ".pdf")+".png"
	}
	return s
}

func (d *dock) refresh(s scene) {
	d.code.SetText(s.code)
	d.card.SetText("—")
	if s.props.Reader.Card != "" {
		d.card.SetText(s.props.Reader.Card)
	}
	switch {
	case !s.up:
		d.link.SetText("断 cut")
	case d.slow:
		d.link.SetText(fmt.Sprintf("慢 slow: answers come %v later", slowness))
	default:
		d.link.SetText("通 up")
	}
	d.plugged.SetText(plugIn)
	if s.running {
		d.plugged.SetText(pulled)
	}
	for device, faults := range map[string][]string{sim.DeviceIDReader: s.props.Reader.Faults,
		sim.DeviceReceiptPrinter: s.props.Receipt.Faults, sim.DeviceDocumentPrinter: s.props.Document.Faults, sim.DeviceCardPrinter: s.props.CardPrinter.Faults,
		sim.DeviceIOBoard: s.props.Cabinet.Faults} {
		d.faults[device].SetText("正常 ok")
		if len(faults) > 0 {
			d.faults[device].SetText(strings.Join(faults, ", "))
		}
	}
	d.platform.SetText(fmt.Sprintf("%d 评价 ratings · %d 隔离 quarantined", s.totals.Ratings, s.totals.Quarantined))
	d.cases.SetText("还没有办件 no case yet")
	if len(s.cases) > 0 {
		d.cases.SetText(strings.Join(s.cases, "\n"))
	}
	if s.slips+s.sheets > 0 {
		d.papers.SetText(fmt.Sprintf("%d 张凭条 slips · %d 份证明 certificates", s.slips, s.sheets))
	}
	d.slip.put(d.world.PaperDir(), s.slip)
	d.a4.put(d.world.PaperDir(), s.a4)
}

// put shows a paper; one that is not drawn yet is tried again at the next look.
func (p *printout) put(dir, file string) {
	if file == "" || file == p.file {
		return
	}
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return
	}
	p.file, p.img.Image = file, img
	p.img.Refresh()
}

// dockTheme is Fyne's own, light, with our Chinese face.
type dockTheme struct{ fyne.Theme }

// Color is the light variant's whatever the desktop prefers.
func (d dockTheme) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	return d.Theme.Color(n, theme.VariantLight)
}

var (
	dockRegular = fyne.NewStaticResource("ui-regular.otf", assets.Font("ui-regular.otf"))
	dockBold    = fyne.NewStaticResource("ui-bold.otf", assets.Font("ui-bold.otf"))
)

// Font gives the Simplified Chinese face for every style.
func (dockTheme) Font(s fyne.TextStyle) fyne.Resource {
	if s.Bold {
		return dockBold
	}
	return dockRegular
}
