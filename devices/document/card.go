// Printing on blank cards: the same acts on the wire as for a document, a raster instead of a PDF, and the printer's own
// counter held against what it says of the job.

package document

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// CR80 is the media of a card where the printer does not say how it spells it (PWG 5101.1: ISO/IEC 7810 ID-1).
const CR80 = "iso_id-1_53.98x85.6mm"

// NoteCounter is the printer's counter of faces before the job, where it has one.
const NoteCounter = "counter"

// counter is how a printer tells how many sides it ever printed.
const counter = "printer-impressions-completed"

// What is asked of a card printer beyond what every printer is asked.
var (
	reportingCards  = append(slices.Clone(reporting), "marker-names", "marker-low-levels", "printer-input-tray", "printer-output-tray", counter)
	describingCards = append(slices.Clone(describing), "marker-names", "marker-low-levels", "printer-input-tray", "printer-output-tray", counter,
		"pwg-raster-document-type-supported", "pwg-raster-document-resolution-supported")
)

// CardPrinter is an open IPP printer for cards. It implements [devices.CardPrinter].
type CardPrinter struct {
	p     *Printer
	kinds []string // pwg-raster-document-type-supported
}

var _ devices.CardPrinter = (*CardPrinter)(nil)

// OpenCards asks the printer at uri what it is, as [Open] does. It must take image/pwg-raster at 300 dpi and know a media of
// 85.6 × 54 mm, which is found by its size unless Options.Media names one.
func OpenCards(ctx context.Context, uri string, opt Options) (*CardPrinter, error) {
	p, err := newPrinter(uri, opt)
	if err != nil {
		return nil, err
	}
	p.role, p.format, p.asks = devices.RoleCardPrinter, rasterFormat, reportingCards
	got, err := p.introduce(ctx, describingCards, func(a attributes) {
		if p.opt.Media == "" {
			p.opt.Media = cardMedia(a.strings("media-supported"))
		}
	})
	c := &CardPrinter{p: p}
	if err == nil {
		c.kinds = got.strings("pwg-raster-document-type-supported")
		switch res := got.resolutions("pwg-raster-document-resolution-supported"); {
		case len(res) > 0 && !slices.Contains(res, [2]int{devices.CardDPI, devices.CardDPI}):
			_, err = unusable("does not print %d dpi", devices.CardDPI)
		case rasterKind(c.kinds, true) == "":
			_, err = unusable("takes no raster of 8 bits a colour")
		}
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return c, nil
}

// cardMedia is the first of the printer's media that has a card's size, within a millimetre.
func cardMedia(supported []string) string {
	for _, m := range supported {
		w, h, ok := mediaSize(m)
		if ok && math.Abs(min(w, h)-53.98) <= 1 && math.Abs(max(w, h)-85.6) <= 1 {
			return m
		}
	}
	return CR80
}

// mediaSize reads the size out of a media's name ("iso_id-1_53.98x85.6mm"), in millimetres (PWG 5101.1 section 5).
func mediaSize(name string) (w, h float64, ok bool) {
	size, isMM := strings.CutSuffix(name[strings.LastIndexByte(name, '_')+1:], "mm")
	unit := 1.0
	if !isMM {
		if size, ok = strings.CutSuffix(size, "in"); !ok {
			return 0, 0, false
		}
		unit = 25.4
	}
	a, b, two := strings.Cut(size, "x")
	w, errW := strconv.ParseFloat(a, 64)
	h, errH := strconv.ParseFloat(b, 64)
	if !two || errW != nil || errH != nil || !(w > 0 && w < 1e4) || !(h > 0 && h < 1e4) {
		return 0, 0, false
	}
	return w * unit, h * unit, true
}

// Probe asks the printer how it is. Paper is the hopper, toner the ribbon, media what lies at the exit.
func (c *CardPrinter) Probe(ctx context.Context) (devices.Status, error) { return c.p.Probe(ctx) }

// Close ends what is under way and lets the connections go.
func (c *CardPrinter) Close() error { return c.p.Close() }

// Supplies asks the sensors and counters.
func (c *CardPrinter) Supplies(ctx context.Context) (devices.CardSupplies, error) {
	got, err := c.p.attributes(ctx, c.p.asks)
	if err != nil {
		return devices.CardSupplies{}, err
	}
	return c.supplies(got), nil
}

func (c *CardPrinter) supplies(a attributes) devices.CardSupplies {
	st := c.p.statusOf(a)
	return devices.CardSupplies{Ribbon: st.Toner, RibbonLeft: ribbonOf(a).left, Hopper: st.Paper, HopperLeft: hopperLeft(a),
		Exit: st.Media, Printed: a.int(counter, -1)}
}

// unfitCard says why a job cannot be printed by anybody.
func unfitCard(job devices.CardJob) string {
	switch {
	case !fitName(job.Name):
		return badName
	case job.Face == nil || job.Face.Bounds().Size() != image.Pt(devices.CardWidth, devices.CardHeight):
		return fmt.Sprintf("face has not %d x %d dots", devices.CardWidth, devices.CardHeight)
	case job.Note == nil:
		return "job without a Note"
	}
	return ""
}

// Print prints one face; see the package comment for the order of acts.
func (c *CardPrinter) Print(ctx context.Context, job devices.CardJob) devices.PrintResult {
	if why := unfitCard(job); why != "" {
		return notSent("", why)
	}
	giveBack, err := c.p.take(ctx)
	if err != nil {
		return refused(err)
	}
	defer giveBack()

	w, h, sized := mediaSize(c.p.opt.Media)
	face := rasterOf(job.Face, rasterKind(c.kinds, coloured(job.Face)), sized && w > h)
	defer clear(face) // it shows a person
	before := -1
	res, again := c.p.perform(ctx, task{name: job.Name, document: face, sheets: 1, note: job.Note, hindered: job.Hindered,
		ready: func(a attributes) *devices.PrintResult {
			if exitOf(a) == devices.MediaPresent || slices.ContainsFunc(a.strings("printer-state-reasons"), exitFull) {
				r := notSent("", "a card lies at the exit")
				r.Output = devices.MediaPresent
				return &r
			}
			if before = a.int(counter, -1); before < 0 {
				return nil
			}
			if err := job.Note(NoteCounter, strconv.Itoa(before)); err != nil {
				r := refused(fmt.Errorf("noting the counter: %w", err))
				return &r
			}
			return nil
		}})
	if again {
		before = -1 // it was taken before a job of which nobody here knows
	}
	if res.Outcome == devices.PrintNotSent && before < 0 {
		return res // nothing was begun
	}
	return c.hold(ctx, res, before, true)
}

func exitFull(reason string) bool {
	k, _ := splitReason(reason)
	return k == "output-area-full"
}

// Settle asks what became of an earlier job; see [Printer.Settle].
func (c *CardPrinter) Settle(ctx context.Context, name string, notes map[string]string) devices.PrintResult {
	res := c.p.Settle(ctx, name, 1, notes)
	before, err := strconv.Atoi(notes[NoteCounter])
	if err != nil || before < 0 {
		before = -1
	}
	return c.hold(ctx, res, before, false)
}

// hold holds a result against the printer's own counter, which stood at before (-1: not known) when the job was made, and
// looks whether a card lies at the exit. exact says that nobody else can have printed since. What contradicts is Unknown: a
// person looks at the cards.
func (c *CardPrinter) hold(ctx context.Context, res devices.PrintResult, before int, exact bool) devices.PrintResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.p.opt.EndWait)
	defer cancel()
	confirmed := res.Outcome == devices.PrintConfirmed
	made := -1 // as the printer last said: no answer takes nothing of that back
	for {
		got, err := c.p.attributes(ctx, c.p.asks)
		if err == nil {
			res.Output = exitOf(got)
			if after := got.int(counter, -1); before >= 0 && after >= before { // a counter that went back was reset, and proves nothing
				made = after - before
			}
		}
		// Some printers end the job first and count afterwards, or answer late.
		if waits := err != nil || confirmed && made == 0; waits && c.pause(ctx) {
			continue
		}
		switch {
		case made < 0 || res.Outcome == devices.PrintUnknown:
		case confirmed && made == 0, confirmed && exact && made != 1, !confirmed && made > 0:
			res.Outcome, res.By, res.Sheets = devices.PrintUnknown, "", -1
			res.Detail = strings.TrimPrefix(fmt.Sprintf("%s; but its counter went on by %d", res.Detail, made), "; ")
			return res
		case confirmed:
			res.By = "ipp+counter"
		}
		if made >= 0 && res.Outcome == devices.PrintUnknown {
			res.Detail += fmt.Sprintf("; its counter went on by %d", made)
		}
		return res
	}
}

// pause waits for one poll; false means that there is no time left.
func (c *CardPrinter) pause(ctx context.Context) bool {
	select {
	case <-time.After(c.p.opt.Poll):
		return ctx.Err() == nil
	case <-ctx.Done():
	case <-c.p.closed.Done():
	}
	return false
}

// resolutions are an attribute's resolutions in dots an inch.
func (a attributes) resolutions(name string) [][2]int {
	var out [][2]int
	for _, v := range a.values(name) {
		if r, ok := v.V.(goipp.Resolution); ok {
			x, y := r.Xres, r.Yres
			if r.Units == goipp.UnitsDpcm {
				x, y = int(math.Round(float64(x)*2.54)), int(math.Round(float64(y)*2.54))
			}
			out = append(out, [2]int{x, y})
		}
	}
	return out
}
