//go:build !release

package journey

// What a soak holds a terminal to.

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
)

// sampleEvery is the least time between two looks at the terminal's process.
const sampleEvery = 5 * time.Second

// Growth that a soak takes for noise: from the median of the second fifth of its samples to that of the last.
const (
	noiseFiles    = 3
	noiseRoutines = 4
	noiseHeap     = 6 << 10  // KiB
	noiseRSS      = 48 << 10 // KiB; the collector lets the heap double before it acts
)

func (s *soak) sample() {
	x, err := s.child.look(context.Background())
	if err != nil {
		s.violation("the terminal's process cannot be looked at: %v", err)
		return
	}
	x.visits = len(s.took)
	s.samples = append(s.samples, x)
}

// judge compares what was promised with what is there.
func (s *soak) judge(ctx context.Context) error {
	s.judgeGrowth()
	j, err := journal.Open(s.world.JournalPath(), s.world.JournalOptions())
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	defer j.Close()
	report, err := j.Verify(ctx)
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	for _, p := range report.Problems {
		s.violation("journal: %s", p)
	}
	lanes, err := j.Lanes()
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	for _, l := range lanes {
		if l.Waiting > 0 {
			s.violation("lane %s: %d records were not acknowledged", l.Lane, l.Waiting)
		}
	}
	cases, err := j.Cases(nil)
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	rows, err := s.world.Platform.Cases(ctx, 1_000_000)
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	s.judgeCases(j, cases, rows)
	s.judgeStock(j, cases)
	if c, err := s.world.Platform.Received(ctx); err != nil || c.Quarantined > 0 {
		s.violation("the platform put %d records aside, %v", c.Quarantined, err)
	}
	return nil
}

func (s *soak) judgeCases(j *journal.Journal, cases []journal.Case, rows []platform.CaseRow) {
	at := map[string]platform.CaseRow{}
	for _, r := range rows {
		at[r.ID] = r
	}
	here := map[string]journal.Case{}
	states, printed, paid := map[string]int{}, 0, 0
	for _, c := range cases {
		here[c.ReceiptCode] = c
		states[c.Item+" "+string(c.State)]++
		r, known := at[c.ID]
		switch {
		case !known:
			s.violation("case %s is not at the platform", c.ReceiptCode)
		case r.Times != 1:
			s.violation("case %s reached the platform %d times", c.ReceiptCode, r.Times)
		case r.State != string(c.State) || r.ReceiptCode != c.ReceiptCode || r.Item != c.Item:
			s.violation("case %s is %s here and %s at the platform", c.ReceiptCode, c.State, r.State)
		}
		// Whoever applied for a card may still come back for it; everything else ended or is a person's to decide.
		if !c.State.Final() && !c.State.Desk() && !(c.Item == "TID" && slices.Contains([]journal.State{journal.AuditWait, journal.Approved, journal.Reserved, journal.BillCreated, journal.PayPending, journal.Paid}, c.State)) {
			s.violation("case %s (%s) stays %s", c.ReceiptCode, c.Item, c.State)
		}
		effects, err := j.Effects(c.ID)
		if err != nil {
			s.violation("case %s: %v", c.ReceiptCode, err)
		}
		for _, e := range effects {
			if e.State == journal.EffectIntended {
				s.violation("case %s: %s has no outcome", c.ReceiptCode, e.Kind)
			}
			if e.State == journal.EffectDone {
				switch e.Kind {
				case "print-document":
					printed++
				case "pay":
					paid++
				}
			}
		}
	}
	if len(rows) != len(cases) {
		s.violation("%d cases here, %d at the platform", len(cases), len(rows))
	}
	for code, item := range s.receipts {
		if c, known := here[code]; !known || c.Item != item {
			s.violation("the screen said %s of %s, and there is no such case", code, item)
		}
	}
	documents, certificates := s.world.Props.Document.State().Printed, 0 // it keeps the last papers only
	for _, c := range cases {
		if c.Item == "SB-P" {
			certificates++
		}
	}
	if documents > certificates || documents < printed {
		s.violation("%d certificates came out for %d cases, %d of them confirmed", documents, certificates, printed)
	}
	fmt.Fprintf(s.opt.Out, "cases %d, at the platform %d; codes on screens %d; certificates confirmed %d, came out %d; slips %d\n", len(cases), len(rows), len(s.receipts), printed, documents,
		s.world.Props.Receipt.State().Printed)
	for _, k := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(s.opt.Out, "  %-24s %d\n", k, states[k])
	}
}

// judgeStock: the ledger's equation, the machine's own count, the printer's and the till's.
func (s *soak) judgeStock(j *journal.Journal, cases []journal.Case) {
	b, err := j.StockBalance("card")
	if err == nil {
		err = b.Check()
	}
	if err != nil {
		s.violation("ledger of blanks: %v", err)
	}
	d := s.world.Cards.State()
	if gone := int(b.Issued + b.Spoiled + b.Retained); int(b.Loaded)-d.Hopper < gone || int(b.Loaded)-d.Hopper > gone+int(b.InDoubt+b.Reserved) {
		s.violation("the ledger says %+v, and %d blanks left the hopper", b, int(b.Loaded)-d.Hopper)
	}
	if d.Taken < int(b.Issued) {
		s.violation("%d cards issued in the ledger, %d taken", b.Issued, d.Taken)
	}
	f, err := j.Fitting(journal.StockRibbon)
	if err != nil {
		s.violation("ledger of the ribbon: %v", err)
	}
	if ribbon := uint64(s.world.Props.CardPrinter.State().Ribbon); ribbon > f.Pieces-f.Sure || ribbon < f.Left() {
		s.violation("the ledger says of the ribbon %+v, and the printer has %d faces left", f, ribbon)
	}
	closed := 0
	for _, c := range cases {
		if c.Item == "TID" && c.State == journal.Closed {
			closed++
		}
	}
	kept, returned := 0, 0
	for _, o := range s.world.till.sim.Orders() {
		for _, p := range o.Payments {
			if p.Returned == p.Amount {
				returned++
			} else {
				kept++
			}
		}
	}
	if closed > kept {
		s.violation("%d cards were made and closed, %d fees are in the till", closed, kept)
	}
	fmt.Fprintf(s.opt.Out, "ribbon fitted %d = used %d + spoiled or in doubt %d + left %d; the printer has %d\n", f.Pieces, f.Sure, f.Unsure, f.Left(), s.world.Props.CardPrinter.State().Ribbon)
	fmt.Fprintf(s.opt.Out, "blanks loaded %d = issued %d + spoiled %d + retained %d + in doubt %d + reserved %d + remaining %d; in the hopper %d, bin %d, taken %d; fees kept %d, returned %d, cards closed %d\n",
		b.Loaded, b.Issued, b.Spoiled, b.Retained, b.InDoubt, b.Reserved, b.Remaining, d.Hopper, d.Bin, d.Taken, kept, returned, closed)
}

// figures of the samples that are held against each other.
var figures = []struct {
	name, unit string
	noise      float64
	of         func(sample) float64
}{
	{"descriptors", "", noiseFiles, func(x sample) float64 { return float64(x.files) }},
	{"goroutines", "", noiseRoutines, func(x sample) float64 { return float64(x.routines) }},
	{"heap in use", " KiB", noiseHeap, func(x sample) float64 { return float64(x.heap) }},
	{"own memory", " KiB", noiseRSS, func(x sample) float64 { return float64(x.rss) }},
}

func (s *soak) judgeGrowth() {
	n := len(s.samples)
	if n < 5 {
		s.violation("only %d looks at the terminal's process", n)
		return
	}
	fifth := max(1, n/5)
	for _, f := range figures {
		from, to := medianOf(s.samples[fifth:2*fifth], f.of), medianOf(s.samples[n-fifth:], f.of)
		slope := slopeOf(s.samples[fifth:], f.of)
		fmt.Fprintf(s.opt.Out, "%-12s first %.0f, second fifth %.0f, last fifth %.0f, last %.0f%s; slope %+.2f%s a thousand visits\n", f.name, f.of(s.samples[0]), from, to, f.of(s.samples[n-1]), f.unit,
			slope*1000, f.unit)
		// What a collector has not given back yet says something only of a long run.
		if to-from > f.noise && (f.noise != noiseRSS || len(s.took) >= 100) {
			s.violation("%s grows: %.0f to %.0f%s", f.name, from, to, f.unit)
		}
	}
}

func medianOf(all []sample, of func(sample) float64) float64 {
	v := make([]float64, len(all))
	for i, x := range all {
		v[i] = of(x)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// slopeOf is the least-squares slope over visits.
func slopeOf(all []sample, of func(sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range all {
		v := float64(s.visits)
		n, x, y, xx, xy = n+1, x+v, y+of(s), xx+v*v, xy+v*of(s)
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// report says what happened; its last line is "violations: N".
func (s *soak) report() {
	out := s.opt.Out
	if n := len(s.took); n > 0 {
		took := slices.Sorted(slices.Values(s.took))
		span := time.Since(s.began)
		if m := len(s.samples); m > 0 {
			span = s.samples[m-1].at.Sub(s.began)
		}
		fmt.Fprintf(out, "visits %d in %v (one every %.2f s; %.0f a day, %.0f times %.0f); each %v on the median, %v at the 99th percentile\n", n, span.Round(time.Second), span.Seconds()/float64(n),
			float64(n)/span.Hours()*24, float64(n)/span.Hours()*24/s.opt.Visits, s.opt.Visits, took[n/2].Round(10*time.Millisecond), took[n*99/100].Round(10*time.Millisecond))
	}
	table := func(title string, m map[string]int) {
		fmt.Fprintln(out, title)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(out, "  %-40s %d\n", k, m[k])
		}
	}
	table("what became of visits:", s.ended)
	table("served:", s.served)
	table("faults:", s.faults)
	if m := len(s.samples); m > 1 {
		fmt.Fprintf(out, "processor time of the terminal: %.1f %% of a core\n", 100*float64(s.samples[m-1].cpu-s.samples[0].cpu)/float64(s.samples[m-1].at.Sub(s.samples[0].at)))
		text := "seconds\tvisits\town_memory_kib\theap_kib\tdescriptors\tgoroutines\n"
		for _, x := range s.samples {
			text += fmt.Sprintf("%.0f\t%d\t%d\t%d\t%d\t%d\n", x.at.Sub(s.began).Seconds(), x.visits, x.rss, x.heap, x.files, x.routines)
		}
		if err := os.WriteFile(filepath.Join(s.opt.Dir, "samples.tsv"), []byte(text), 0o644); err != nil {
			fmt.Fprintln(out, err)
		}
	}
	fmt.Fprintf(out, "violations: %d\n", len(s.violations))
}
