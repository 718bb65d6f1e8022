// Cards: every way a face can go, and what is honestly said of it, against a simulated printer that counts its blanks.

package document

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
)

// asTask is a document's job as the acts see it.
func asTask(job devices.DocumentJob) task {
	return task{name: job.Name, document: job.PDF, sheets: job.Sheets, note: job.Note, progress: job.Progress, hindered: job.Hindered}
}

// face is a card that looks otherwise at every corner, so that a turned or mirrored one is seen.
func face() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, devices.CardWidth, devices.CardHeight))
	for y := range devices.CardHeight {
		for x := range devices.CardWidth {
			c := color.NRGBA{255, 255, 255, 255}
			switch {
			case x < 200 && y < 100:
				c = color.NRGBA{200, 30, 30, 255}
			case x > 800 && y < 50:
				c = color.NRGBA{30, 30, 200, 255}
			case y > 500 && x < 500: // no two dots alike
				c = color.NRGBA{uint8(x * 7), uint8(y * 5), uint8(x ^ y), 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func cardJob(l *ledger) devices.CardJob {
	return devices.CardJob{Name: jobName, Face: face(), Note: l.note}
}

func cardSim(t *testing.T, opt sim.CardPrinterOptions) *sim.CardPrinter {
	t.Helper()
	if opt.CardTime == 0 {
		opt.CardTime = -1
	}
	s, err := sim.StartCardPrinter(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openCards(t *testing.T, uri string, opt Options) *CardPrinter {
	t.Helper()
	p, err := OpenCards(t.Context(), uri, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func fault(t *testing.T, s *sim.CardPrinter, name, value string) {
	t.Helper()
	if err := s.Fault(name, value); err != nil {
		t.Fatal(err)
	}
}

func TestACardComesOutDotForDot(t *testing.T) {
	gray := image.NewGray(face().Bounds())
	draw.Draw(gray, gray.Bounds(), face(), image.Point{}, draw.Src)
	for name, m := range map[string]image.Image{"colour": face(), "gray": gray, "part of a larger one": &shifted{face()}} {
		t.Run(name, func(t *testing.T) {
			s := cardSim(t, sim.CardPrinterOptions{})
			p := openCards(t, s.URI(), quick())
			l := &ledger{}
			job := cardJob(l)
			job.Face = m
			res := p.Print(t.Context(), job)
			want(t, res, devices.PrintConfirmed, "", "")
			if res.By != "ipp+counter" || res.Sheets != 1 || res.Output != devices.MediaPresent {
				t.Errorf("%+v", res)
			}
			if l.notes[NoteCounter] != "0" || l.notes[NoteJobID] == "" {
				t.Errorf("notes %v", l.notes)
			}
			eventually(t, "card", func() bool { return len(s.Cards()) == 1 })
			cards := s.Cards()
			got, err := png.Decode(bytes.NewReader(cards[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds().Size() != image.Pt(devices.CardWidth, devices.CardHeight) {
				t.Fatalf("card of %v", got.Bounds())
			}
			b := m.Bounds()
			for y := range devices.CardHeight {
				for x := range devices.CardWidth {
					want := color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y))
					if got := color.NRGBAModel.Convert(got.At(x, y)); got != want {
						t.Fatalf("dot %d,%d is %v, want %v", x, y, got, want)
					}
				}
			}
			if st := s.State(); st.Hopper != 99 || st.Spoiled != 0 || st.Lifetime != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// shifted has its origin elsewhere.
type shifted struct{ *image.NRGBA }

func (s *shifted) Bounds() image.Rectangle { return s.NRGBA.Bounds().Add(image.Pt(-7, 11)) }
func (s *shifted) At(x, y int) color.Color { return s.NRGBA.At(x+7, y-11) }

func TestTransparentDotsAreWhite(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(1, 0, color.NRGBA{0, 0, 0, 128})
	to := make([]byte, 3)
	dot(to, m, 0, 0)
	if !bytes.Equal(to, []byte{255, 255, 255}) {
		t.Errorf("clear: %v", to)
	}
	dot(to, m, 1, 0)
	if to[0] < 125 || to[0] > 129 {
		t.Errorf("half: %v", to)
	}
}

func TestWhatIsSaidOfSupplies(t *testing.T) {
	for name, c := range map[string]struct {
		opt    sim.CardPrinterOptions
		fault  string
		before func(*sim.CardPrinter)
		want   devices.CardSupplies
		why    devices.Unready
	}{
		"full":         {want: devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Hopper: devices.SupplyFull, HopperLeft: 100, Exit: devices.MediaNotPresent}},
		"ribbon low":   {fault: "ribbon-low", want: devices.CardSupplies{Ribbon: devices.SupplyLow, RibbonLeft: 10, Hopper: devices.SupplyFull, HopperLeft: 100, Exit: devices.MediaNotPresent}},
		"ribbon out":   {fault: "ribbon-out", want: devices.CardSupplies{Ribbon: devices.SupplyOut, RibbonLeft: 0, Hopper: devices.SupplyFull, HopperLeft: 100, Exit: devices.MediaNotPresent}, why: devices.UnreadyTonerOut},
		"last blanks":  {opt: sim.CardPrinterOptions{Hopper: 2}, want: devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Hopper: devices.SupplyLow, HopperLeft: 2, Exit: devices.MediaNotPresent}},
		"no blanks":    {opt: sim.CardPrinterOptions{Hopper: -1}, want: devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Hopper: devices.SupplyOut, HopperLeft: 0, Exit: devices.MediaNotPresent}, why: devices.UnreadyPaperOut},
		"hopper taken": {fault: "hopper-empty", want: devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Hopper: devices.SupplyOut, HopperLeft: 0, Exit: devices.MediaNotPresent}, why: devices.UnreadyPaperOut},
		"cover":        {fault: "cover-open", want: devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Hopper: devices.SupplyFull, HopperLeft: 100, Exit: devices.MediaNotPresent}, why: devices.UnreadyCoverOpen},
		"a model that cannot tell": {opt: sim.CardPrinterOptions{Bare: true}, want: devices.CardSupplies{Ribbon: devices.SupplyUnknown, RibbonLeft: -1, Hopper: devices.SupplyFull, HopperLeft: -1,
			Exit: devices.MediaNotSupported, Printed: -1}},
		"a model that cannot tell, ribbon out": {opt: sim.CardPrinterOptions{Bare: true}, fault: "ribbon-out", want: devices.CardSupplies{Ribbon: devices.SupplyOut, RibbonLeft: -1, Hopper: devices.SupplyFull, HopperLeft: -1,
			Exit: devices.MediaNotSupported, Printed: -1}, why: devices.UnreadyTonerOut},
	} {
		t.Run(name, func(t *testing.T) {
			s := cardSim(t, c.opt)
			p := openCards(t, s.URI(), quick())
			if c.fault != "" {
				fault(t, s, c.fault, "")
			}
			got, err := p.Supplies(t.Context())
			if err != nil || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
			st, err := p.Probe(t.Context())
			if err != nil || st.Role != devices.RoleCardPrinter || st.Unready() != c.why {
				t.Errorf("%+v, %v", st, err)
			}
			if s.State().Hopper != c.want.HopperLeft && c.want.HopperLeft > 2 {
				t.Error("asking moved a blank")
			}
			if c.why != "" {
				want(t, p.Print(t.Context(), cardJob(&ledger{})), devices.PrintNotSent, c.why, "not ready")
				if st := s.State(); st.Lifetime != 0 || len(st.Jobs) != 0 {
					t.Errorf("%+v", st)
				}
			}
		})
	}
}

func TestTheSecondCitizenWaitsUntilTheFirstTookTheCard(t *testing.T) {
	s := cardSim(t, sim.CardPrinterOptions{})
	p := openCards(t, s.URI(), quick())
	want(t, p.Print(t.Context(), cardJob(&ledger{})), devices.PrintConfirmed, "", "")
	second := cardJob(&ledger{})
	second.Name += "b"
	res := p.Print(t.Context(), second)
	want(t, res, devices.PrintNotSent, "", "lies at the exit")
	if res.Output != devices.MediaPresent {
		t.Errorf("%+v", res)
	}
	if st, err := p.Probe(t.Context()); err != nil || st.Media != devices.MediaPresent || st.Unready() != devices.UnreadyNot {
		t.Errorf("%+v, %v", st, err) // a card that waits is no fault
	}
	s.Take()
	want(t, p.Print(t.Context(), second), devices.PrintConfirmed, "", "")
	if st := s.State(); st.Lifetime != 2 || st.Hopper != 98 {
		t.Errorf("%+v", st)
	}
}

func TestACardIsNeverPrintedTwice(t *testing.T) {
	s := cardSim(t, sim.CardPrinterOptions{})
	l := &ledger{}
	want(t, openCards(t, s.URI(), quick()).Print(t.Context(), cardJob(l)), devices.PrintConfirmed, "", "")
	s.Take()
	want(t, openCards(t, s.URI(), quick()).Print(t.Context(), cardJob(&ledger{})), devices.PrintConfirmed, "", "")
	want(t, openCards(t, s.URI(), quick()).Settle(t.Context(), jobName, l.notes), devices.PrintConfirmed, "", "")
	if st := s.State(); st.Lifetime != 1 || st.Hopper != 99 {
		t.Errorf("%+v", st)
	}
}

// What becomes of a blank when something breaks while it is printed.
func TestFaultsInTheMiddleOfACard(t *testing.T) {
	for name, c := range map[string]struct {
		fault, value   string
		opt            sim.CardPrinterOptions
		hindered       devices.Unready // at which the fault is mended
		outcome        devices.PrintOutcome
		why            devices.Unready
		detail         string
		printed, spoil int
	}{
		"ribbon tears":                   {fault: "ribbon-breaks", outcome: devices.PrintFailed, detail: "aborted", spoil: 1},
		"card sticks":                    {fault: "card-sticks", hindered: devices.UnreadyJammed, outcome: devices.PrintFailed, why: devices.UnreadyNot, spoil: 1},
		"misfeed, mended":                {fault: "misfeed", hindered: devices.UnreadyJammed, outcome: devices.PrintConfirmed, printed: 1},
		"two cards":                      {fault: "two-cards", outcome: devices.PrintUnknown, detail: "went on by 2", printed: 1},
		"says done, nothing came":        {fault: "says-done", outcome: devices.PrintUnknown, detail: "went on by 0"},
		"counter stands":                 {fault: "counter-stands", outcome: devices.PrintUnknown, detail: "went on by 0", printed: 1},
		"counts short":                   {fault: "wrong-impressions", outcome: devices.PrintUnknown, detail: "0 of 1", printed: 1},
		"face cannot be read":            {fault: "abort", outcome: devices.PrintFailed, detail: "document-format-error"},
		"off before it answers, no card": {fault: "vanish-after-create", outcome: devices.PrintNotSent, why: devices.UnreadyNoDevice},
		"off with the face":              {fault: "vanish-mid-send", outcome: devices.PrintUnknown, detail: "time is up"},
		"a model without sensors":        {opt: sim.CardPrinterOptions{Bare: true}, outcome: devices.PrintConfirmed, printed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opt.CardTime = 10 * time.Millisecond
			s := cardSim(t, c.opt)
			p := openCards(t, s.URI(), quick())
			if c.fault != "" {
				fault(t, s, c.fault, c.value)
			}
			job := cardJob(&ledger{})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if c.fault == "vanish-mid-send" {
				go func() { // nobody waits for a printer that went off with the face
					for s.State().On && ctx.Err() == nil {
						time.Sleep(5 * time.Millisecond)
					}
					time.Sleep(100 * time.Millisecond)
					cancel()
				}()
			}
			job.Hindered = func(why devices.Unready) {
				if why != "" && why == c.hindered {
					if err := s.Clear(c.fault); err != nil {
						t.Error(err)
					}
				}
			}
			res := p.Print(ctx, job)
			if res.Outcome != c.outcome || c.why != "" && res.Why != c.why || !strings.Contains(res.Detail, c.detail) {
				t.Errorf("%+v", res)
			}
			eventually(t, "end of the engine's work", func() bool { return s.State().Printed == c.printed })
			st := s.State()
			if st.Printed != c.printed || st.Spoiled != c.spoil {
				t.Errorf("printed %d, spoiled %d: %+v", st.Printed, st.Spoiled, st)
			}
			if blanks := 100 - st.Hopper; blanks < c.printed+c.spoil {
				t.Errorf("%d blanks left the hopper", blanks)
			}
		})
	}
}

// A power cut while a card is printed: the printer remembers, or it does not.
func TestPowerCutInTheMiddleOfACard(t *testing.T) {
	for name, c := range map[string]struct {
		forget  bool
		outcome devices.PrintOutcome
	}{
		"it remembers its jobs": {outcome: devices.PrintFailed},
		"it forgot its jobs":    {forget: true, outcome: devices.PrintUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cardSim(t, sim.CardPrinterOptions{CardTime: 10 * time.Second})
			if c.forget {
				fault(t, s, "forget-jobs", "")
			}
			l := &ledger{}
			p := openCards(t, s.URI(), quick())
			result := make(chan devices.PrintResult, 1)
			go func() { result <- p.Print(t.Context(), cardJob(l)) }()
			eventually(t, "a blank in the works", func() bool { return s.State().Hopper == 99 })
			fault(t, s, "power-cycle", "")
			if res := <-result; res.Outcome != c.outcome {
				t.Errorf("%+v", res)
			}
			// The terminal went down as well: it asks, and feeds nothing.
			if res := openCards(t, s.URI(), quick()).Settle(t.Context(), jobName, l.notes); res.Outcome != c.outcome {
				t.Errorf("settled: %+v", res)
			}
			if st := s.State(); st.Hopper != 99 || st.Spoiled != 1 || st.Lifetime != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestSettlingACard(t *testing.T) {
	for name, c := range map[string]struct {
		notes   func(map[string]string)
		between func(*testing.T, *sim.CardPrinter)
		outcome devices.PrintOutcome
		detail  string
	}{
		"printed":                     {outcome: devices.PrintConfirmed},
		"counter was not noted":       {notes: func(n map[string]string) { delete(n, NoteCounter) }, outcome: devices.PrintConfirmed},
		"counter cannot be read":      {notes: func(n map[string]string) { n[NoteCounter] = "-3" }, outcome: devices.PrintConfirmed},
		"counter did not go on":       {notes: func(n map[string]string) { n[NoteCounter] = "1" }, outcome: devices.PrintUnknown, detail: "went on by 0"},
		"counter was reset":           {notes: func(n map[string]string) { n[NoteCounter] = "4711" }, outcome: devices.PrintConfirmed},
		"others were printed since":   {notes: func(n map[string]string) { n[NoteCounter] = "0" }, between: another, outcome: devices.PrintConfirmed},
		"never sent, but one came":    {notes: func(n map[string]string) { delete(n, NoteJobID) }, between: forgetAll, outcome: devices.PrintUnknown, detail: "went on by 1"},
		"forgotten":                   {between: forgetAll, outcome: devices.PrintUnknown, detail: "went on by 1"},
		"forgotten, no counter noted": {notes: func(n map[string]string) { delete(n, NoteCounter) }, between: forgetAll, outcome: devices.PrintUnknown, detail: "does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cardSim(t, sim.CardPrinterOptions{})
			l := &ledger{}
			want(t, openCards(t, s.URI(), quick()).Print(t.Context(), cardJob(l)), devices.PrintConfirmed, "", "")
			notes := maps.Clone(l.notes)
			if c.notes != nil {
				c.notes(notes)
			}
			if c.between != nil {
				c.between(t, s)
			}
			made := s.State().Lifetime
			res := openCards(t, s.URI(), quick()).Settle(t.Context(), jobName, notes)
			want(t, res, c.outcome, "", c.detail)
			if s.State().Lifetime != made {
				t.Error("settling printed")
			}
		})
	}
}

func another(t *testing.T, s *sim.CardPrinter) {
	s.Take()
	job := cardJob(&ledger{})
	job.Name += "b"
	want(t, openCards(t, s.URI(), quick()).Print(t.Context(), job), devices.PrintConfirmed, "", "")
}

func forgetAll(t *testing.T, s *sim.CardPrinter) {
	fault(t, s, "forget-jobs", "")
	fault(t, s, "power-cycle", "")
}

func TestCardsThatCannotBePrinted(t *testing.T) {
	s := cardSim(t, sim.CardPrinterOptions{})
	p := openCards(t, s.URI(), quick())
	for name, change := range map[string]func(*devices.CardJob){
		"no name":        func(j *devices.CardJob) { j.Name = "" },
		"a person":       func(j *devices.CardJob) { j.Name = "样本" },
		"no face":        func(j *devices.CardJob) { j.Face = nil },
		"standing":       func(j *devices.CardJob) { j.Face = image.NewGray(image.Rect(0, 0, 638, 1013)) },
		"nobody notes":   func(j *devices.CardJob) { j.Note = nil },
		"counter refuse": func(j *devices.CardJob) { j.Note = func(k, _ string) error { return errors.New("disk full") } },
		"job id refused": func(j *devices.CardJob) {
			j.Note = func(k, _ string) error {
				if k == NoteJobID {
					return errors.New("disk full")
				}
				return nil
			}
		},
	} {
		job := cardJob(&ledger{})
		change(&job)
		if res := p.Print(t.Context(), job); res.Outcome != devices.PrintNotSent {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if st := s.State(); st.Lifetime != 0 || st.Hopper != 100 {
		t.Errorf("%+v", st)
	}
}

func TestWhatACardPrinterMustBe(t *testing.T) {
	res := func(n int) goipp.Attribute {
		return goipp.MakeAttr("pwg-raster-document-resolution-supported", goipp.TagResolution, goipp.Resolution{Xres: n, Yres: n, Units: goipp.UnitsDpi})
	}
	for name, c := range map[string]struct {
		extra   goipp.Attributes
		media   []string
		formats []string
		opt     Options
		say     string
	}{
		"takes no raster": {formats: []string{"application/pdf"}, say: "does not take image/pwg-raster"},
		"600 dpi only":    {media: []string{CR80}, extra: goipp.Attributes{res(600)}, say: "does not print 300 dpi"},
		"black only":      {media: []string{CR80}, extra: goipp.Attributes{keywords("pwg-raster-document-type-supported", "black_1")}, say: "8 bits"},
		"no cards":        {say: "does not know the media " + CR80},
		"a queue":         {extra: goipp.Attributes{keywords("cups-version", "2.4.2")}, say: "is a CUPS queue"},
		"other media":     {media: []string{CR80}, opt: Options{Media: "om_card_54x86mm"}, say: "does not know the media om_card"},
	} {
		f := newFake(t)
		if c.formats != nil {
			f.formats = c.formats
		}
		f.extra, f.media = c.extra, c.media
		_, err := OpenCards(t.Context(), f.uri(), c.opt)
		if !errors.Is(err, devices.ErrUnusable) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMediaAreFoundByTheirSize(t *testing.T) {
	for name, c := range map[string]struct {
		media []string
		want  string
	}{
		"its name":     {[]string{A4, "iso_id-1_53.98x85.6mm"}, "iso_id-1_53.98x85.6mm"},
		"rounded":      {[]string{"oe_business-card_2x3.5in", "om_card_54x86mm"}, "om_card_54x86mm"},
		"inches":       {[]string{"custom_cr80_2.125x3.37in"}, "custom_cr80_2.125x3.37in"},
		"lying":        {[]string{"custom_current_85.6x54mm"}, "custom_current_85.6x54mm"},
		"none":         {[]string{A4, "custom_max", "", "a_xmm", "a_-1x2mm", "a_NaNxNaNmm", "a_1e9x1mm"}, CR80},
		"says nothing": {nil, CR80},
	} {
		if got := cardMedia(c.media); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRibbonsAndHoppers(t *testing.T) {
	text := func(name string, values ...string) goipp.Attribute {
		a := goipp.Attribute{Name: name}
		for _, v := range values {
			a.Values.Add(goipp.TagString, goipp.Binary(v))
		}
		return a
	}
	supply := func(s ...string) goipp.Attribute { return text("printer-supply", s...) }
	marker := func(kinds []string, levels ...int) []goipp.Attribute {
		return []goipp.Attribute{keywords("marker-types", kinds...), integers("marker-levels", levels...)}
	}
	for name, c := range map[string]struct {
		attrs  []goipp.Attribute
		supply devices.Supply
		left   int
	}{
		"nothing said":     {nil, devices.SupplyUnknown, -1},
		"counted":          {[]goipp.Attribute{supply("type=inkRibbon;maxcapacity=250;level=57;class=supplyThatIsConsumed;unit=impressions;")}, devices.SupplyFull, 57},
		"the scarcer":      {[]goipp.Attribute{supply("type=inkRibbon;maxcapacity=250;level=57;class=supplyThatIsConsumed;unit=impressions", "type=ribbonWax;maxcapacity=500;level=20;class=supplyThatIsConsumed;unit=items")}, devices.SupplyLow, 20},
		"percent":          {marker([]string{"ink-ribbon"}, 55), devices.SupplyFull, -1},
		"percent, low":     {marker([]string{"ink-ribbon"}, 10), devices.SupplyLow, -1},
		"empty":            {marker([]string{"ink-ribbon"}, 0), devices.SupplyOut, -1},
		"film empty":       {marker([]string{"ink-ribbon", "transferFilm"}, 80, 0), devices.SupplyOut, -1},
		"unknown":          {marker([]string{"ink-ribbon"}, -2), devices.SupplyUnknown, -1},
		"some":             {marker([]string{"ink-ribbon"}, -3), devices.SupplyFull, -1},
		"rollers":          {marker([]string{"cleaner-unit", "waste-ink"}, 0, 0), devices.SupplyUnknown, -1},
		"lists of lengths": {marker([]string{"ink-ribbon"}, 50, 0, 0), devices.SupplyFull, -1},
		"rubbish":          {[]goipp.Attribute{supply("", ";;;", "level=9999999999;type=ribbon;class=supplyThatIsConsumed", "type=ribbon;class=supplyThatIsConsumed;level=x")}, devices.SupplyUnknown, -1},
		"what is filled":   {[]goipp.Attribute{supply("type=inkRibbon;level=0;class=receptacleThatIsFilled;")}, devices.SupplyUnknown, -1},
	} {
		if got := ribbonOf(attributes(c.attrs)); got != (ribbon{c.supply, c.left}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, c := range map[string]struct {
		trays []string
		left  int
		want  devices.Supply
	}{
		"not said":   {nil, -1, devices.SupplyUnknown},
		"one":        {[]string{"level=42;maxcapacity=100;unit=sheets;"}, 42, devices.SupplyFull},
		"two":        {[]string{"level=0;unit=sheets", "level=1;unit=sheets"}, 1, devices.SupplyLow},
		"both empty": {[]string{"level=0;unit=sheets", "level=0"}, 0, devices.SupplyOut},
		"percent":    {[]string{"level=42;unit=percent"}, -1, devices.SupplyUnknown},
		"unknown":    {[]string{"level=-2", "level=-3"}, -1, devices.SupplyUnknown},
	} {
		a := attributes{text("printer-input-tray", c.trays...)}
		if got := hopperLeft(a); got != c.left || hopperOf(a) != c.want {
			t.Errorf("%s: %d %s", name, got, hopperOf(a))
		}
	}
	for name, c := range map[string]struct {
		trays []string
		want  devices.Media
	}{
		"not said":      {nil, devices.MediaNotSupported},
		"empty":         {[]string{"maxcapacity=1;remaining=1"}, devices.MediaNotPresent},
		"a card":        {[]string{"maxcapacity=1;remaining=0"}, devices.MediaPresent},
		"in the second": {[]string{"maxcapacity=1;remaining=1", "maxcapacity=30;remaining=29"}, devices.MediaPresent},
		"not known":     {[]string{"maxcapacity=-2;remaining=-2", "maxcapacity=0;remaining=0"}, devices.MediaNotSupported},
	} {
		if got := exitOf(attributes{text("printer-output-tray", c.trays...)}); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzSupplies(f *testing.F) {
	f.Add("type=inkRibbon;maxcapacity=250;level=57;class=supplyThatIsConsumed;unit=impressions;", "level=42;unit=sheets", "maxcapacity=1;remaining=0", 57)
	f.Add("type=RIBBON;class=supplythatisconsumed;level=0", "level=-1", "maxcapacity=-2", -3)
	f.Add(strings.Repeat("=;", 2000), strings.Repeat("level=1;", 500), "\x00=\xff", 1<<31-1)
	p := &Printer{role: devices.RoleCardPrinter, opt: Options{Media: CR80}}
	c := &CardPrinter{p: p}
	f.Fuzz(func(t *testing.T, supply, in, out string, level int) {
		text := func(name, v string) goipp.Attribute { return goipp.MakeAttr(name, goipp.TagString, goipp.Binary(v)) }
		a := attributes{text("printer-supply", supply), text("printer-input-tray", in), text("printer-output-tray", out),
			keywords("marker-types", "ink-ribbon"), integers("marker-levels", level)}
		s := c.supplies(a)
		if s.RibbonLeft < -1 || s.HopperLeft < -1 || s.Ribbon == "" || s.Hopper == "" || s.Exit == "" {
			t.Fatalf("%+v", s)
		}
		if s.HopperLeft == 0 && s.Hopper != devices.SupplyOut {
			t.Fatalf("%+v", s)
		}
	})
}

func TestFieldsAreBounded(t *testing.T) {
	many := slices.Repeat([]string{"level=1;unit=sheets"}, 5000)
	if n := len(rowsOf(many)); n != mostRows {
		t.Errorf("%d rows", n)
	}
	if n := (row{"level": strconv.Itoa(1 << 40)}).number("level", -2); n != -2 {
		t.Error(n)
	}
}

// BenchmarkRaster is one face of a card as it goes out.
func BenchmarkRaster(b *testing.B) {
	m := face()
	for b.Loop() {
		rasterOf(m, rasterColour, false)
	}
}
