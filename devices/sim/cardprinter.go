package sim

// The card printer: an IPP printer with a hopper of blanks, a ribbon, and an exit with room for one card. Its network side,
// its jobs and its engine are the document printer's.

import (
	"bytes"
	"fmt"
	"image/png"
	"time"

	"github.com/OpenPrinting/goipp"
)

// DeviceCardPrinter is the card printer's name.
const DeviceCardPrinter = "card-printer"

// mediaCard is what a card is called in its media attributes (PWG 5101.1).
const mediaCard = "iso_id-1_53.98x85.6mm"

// CardPrinterOptions of [StartCardPrinter].
type CardPrinterOptions struct {
	Listen   string        // "" is "127.0.0.1:0"
	CardTime time.Duration // for one card; 0 means 20 s, negative is at once
	// JobTimeout is multiple-operation-time-out: how long a job waits for its face. 0 means 60 s.
	JobTimeout time.Duration
	Hopper     int         // blanks at the start; 0 means 100, negative none
	Ribbon     int         // faces that the ribbon prints at the start; 0 means 250, negative none
	Bare       bool        // a model without tray sensors and without a counter of faces
	Dir        string      // receives every printed card as card-NN.png
	OnPrint    func(Paper) // called for every card, from the printer's goroutine, before its job is over
	Now        func() time.Time
}

// CardPrinter is a simulated card printer.
type CardPrinter struct{ *DocumentPrinter }

// cardWorks is what a card printer has and a document printer has not. Its fields are guarded by the printer's mutex.
type cardWorks struct {
	hopper, ribbon int
	reel           int  // faces of a full ribbon
	spoiled        int  // blanks that were fed and came to nothing
	fed, stuck     bool // a blank is in the works; it does not come out
	bare           bool
}

// Capacities of a full load.
const (
	fullHopper = 100
	fullRibbon = 250
)

// StartCardPrinter switches a card printer on.
func StartCardPrinter(opt CardPrinterOptions) (*CardPrinter, error) {
	amount := func(n, otherwise int) int {
		if n == 0 {
			return otherwise
		}
		return max(n, 0)
	}
	if opt.CardTime == 0 {
		opt.CardTime = 20 * time.Second
	}
	p, err := startPrinter(DocumentOptions{Listen: opt.Listen, PageTime: opt.CardTime, JobTimeout: opt.JobTimeout, Dir: opt.Dir,
		OnPrint: opt.OnPrint, Now: opt.Now}, printerKind{
		device: DeviceCardPrinter, faults: cardPrinterFaults, media: mediaCard, formats: []string{"image/pwg-raster"}, file: "card-%02d.png",
		works: &cardWorks{hopper: amount(opt.Hopper, fullHopper), ribbon: amount(opt.Ribbon, fullRibbon), reel: max(fullRibbon, opt.Ribbon), bare: opt.Bare}})
	if err != nil {
		return nil, err
	}
	return &CardPrinter{p}, nil
}

var cardPrinterFaults = append([]FaultInfo{
	{Name: "hopper-empty", About: "the hopper is empty or was taken out"},
	{Name: "hopper-low", About: "few blanks are left; printing goes on"},
	{Name: "ribbon-out", About: "the ribbon is at its end or was taken out"},
	{Name: "ribbon-low", About: "the ribbon is nearly at its end; printing goes on"},
	{Name: "ribbon-breaks", Value: times, Default: 1, max: 1000, About: "the ribbon tears in the middle of a card: the blank is spoiled; then it is out until ribbon-out is cleared"},
	{Name: "misfeed", About: "no blank leaves the hopper"},
	{Name: "card-sticks", About: "a card sticks in the middle of its printing; clear takes it out, spoiled"},
	{Name: "two-cards", Value: times, Default: 1, max: 1000, About: "two blanks are fed and printed for one job"},
	{Name: "counter-stands", About: "its counter of faces does not go on"},
	{Name: "says-done", Value: times, Default: 1, max: 1000, About: "it says that a card was printed, and none was"},
}, without(documentFaults, "media-empty", "paper-out-mid-job", "media-jam", "jam-mid-job", "toner-low", "toner-empty", "output-full")...)

func without(all []FaultInfo, names ...string) (out []FaultInfo) {
next:
	for _, f := range all {
		for _, n := range names {
			if f.Name == n {
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

// LoadCards puts blanks into the hopper.
func (p *CardPrinter) LoadCards(n int) { p.change(func() { p.works.hopper += n }) }

// LoadRibbon puts a new ribbon in.
func (p *CardPrinter) LoadRibbon() {
	p.faults.clear("ribbon-out")
	p.change(func() { p.works.ribbon = p.works.reel })
}

// Cards are the cards that were printed, oldest first; Data is a PNG, the card lying.
func (p *CardPrinter) Cards() []Paper { return p.Documents() }

// CardPrinterState is what a card printer looks like from outside and, unlike for its driver, from inside.
type CardPrinterState struct {
	DocumentState
	Hopper  int `json:"hopper"`
	Ribbon  int `json:"ribbon"`
	Spoiled int `json:"spoiled"` // blanks that were fed and came to nothing
}

// State tells how the printer is.
func (p *CardPrinter) State() CardPrinterState {
	s := CardPrinterState{DocumentState: p.DocumentPrinter.State()}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Hopper, s.Ribbon, s.Spoiled = p.works.hopper, p.works.ribbon, p.works.spoiled
	return s
}

// countCards decodes the face once, before a blank is fed.
func countCards(data []byte) (int, bool) {
	m, err := readRaster(data)
	if err != nil {
		return 0, false
	}
	l := lay(m).Bounds()
	return 1, l.Dx() >= 1000 && l.Dx() <= 1040 && l.Dy() >= 630 && l.Dy() <= 660
}

// cardPicture is the printed card as a PNG.
func cardPicture(data []byte) ([]byte, error) {
	m, err := readRaster(data)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, lay(m)); err != nil {
		return nil, fmt.Errorf("sim %s: %w", DeviceCardPrinter, err)
	}
	return out.Bytes(), nil
}

// hindrancesOfCardsLocked are the reasons that stop a card printer now.
func (p *DocumentPrinter) hindrancesOfCardsLocked() []string {
	var all []string
	add := func(on bool, reason string) {
		if on {
			all = append(all, reason)
		}
	}
	add(p.works.stuck || p.faults.has("misfeed") && p.busyLocked(), "media-jam-error")
	add((p.works.hopper == 0 || p.faults.has("hopper-empty")) && !p.works.fed, "media-empty-error")
	add((p.works.ribbon == 0 || p.faults.has("ribbon-out")) && !p.works.fed, "marker-supply-empty-error")
	add(p.faults.has("cover-open"), "cover-open-error")
	add(p.tray > 0 && p.busyLocked() && !p.works.fed, "output-area-full-error")
	add(p.faults.has("paused"), "paused")
	return all
}

// feed takes a blank into the works; false means that the job is over.
func (p *DocumentPrinter) feed(j *job) (on bool) {
	p.change(func() {
		if on = !j.over(); on && p.works.hopper > 0 {
			p.works.hopper--
			p.works.fed = true
		}
	})
	return on
}

// face prints on the blank that was fed; false means that the job ended.
func (p *DocumentPrinter) face(j *job) (on bool) {
	switch {
	case p.faults.once("ribbon-breaks"):
		p.faults.set("ribbon-out", 0)
		p.spoil(j, "aborted-by-system", "printer-stopped")
		return false
	case p.faults.has("card-sticks"):
		p.change(func() {
			if !j.over() {
				j.state, j.reasons, p.works.stuck = jobStopped, []string{"printer-stopped"}, true
			}
		})
		for p.faults.has("card-sticks") && !j.isOver(p) {
			p.mu.Lock()
			changed := p.changed
			p.mu.Unlock()
			select {
			case <-changed:
			case <-p.end.Done():
				return false
			}
		}
		p.spoil(j, "aborted-by-system", "printer-stopped")
		return false
	}
	double := p.faults.once("two-cards")
	p.change(func() {
		on = !j.over()
		p.works.fed = false
		if !on {
			p.works.spoiled++
			return
		}
		made := 1
		if double && p.works.hopper > 0 {
			p.works.hopper--
			made++
		}
		p.works.ribbon = max(0, p.works.ribbon-made)
		j.impressions++
		p.tray++
		if !p.faults.has("counter-stands") {
			p.lifetime += made
		}
	})
	return on
}

// spoil ends a job whose blank came to nothing.
func (p *DocumentPrinter) spoil(j *job, reasons ...string) {
	p.change(func() {
		p.works.fed, p.works.stuck = false, false
		p.works.spoiled++
		if !j.over() {
			p.endLocked(j, jobAborted, reasons...)
		}
	})
}

func (j *job) isOver(p *DocumentPrinter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return j.over()
}

// cardAttributesLocked are what a card printer says otherwise than a document printer, and besides.
func (p *DocumentPrinter) cardAttributesLocked(out goipp.Attributes) goipp.Attributes {
	w := p.works
	hopper, ribbon := w.hopper, w.ribbon
	if p.faults.has("hopper-empty") {
		hopper = 0
	}
	if p.faults.has("hopper-low") {
		hopper = min(hopper, 2)
	}
	if p.faults.has("ribbon-out") {
		ribbon = 0
	}
	if p.faults.has("ribbon-low") {
		ribbon = min(ribbon, 10)
	}
	size := goipp.Collection{intAttr("x-dimension", 5398), intAttr("y-dimension", 8560)}
	col := goipp.Collection{attr("media-size", goipp.TagBeginCollection, size)}
	res := goipp.Resolution{Xres: rasterMedium, Yres: rasterMedium, Units: goipp.UnitsDpi}
	set := func(a goipp.Attribute) {
		for i := range out {
			if out[i].Name == a.Name {
				out[i] = a
				return
			}
		}
		out.Add(a)
	}
	drop := func(name string) {
		for i := range out {
			if out[i].Name == name {
				out = append(out[:i], out[i+1:]...)
				return
			}
		}
	}
	for _, a := range []goipp.Attribute{
		stringsAttr("printer-name", goipp.TagName, "Simulated card printer"),
		stringsAttr("printer-info", goipp.TagText, "Simulated card printer"),
		stringsAttr("printer-make-and-model", goipp.TagText, "Budayang Simulated CR80"),
		stringsAttr("printer-device-id", goipp.TagText, "MFG:Budayang;MDL:Simulated CR80;CMD:PWGRaster;SN:SIM00000003;"),
		stringsAttr("document-format-default", goipp.TagMimeType, p.kind.formats[0]),
		keywordAttr("media-supported", mediaCard),
		keywordAttr("media-default", mediaCard),
		attr("media-col-default", goipp.TagBeginCollection, col),
		attr("media-col-database", goipp.TagBeginCollection, col),
		attr("media-size-supported", goipp.TagBeginCollection, size),
		boolAttr("color-supported", true),
		attr("printer-resolution-supported", goipp.TagResolution, res),
		attr("printer-resolution-default", goipp.TagResolution, res),
		attr("pwg-raster-document-resolution-supported", goipp.TagResolution, res),
		keywordAttr("pwg-raster-document-type-supported", "sgray_8", "srgb_8"),
		keywordAttr("pwg-raster-document-sheet-back", "normal"),
		stringsAttr("marker-names", goipp.TagName, "YMCKO ribbon"),
		keywordAttr("marker-types", "ink-ribbon"),
		stringsAttr("marker-colors", goipp.TagName, "#00FFFF#FF00FF#FFFF00#000000"),
		intAttr("marker-levels", (100*ribbon+w.reel-1)/w.reel),
		intAttr("marker-low-levels", 10),
		octets("printer-supply", fmt.Sprintf("index=1;type=inkRibbon;maxcapacity=%d;level=%d;class=supplyThatIsConsumed;unit=impressions;colorantname=multi;", w.reel, ribbon)),
		octets("printer-input-tray", fmt.Sprintf("type=sheetFeedAutoNonRemovableTray;mediafeed=8560;mediaxfeed=5398;maxcapacity=%d;level=%d;status=0;unit=sheets;name=Hopper;", fullHopper, hopper)),
		octets("printer-output-tray", fmt.Sprintf("type=unRemovableBin;maxcapacity=1;remaining=%d;status=0;unit=sheets;name=Exit;", max(0, 1-p.tray))),
	} {
		set(a)
	}
	if hopper > 0 {
		set(keywordAttr("media-ready", mediaCard))
	} else {
		set(attr("media-ready", goipp.TagNoValue, goipp.Void{}))
	}
	if w.bare {
		for _, name := range []string{"printer-supply", "printer-input-tray", "printer-output-tray", "printer-impressions-completed",
			"printer-media-sheets-completed", "marker-levels"} {
			drop(name)
		}
	}
	return out
}

func octets(name, value string) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagString, goipp.Binary(value))
}
