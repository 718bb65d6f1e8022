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
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// dock is the window and what it steers.
type dock struct {
	world   *journey.World
	plug    func() // pulls the terminal's plug
	replug  func() // and puts it in again
	running func() bool

	card     *widget.Label
	code     *widget.Label
	link     *widget.Label
	platform *widget.Label
	trouble  *widget.Label
	paper    *canvas.Image
	papers   *widget.Label
	shown    string
	plugged  *widget.Button
}

// show runs the dock until its window is closed or ctx ends.
func (d *dock) show(ctx context.Context) {
	a := app.NewWithID("org.budayang.kiosk.dock")
	a.Settings().SetTheme(dockTheme{theme.DefaultTheme()})
	w := a.NewWindow("Budayang 演示台 · dock")
	w.SetContent(d.content())
	w.Resize(fyne.NewSize(520, 900))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.follow(ctx, stop)
	}()
	go func() {
		select {
		case <-ctx.Done():
			fyne.Do(a.Quit)
		case <-stop:
		}
	}()
	w.ShowAndRun()
	close(stop)
	<-done
}

func (d *dock) content() fyne.CanvasObject {
	d.card, d.code, d.link = widget.NewLabel("—"), widget.NewLabel("—"), widget.NewLabel("")
	d.platform, d.trouble, d.papers = widget.NewLabel(""), widget.NewLabel(""), widget.NewLabel("还没有打印 nothing printed yet")
	d.trouble.Wrapping, d.papers.Wrapping = fyne.TextWrapWord, fyne.TextWrapWord
	d.paper = canvas.NewImageFromImage(image.NewGray(image.Rect(0, 0, 1, 1)))
	d.paper.FillMode = canvas.ImageFillContain
	d.paper.SetMinSize(fyne.NewSize(300, 330))

	people := widget.NewSelect(d.world.Props.Cards(), nil)
	if len(people.Options) > 0 {
		people.SetSelectedIndex(min(1, len(people.Options)-1))
	}
	cards := container.NewGridWithColumns(2,
		widget.NewButton("放身份证 put card", func() { d.do(d.world.Props.PutCard(people.Selected)); d.card.SetText(people.Selected) }),
		widget.NewButton("拿走身份证 take card", func() { d.do(d.world.Props.TakeCard()); d.card.SetText("—") }))

	fault := func(label, device, name string) fyne.CanvasObject {
		return widget.NewButton(label, func() { d.do(d.world.Props.Fault(device, name, "")) })
	}
	mend := func(device string) fyne.CanvasObject {
		return widget.NewButton("恢复正常 mend", func() { d.do(d.world.Props.Clear(device)) })
	}
	printers := container.NewGridWithColumns(4,
		bold("凭条 slip"), fault("缺纸", "receipt-printer", "paper-out"), fault("开盖", "receipt-printer", "cover-open"), mend("receipt-printer"),
		bold("A4"), fault("缺纸", "document-printer", "media-empty"), fault("卡纸", "document-printer", "media-jam"), mend("document-printer"),
		bold("读卡器 card"), fault("无应答", "id-reader", "silent"), fault("拔掉", "id-reader", "unplug"), mend("id-reader"))

	links := container.NewGridWithColumns(3,
		widget.NewButton("断网 cut", func() { d.world.Link.Cut() }),
		widget.NewButton("恢复 restore", func() { d.world.Link.Slow(0); d.world.Link.Restore() }),
		widget.NewButton("平台变慢 slow", func() { d.world.Link.Slow(4 * time.Second) }))

	d.plugged = widget.NewButton("拔掉终端电源 pull the plug", nil)
	d.plugged.OnTapped = func() {
		if d.running() {
			d.plug()
		} else {
			d.replug()
		}
	}
	take := widget.NewButton("取走打印件 take paper", func() { d.do(d.world.Props.TakeOutput()) })

	row := func(name string, v fyne.CanvasObject) fyne.CanvasObject { return container.NewHBox(bold(name), v) }
	top := container.NewVBox(
		people, cards, row("读卡区 on the reader:", d.card), row("手机短信 code on the phone:", d.code),
		widget.NewSeparator(), printers, take,
		widget.NewSeparator(), links, row("链路 link:", d.link), d.plugged,
		widget.NewSeparator(), row("平台收到 platform:", d.platform), d.trouble,
		widget.NewSeparator(), d.papers)
	return container.NewBorder(top, nil, nil, nil, container.New(layout.NewStackLayout(), canvas.NewRectangle(color.NRGBA{0xF3, 0xF6, 0xFA, 0xFF}), d.paper))
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
		code := "—"
		if all := d.world.Codes(); len(all) > 0 {
			code = all[len(all)-1]
		}
		up, running := d.world.Link.Up(), d.running()
		var t journey.Totals
		d.world.Count(&t)
		files := d.world.PaperFiles()
		fyne.Do(func() { d.refresh(code, up, running, t, len(d.world.CasesAtPlatform()), files) })
	}
}

func (d *dock) refresh(code string, up, running bool, t journey.Totals, cases int, files []string) {
	d.code.SetText(code)
	if up {
		d.link.SetText("通 up")
	} else {
		d.link.SetText("断 cut")
	}
	if running {
		d.plugged.SetText("拔掉终端电源 pull the plug")
	} else {
		d.plugged.SetText("插上电源 plug in again")
	}
	d.platform.SetText(fmt.Sprintf("%d 件 cases · %d 评价 ratings · %d 隔离 quarantined", cases, t.Ratings, t.Quarantined))
	if len(files) == 0 || files[len(files)-1] == d.shown {
		return
	}
	d.shown = files[len(files)-1]
	d.papers.SetText(fmt.Sprintf("%d 张凭条 slips · %d 份证明 certificates · %s", t.Receipts, t.Certificates, strings.Join(last(files, 2), "  ")))
	name := filepath.Join(d.world.PaperDir(), strings.TrimSuffix(d.shown, ".pdf"))
	if strings.HasSuffix(d.shown, ".pdf") {
		name += ".png"
	}
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	if img, _, err := image.Decode(f); err == nil {
		d.paper.Image = img
		d.paper.Refresh()
	}
}

func last(all []string, n int) []string { return all[max(0, len(all)-n):] }

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
