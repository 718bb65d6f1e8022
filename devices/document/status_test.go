// Printer attributes into status words.

package document

import (
	"slices"
	"strings"
	"testing"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

func TestStatusOf(t *testing.T) {
	p := &Printer{opt: Options{Media: A4}}
	for name, c := range map[string]struct {
		state    int
		reasons  []string
		more     goipp.Attributes
		want     devices.Status // Connection, Paper, Toner, Cover
		unready  devices.Unready
		reasons1 string // first of the reasons
	}{
		"idle":                {state: printerIdle, want: devices.Status{Connection: devices.ConnectionOnline}},
		"printing":            {state: printerProcessing, want: devices.Status{Connection: devices.ConnectionBusy}},
		"A4 loaded":           {state: printerIdle, more: goipp.Attributes{keywords("media-ready", "na_letter_8.5x11in", A4)}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyFull}},
		"Letter loaded":       {state: printerIdle, more: goipp.Attributes{keywords("media-ready", "na_letter_8.5x11in")}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut, reasons1: A4 + "-not-ready"},
		"paper error":         {state: printerStopped, reasons: []string{"media-empty-error"}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut, reasons1: "media-empty-error"},
		"paper warning":       {state: printerProcessing, reasons: []string{"media-empty-warning"}, want: devices.Status{Connection: devices.ConnectionBusy, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut},
		"paper report, idle":  {state: printerIdle, reasons: []string{"media-empty-report"}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut},
		"paper wanted":        {state: printerStopped, reasons: []string{"media-needed"}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut},
		"tray out":            {state: printerStopped, reasons: []string{"input-tray-missing-error"}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyOut}, unready: devices.UnreadyPaperOut},
		"paper low":           {state: printerIdle, reasons: []string{"media-low-report"}, more: goipp.Attributes{keywords("media-ready", A4)}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyLow}},
		"jam beats empty":     {state: printerStopped, reasons: []string{"media-jam-error", "media-empty"}, want: devices.Status{Connection: devices.ConnectionOnline, Paper: devices.SupplyJammed}, unready: devices.UnreadyJammed},
		"toner low":           {state: printerIdle, reasons: []string{"toner-low-report"}, want: devices.Status{Connection: devices.ConnectionOnline, Toner: devices.SupplyLow}},
		"toner empty":         {state: printerStopped, reasons: []string{"marker-supply-empty-error"}, want: devices.Status{Connection: devices.ConnectionOnline, Toner: devices.SupplyOut}, unready: devices.UnreadyTonerOut},
		"toner level":         {state: printerIdle, more: goipp.Attributes{integers("marker-levels", 0, 40), keywords("marker-types", "waste-toner", "toner")}, want: devices.Status{Connection: devices.ConnectionOnline, Toner: devices.SupplyFull}},
		"only waste level":    {state: printerIdle, more: goipp.Attributes{integers("marker-levels", 40, -2), keywords("marker-types", "waste-toner", "toner")}, want: devices.Status{Connection: devices.ConnectionOnline}},
		"supply level":        {state: printerIdle, more: goipp.Attributes{goipp.MakeAttr("printer-supply", goipp.TagString, goipp.Binary("class=supplyThatIsConsumed;type=toner;level=75;"))}, want: devices.Status{Connection: devices.ConnectionOnline, Toner: devices.SupplyFull}},
		"supply unknown":      {state: printerIdle, more: goipp.Attributes{goipp.MakeAttr("printer-supply", goipp.TagString, goipp.Binary("class=supplyThatIsConsumed;type=toner;level=-2;"))}, want: devices.Status{Connection: devices.ConnectionOnline}},
		"cover":               {state: printerStopped, reasons: []string{"cover-open"}, want: devices.Status{Connection: devices.ConnectionOnline, Cover: devices.CoverOpen}, unready: devices.UnreadyCoverOpen},
		"door":                {state: printerStopped, reasons: []string{"door-open-error"}, want: devices.Status{Connection: devices.ConnectionOnline, Cover: devices.CoverOpen}, unready: devices.UnreadyCoverOpen},
		"output full":         {state: printerStopped, reasons: []string{"output-area-full-error"}, want: devices.Status{Connection: devices.ConnectionUserError}, unready: devices.UnreadyBroken},
		"paused":              {state: printerStopped, reasons: []string{"paused"}, want: devices.Status{Connection: devices.ConnectionOffline}, unready: devices.UnreadyOffline},
		"stopped, no reason":  {state: printerStopped, want: devices.Status{Connection: devices.ConnectionOffline}, unready: devices.UnreadyOffline},
		"stopped, odd reason": {state: printerStopped, reasons: []string{"vendor-xy-error"}, want: devices.Status{Connection: devices.ConnectionHardwareError}, unready: devices.UnreadyBroken, reasons1: "vendor-xy-error"},
		"odd reason":          {state: printerIdle, reasons: []string{"vendor-xy-report"}, want: devices.Status{Connection: devices.ConnectionOnline}},
		"fuser":               {state: printerStopped, reasons: []string{"output-area-full", "fuser-over-temp-error", "paused"}, want: devices.Status{Connection: devices.ConnectionHardwareError}, unready: devices.UnreadyBroken},
		"not accepting":       {state: printerIdle, more: goipp.Attributes{goipp.MakeAttr("printer-is-accepting-jobs", goipp.TagBoolean, goipp.Boolean(false))}, want: devices.Status{Connection: devices.ConnectionOffline}, unready: devices.UnreadyOffline, reasons1: "not-accepting-jobs"},
		"worst reason first":  {state: printerIdle, reasons: []string{"media-low-report", "toner-low-warning", "spool-area-full-error"}, want: devices.Status{Connection: devices.ConnectionOffline, Paper: devices.SupplyLow, Toner: devices.SupplyLow}, unready: devices.UnreadyOffline, reasons1: "spool-area-full-error"},
	} {
		a := append(goipp.Attributes{enum("printer-state", c.state), reasonsAttr("printer-state-reasons", c.reasons)}, c.more...)
		got := p.statusOf(attributes(a))
		orUnknown(&c.want)
		if got.Connection != c.want.Connection || got.Paper != c.want.Paper || got.Toner != c.want.Toner || got.Cover != c.want.Cover {
			t.Errorf("%s: %+v", name, got)
		}
		if got.Unready() != c.unready {
			t.Errorf("%s: unready %q, want %q", name, got.Unready(), c.unready)
		}
		if c.reasons1 != "" && (len(got.Reasons) == 0 || got.Reasons[0] != c.reasons1) {
			t.Errorf("%s: reasons %q", name, got.Reasons)
		}
		if slices.Contains(got.Reasons, "none") {
			t.Errorf("%s: reasons %q", name, got.Reasons)
		}
	}
}

func integers(name string, n ...int) goipp.Attribute {
	a := goipp.Attribute{Name: name}
	for _, v := range n {
		a.Values.Add(goipp.TagInteger, goipp.Integer(v))
	}
	return a
}

func orUnknown(st *devices.Status) {
	if st.Paper == "" {
		st.Paper = devices.SupplyUnknown
	}
	if st.Toner == "" {
		st.Toner = devices.SupplyUnknown
	}
	if st.Cover == "" {
		st.Cover = devices.CoverUnknown
	}
}

func TestAnyTray(t *testing.T) {
	p := &Printer{opt: Options{Media: A4, AnyTray: true}}
	st := p.statusOf(attributes{keywords("media-ready", "na_letter_8.5x11in")})
	if st.Paper != devices.SupplyFull || len(st.Reasons) != 0 {
		t.Errorf("%+v", st)
	}
}

func TestForeignTextIsBounded(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, strings.Repeat("x", 300)+string(rune('a'+i%26)), "media\x1b[2J-low\n", "缺纸")
	}
	got := reasonsOf(many)
	if len(got) > maxReasons {
		t.Errorf("%d reasons", len(got))
	}
	for _, r := range got {
		if len(r) > 64 || strings.ContainsAny(r, "\x1b\n ") {
			t.Errorf("reason %q", r)
		}
	}
	if l := label(strings.Repeat("打印机", 100) + "\x1b"); len(l) > 127 || strings.Contains(l, "\x1b") {
		t.Errorf("label %q", l)
	}
}
