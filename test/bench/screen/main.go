// Screen measures what the terminal's screen costs beside a Chromium kiosk with equal pages, on the X server that
// test/bench/screen.sh starts: start to first paint, tap to paint, memory over thousands of pages, idle CPU. Both are
// watched in the same way, from outside: by the pixels of the X server and by /proc.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options of the program.
type options struct {
	Picture  string `required:"" help:"Xvfb's picture file."`
	Server   int    `help:"Xvfb's process, whose CPU time is shown too."`
	Twin     string `required:"" help:"The twin page."`
	Work     string `required:"" help:"Where profiles and records may lie meanwhile."`
	Kiosk    string `default:"bin/kiosk" help:"The terminal's program."`
	Chromium string `default:"chromium" help:"The browser's program."`
	Out      string `default:"out/bench/screen.json" help:"Where the numbers go."`
	Only     string `enum:"both,kiosk,chromium" default:"both" help:"Measure one of them: kiosk, chromium or both."`
	Short    bool   `help:"Under 90 s, with fewer of everything."`
	Strict   bool   `help:"Fail when a target is missed."`
}

// amounts of measuring.
type amounts struct {
	Starts     int `json:"starts"`
	Taps       int `json:"taps"`
	Pages      int `json:"pages"`
	WarmPages  int `json:"warm_pages"`
	IdleSecond int `json:"idle_seconds"`
}

var (
	full  = amounts{Starts: 7, Taps: 120, Pages: 3000, WarmPages: 300, IdleSecond: 30}
	short = amounts{Starts: 3, Taps: 16, Pages: 100, WarmPages: 50, IdleSecond: 4}
)

func main() {
	var o options
	kong.Parse(&o, kong.Name("screen"), kong.Description("Measures the terminal's screen beside a Chromium kiosk."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "screen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	began := time.Now()
	pic, err := openPicture(o.Picture)
	if err != nil {
		return err
	}
	hand, err := newFinger()
	if err != nil {
		return err
	}
	defer hand.close()
	many := full
	if o.Short {
		many = short
	}
	r := result{When: began, Short: o.Short, Amounts: many, Width: pic.size.X, Height: pic.size.Y}
	b := &bench{pic: pic, hand: hand, many: many, server: o.Server}

	k, err := newKiosk(ctx, o)
	if err != nil {
		return err
	}
	defer k.close()
	// The twin's controls are the terminal's, so its pages are walked through in any case.
	spec, err := b.walk(ctx, k)
	if err != nil {
		return fmt.Errorf("walk through the pages: %w", err)
	}
	if o.Only != "chromium" {
		if r.Kiosk, err = b.measure(ctx, k); err != nil {
			return fmt.Errorf("kiosk: %w", err)
		}
	}
	if o.Only != "kiosk" {
		c, err := newBrowser(o, spec)
		if err != nil {
			return err
		}
		if r.Chromium, err = b.measure(ctx, c); err != nil {
			return fmt.Errorf("chromium: %w", err)
		}
	}
	r.Took = time.Since(began).Seconds()
	r.judge()
	r.print(os.Stdout)
	if err := r.write(o.Out); err != nil {
		return err
	}
	if o.Strict && slices.ContainsFunc(r.Targets, func(t target) bool { return !t.Met }) {
		return errors.New("a target is missed")
	}
	return nil
}

// result is what is written to the file.
type result struct {
	When     time.Time `json:"when"`
	Took     float64   `json:"took_s"`
	Short    bool      `json:"short"`
	Amounts  amounts   `json:"amounts"`
	Width    int       `json:"width"`
	Height   int       `json:"height"`
	Kiosk    *numbers  `json:"kiosk,omitempty"`
	Chromium *numbers  `json:"chromium,omitempty"`
	Targets  []target  `json:"targets"`
}

// numbers are one program's.
type numbers struct {
	FirstPixel  series   `json:"start_to_first_pixel_ms"`
	FirstPaint  series   `json:"start_to_first_paint_ms"`
	Welcome     series   `json:"start_to_welcome_ms"`
	Press       series   `json:"press_to_feedback_ms"`
	Page        series   `json:"tap_to_new_page_ms"`
	Stands      series   `json:"tap_to_page_stands_ms"`
	Memory      []memory `json:"pss"`
	PerPage     float64  `json:"cpu_per_page_ms"`
	Idle        float64  `json:"idle_cpu_percent"`
	IdleServer  float64  `json:"idle_cpu_percent_with_x_server"`
	Ticking     float64  `json:"idle_cpu_percent_with_countdown"`
	Missed      int      `json:"taps_missed"`
	ProcessesUp int      `json:"processes"`
}

// memory after so many page changes.
type memory struct {
	Pages int     `json:"pages"`
	MB    float64 `json:"mb"`
}

func (n *numbers) after(pages int) float64 {
	best := 0.0
	for _, m := range n.Memory {
		if m.Pages <= pages {
			best = m.MB
		}
	}
	return best
}

func (n *numbers) most() float64 {
	return slices.MaxFunc(n.Memory, func(a, b memory) int { return cmp.Compare(a.MB, b.MB) }).MB
}

// series is sorted.
type series []float64

func (s series) at(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(share*float64(len(s))))]
}

// MarshalJSON adds what is read first.
func (s series) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"n": len(s), "p50": s.at(.5), "p99": s.at(.99), "all": []float64(s)})
}

// target is what was promised.
type target struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Wanted float64 `json:"wanted"`
	Unit   string  `json:"unit"`
	Met    bool    `json:"met"`
}

func (r *result) judge() {
	want := func(name string, value, wanted float64, unit string) {
		r.Targets = append(r.Targets, target{name, value, wanted, unit, value <= wanted})
	}
	if k := r.Kiosk; k != nil {
		warm := k.after(r.Amounts.WarmPages)
		want(fmt.Sprintf("memory after %d pages / after %d", r.Amounts.Pages, r.Amounts.WarmPages), k.after(r.Amounts.Pages)/warm, 1.1, "x")
		want("idle CPU", k.Idle, 3, "% of a core")
		want("touch answers, p99", k.Press.at(.99), 100, "ms")
		want("new page stands, p99", k.Stands.at(.99), 300, "ms")
		if c := r.Chromium; c != nil {
			// What both show is the page; a browser's empty window has a second colour at times, and at times not.
			want("start to first paint of the page / Chromium", k.Welcome.at(.5)/c.Welcome.at(.5), .6, "x")
			want("PSS after 1 page / Chromium", k.after(1)/c.after(1), .6, "x")
			want(fmt.Sprintf("PSS after %d pages / Chromium", r.Amounts.Pages), k.after(r.Amounts.Pages)/c.after(r.Amounts.Pages), .6, "x")
			want("press to feedback p99 / Chromium", k.Press.at(.99)/c.Press.at(.99), 1, "x")
			want("tap to new page p99 / Chromium", k.Page.at(.99)/c.Page.at(.99), 1, "x")
		}
	}
}

func (r *result) print(w *os.File) {
	k, c := r.Kiosk, r.Chromium
	fmt.Fprintf(w, "screen %dx%d, %d starts, %d taps, %d pages, took %.0f s\n", r.Width, r.Height, r.Amounts.Starts, r.Amounts.Taps, r.Amounts.Pages, r.Took)
	fmt.Fprintf(w, "%-44s %10s %10s %7s\n", "", "kiosk", "Chromium", "ratio")
	line := func(name, unit string, f func(*numbers) float64) {
		var a, b float64
		cell := func(n *numbers, v *float64) string {
			if n == nil {
				return "-"
			}
			*v = f(n)
			return fmt.Sprintf("%.1f", *v)
		}
		ka, cb, ratio := cell(k, &a), cell(c, &b), "-"
		if a > 0 && b > 0 {
			ratio = fmt.Sprintf("%.2f", a/b)
		}
		fmt.Fprintf(w, "%-44s %10s %10s %7s\n", name+", "+unit, ka, cb, ratio)
	}
	line("start to first pixel (empty window), median", "ms", func(n *numbers) float64 { return n.FirstPixel.at(.5) })
	line("start to a second colour, median", "ms", func(n *numbers) float64 { return n.FirstPaint.at(.5) })
	line("start to first paint of the page, median", "ms", func(n *numbers) float64 { return n.Welcome.at(.5) })
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", .5}, {"p99", .99}} {
		line("press to feedback, "+p.name, "ms", func(n *numbers) float64 { return n.Press.at(p.share) })
		line("tap to new page, "+p.name, "ms", func(n *numbers) float64 { return n.Page.at(p.share) })
		line("tap to page stands, "+p.name, "ms", func(n *numbers) float64 { return n.Stands.at(p.share) })
	}
	line("PSS after 1 page", "MB", func(n *numbers) float64 { return n.after(1) })
	line(fmt.Sprintf("PSS after %d pages", r.Amounts.WarmPages), "MB", func(n *numbers) float64 { return n.after(r.Amounts.WarmPages) })
	line(fmt.Sprintf("PSS after %d pages", r.Amounts.Pages), "MB", func(n *numbers) float64 { return n.after(r.Amounts.Pages) })
	line("PSS at most", "MB", (*numbers).most)
	line("CPU a page", "ms", func(n *numbers) float64 { return n.PerPage })
	line("idle CPU, welcome page", "%", func(n *numbers) float64 { return n.Idle })
	line("idle CPU with the X server's", "%", func(n *numbers) float64 { return n.IdleServer })
	line("idle CPU, home page with countdown", "%", func(n *numbers) float64 { return n.Ticking })
	line("taps that had to be repeated", "n", func(n *numbers) float64 { return float64(n.Missed) })
	line("processes", "n", func(n *numbers) float64 { return float64(n.ProcessesUp) })
	fmt.Fprintln(w)
	for _, t := range r.Targets {
		word := "met"
		if !t.Met {
			word = "MISSED"
		}
		fmt.Fprintf(w, "%-6s  %-44s %8.2f  wanted <= %g %s\n", word, t.Name, t.Value, t.Wanted, t.Unit)
	}
}

func (r *result) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// without leaves out of an environment what begins with one of the prefixes.
func without(env []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e, p) })
	})
}
