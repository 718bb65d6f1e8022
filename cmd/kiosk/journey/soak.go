//go:build !release

package journey

// The soak: one terminal for hours under the load of a busy hall, a hundred times as fast, while its devices and its line fail at
// random. What its screens promised is held against its journal, the platform, the printers and the till, and its process against
// what it was at the beginning.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices/sim"
)

// SoakOptions of [Soak].
type SoakOptions struct {
	Time    time.Duration // for how long citizens come; what follows is healing and judging, a minute or two
	Visits  float64       // a day in the hall
	Speed   float64       // how many times as fast
	Seed    uint64        // of load and faults
	Program string        // the kiosk program; "" is this one
	Args    []string      // before the program's own, for a test binary
	Dir     string        // keeps terminal.log and samples.tsv
	Out     io.Writer
}

// soakCrowd is how many people there are, and blanks: more than a run of two hours can use.
const soakCrowd = 600

// soak is one run.
type soak struct {
	opt   SoakOptions
	rand  *rand.Rand
	world *World
	hall  *hall
	child *standIn
	began time.Time
	load  time.Duration // mean time between two citizens
	ink   []byte

	mu         sync.Mutex // of what the goroutine of the faults shares with the citizens'
	violations []string
	faults     map[string]int
	broken     map[string]string // device → fault that is on

	at       Asking // the prompt that stands; N is 0 for none
	since    time.Time
	pressed  int // how often patience ended at the prompt that stands
	visit    *soakVisit
	arrives  time.Time
	ended    map[string]int    // visits by what became of them
	served   map[string]int    // visits that came to their end, by item
	took     []time.Duration   // visits
	receipts map[string]string // codes that "done" showed, by code its item
	next     int               // of the crowd
	back     []int             // people who left and come back for their card
	returned map[int]int       // how often they did after a trouble
	samples  []sample
	want     []string
	wanted   chan string // what became of a visit that was wanted
}

// soakVisit is one citizen.
type soakVisit struct {
	began   time.Time
	item    string
	person  int
	walks   bool // away, from the review
	prints  bool
	wanted  bool
	served  bool   // came to the end of the item
	what    string // became of it
	screen  string // the last one
	codes   int    // one-time codes that were sent before
	entered string
	card    bool // lies on the reader
	asked   int
}

// Soak runs and returns how many promises were broken. An error says that the run itself could not go on.
func Soak(ctx context.Context, opt SoakOptions) (violations int, err error) {
	s := &soak{opt: opt, rand: rand.New(rand.NewPCG(opt.Seed, 0)), faults: map[string]int{}, broken: map[string]string{}, ended: map[string]int{}, served: map[string]int{},
		receipts: map[string]string{}, returned: map[int]int{}, wanted: make(chan string, 1), load: time.Duration(float64(24*time.Hour) / opt.Visits / opt.Speed)}
	if s.ink, err = handwriting(); err != nil {
		return 0, err
	}
	run, err := os.MkdirTemp("", "budayang-soak-")
	if err != nil {
		return 0, fmt.Errorf("soak: %w", err)
	}
	s.world, err = NewWorld(ctx, WorldOptions{Dir: run, PageTime: 200 * time.Millisecond, Crowd: soakCrowd, Blanks: soakCrowd, Motion: 100 * time.Millisecond, NetCamera: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.world.Close()) }()
	file := filepath.Join(run, "terminal.toml")
	if err := s.world.WriteConfig(file, 1080, 1920, "zh", Patience{}); err != nil {
		return 0, err
	}
	if err := s.world.LoadBlanks(); err != nil {
		return 0, err
	}
	if s.hall, err = openHall(filepath.Join(run, "hall")); err != nil {
		return 0, err
	}
	defer s.hall.close()
	if s.child, err = startStandIn(opt, file, s.hall.path); err != nil {
		return 0, err
	}
	defer s.child.kill()
	fmt.Fprintf(opt.Out, "soak: %v, a citizen every %v on the average, seed %d\n", opt.Time, s.load.Round(10*time.Millisecond), opt.Seed)
	s.began = time.Now()
	breaking, stop := context.WithCancel(ctx)
	var breakers sync.WaitGroup
	for name, of := range soakFaults {
		seed := rand.New(rand.NewPCG(opt.Seed, uint64(len(name))<<8+uint64(name[0])))
		breakers.Go(func() { s.breaks(breaking, seed, name, of) })
	}
	err = s.serve(ctx, s.began.Add(opt.Time), func() bool { return true })
	stop()
	breakers.Wait()
	s.heal()
	if err == nil {
		err = s.prove(ctx)
	}
	if err == nil {
		err = s.drain(ctx)
	}
	if err == nil {
		s.rolesReady(ctx)
		s.sample()
	}
	if serr := s.child.stop(); serr != nil {
		s.violation("the terminal: %v", serr)
	}
	if err == nil {
		err = s.judge(ctx)
	}
	s.report()
	return len(s.violations), err
}

func (s *soak) violation(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := fmt.Sprintf(format, args...)
	s.violations = append(s.violations, v)
	fmt.Fprintln(s.opt.Out, "VIOLATION:", v)
}

// serve plays citizens until a moment, and the last one's visit to its end; more says whether it goes on.
func (s *soak) serve(ctx context.Context, until time.Time, more func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	told := time.Now()
	for {
		over := time.Now().After(until) || !more()
		if over && s.visit == nil {
			return nil
		}
		if time.Since(told) > time.Minute {
			told = time.Now()
			s.tell()
		}
		select {
		case a := <-s.hall.lines:
			s.meet(a)
		case <-tick.C:
			s.urge(!over)
		case <-s.child.gone:
			return fmt.Errorf("soak: the terminal ended: %s", s.child.words)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if s.visit != nil && time.Since(s.visit.began) > longestVisit {
			s.violation("a visit for %s stands at %q after %v", s.visit.item, s.visit.screen, longestVisit)
			return fmt.Errorf("soak: a visit does not end; the terminal says: %s", s.child.words)
		}
	}
}

// longestVisit: longer than anything may wait for a fault that lasts seconds.
const longestVisit = 6 * time.Minute

// say answers the prompt that stands.
func (s *soak) say(how, value string) { s.saying(Saying{How: how, Value: value}) }

func (s *soak) saying(a Saying) {
	a.N = s.at.N
	s.at = Asking{}
	s.hall.say(a)
}

// meet takes note of what is on the screen and does what needs no time.
func (s *soak) meet(a Asking) {
	switch {
	case a.Over:
		if a.N == s.at.N {
			s.at = Asking{}
		}
		return
	case a.Name == "status":
		return
	}
	if s.visit != nil && a.Name != "card-note" && a.Name != "ended" {
		s.visit.screen = a.Name
	}
	if a.N == 0 {
		return
	}
	s.at, s.since, s.pressed = a, time.Now(), 0
	if a.Name == "attract" {
		s.leave()
		return
	}
	if s.visit != nil {
		s.act()
	}
}

// leave ends the visit: what the citizen forgot is taken away by the next one.
func (s *soak) leave() {
	_ = s.world.Props.TakeCard()
	_ = s.world.Props.TakeOutput()
	s.world.Cards.Take()
	if v := s.visit; v != nil {
		s.ended[v.what]++
		s.took = append(s.took, time.Since(v.began))
		if v.served {
			s.served[v.item]++
		}
		if v.wanted {
			s.wanted <- v.what
		}
		s.visit = nil
	}
	if len(s.samples) == 0 || time.Since(s.samples[len(s.samples)-1].at) > sampleEvery {
		s.sample()
	}
}

// arrive begins a visit: whoever was late finds the one before gone.
func (s *soak) arrive() {
	now := time.Now()
	if s.arrives.IsZero() || now.Sub(s.arrives) > 20*s.load {
		s.arrives = now
	}
	s.arrives = s.arrives.Add(time.Duration(s.rand.ExpFloat64() * float64(s.load)))
	v := &soakVisit{began: now, what: "left", codes: len(s.world.Codes()), walks: s.rand.IntN(25) == 0, prints: s.rand.IntN(3) == 0}
	switch n := s.rand.IntN(100); {
	case n < 30:
		v.item = "GUIDE"
	case n < 55:
		v.item = "SB-Q"
	case n < 80:
		v.item = "SB-P"
	case n < 94:
		v.item = "12345"
	default:
		v.item = "TID"
	}
	if len(s.want) > 0 {
		v.item, v.wanted, v.walks, v.prints = s.want[0], true, false, false
		s.want = s.want[1:]
	}
	v.person = s.rand.IntN(soakCrowd)
	if v.item == "TID" {
		switch {
		case len(s.back) > 0 && !v.wanted:
			v.person, s.back = s.back[0], s.back[1:]
		case s.next < soakCrowd:
			v.person = s.next
			s.next++
		default:
			v.item = "GUIDE"
		}
	}
	s.visit = v
	s.say("next", "")
}

// act is what a citizen does at once.
func (s *soak) act() {
	v, a := s.visit, s.at
	props := s.world.Props
	if v.asked++; v.asked > 200 {
		s.violation("%q was asked again and again", a.Name)
		s.say("left", "")
		return
	}
	switch a.Name {
	case "home":
		switch {
		case v.served || v.what != "left":
			s.say("left", "")
		case slices.Contains(a.Tiles, v.item):
			s.say("item", v.item)
		}
	case "consent":
		if a.Otherwise && v.prints {
			s.say("cancelled", "")
		} else {
			s.say("next", "")
		}
	case "identify":
		if err := props.Reader.PutCard(s.world.people[v.person]); err == nil {
			v.card = true
		}
	case "verify":
		s.enter()
	case "choose":
		which := s.rand.IntN(len(a.Options))
		if v.item == "TID" {
			which = 0 // it is for oneself
		}
		s.say("chosen", a.Options[which])
	case "form":
		values := map[string]string{}
		for _, f := range a.Fields {
			values[f.ID] = f.Value
			if f.Must && f.Value == "" && len(f.Options) > 0 {
				values[f.ID] = f.Options[s.rand.IntN(len(f.Options))]
			}
			if f.ID == "phone" && f.Value == "" {
				values[f.ID] = "13800000002"
			}
		}
		s.saying(Saying{How: "filled", Values: values})
	case "ink":
		s.saying(Saying{How: "drawn", PNG: s.ink})
	case "review":
		if v.walks {
			v.what = "walked away"
			s.say("timed-out", "")
		} else {
			s.say("next", "")
		}
	case "result", "guide":
		if v.prints && a.CanPrint {
			v.prints = false
			s.say("print", "")
			return
		}
		v.served, v.what = true, "served"
		s.say("next", "")
	case "pick-photo":
		s.say("chosen", "0")
	case "decision":
		s.approveSoon()
	case "pay":
		s.paySoon()
	case "take-card":
		_ = props.TakeCard()
	case "take-output":
		s.takeOutput()
	case "done":
		v.served, v.what = true, "served"
		if a.Receipt != "" {
			s.receipts[a.Receipt] = v.item
		}
		_ = props.TakeCard()
		s.takeOutput()
		s.say("rated", "5")
	case "trouble":
		v.what = "trouble"
		if v.item == "TID" && !v.wanted && s.returned[v.person] < 3 {
			s.returned[v.person]++
			s.back = append(s.back, v.person)
		}
		s.ended["trouble "+v.item+" "+a.Trouble[strings.LastIndexByte(a.Trouble, ' ')+1:]]++
		s.say("next", "")
	case "photo", "wait":
	default:
		s.violation("nobody knows what to do at %q", a.Name)
		s.say("left", "")
	}
}

// enter types the newest code that came since the visit began.
func (s *soak) enter() {
	codes := s.world.Codes()
	if n := len(codes); n > s.visit.codes && codes[n-1] != s.visit.entered {
		s.visit.entered = codes[n-1]
		s.say("entered", codes[n-1])
	}
}

func (s *soak) takeOutput() {
	_ = s.world.Props.TakeOutput()
	s.world.Cards.Take()
}

// approveSoon is an official who has nothing else to do.
func (s *soak) approveSoon() {
	time.AfterFunc(300*time.Millisecond, func() { _ = s.world.decide(50, true, "the photo is good") })
}

func (s *soak) paySoon() { time.AfterFunc(300*time.Millisecond, func() { _ = s.world.Pay() }) }

// urge is what a citizen does when a screen stands: looks again, and at some time has had enough. open says whether the next may come.
func (s *soak) urge(open bool) {
	if s.at.N == 0 {
		return
	}
	if s.at.Name == "attract" && s.visit == nil {
		if open && (time.Now().After(s.arrives) || len(s.want) > 0) {
			s.arrive()
		}
		return
	}
	v, stands := s.visit, time.Since(s.since)
	if v == nil {
		return
	}
	// once is true the first time that the screen stood so long.
	once := func(n int, d time.Duration) bool {
		if s.pressed >= n || stands < d {
			return false
		}
		s.pressed = n
		return true
	}
	patient := time.Duration(1)
	if v.wanted {
		patient = 6 // what is to be proved waits for back-off and look-ups
	}
	switch s.at.Name {
	case "home":
		if once(1, patient*3*time.Second) {
			v.what = "turned away: " + v.item
			s.say("left", "")
		}
	case "identify":
		if s.pressed == 0 && !v.card {
			v.card = s.world.Props.Reader.PutCard(s.world.people[v.person]) == nil
		}
		if once(1, 12*time.Second) {
			v.what = "card not read"
			s.say("left", "")
		}
	case "verify":
		if s.enter(); s.at.N == 0 {
			return
		}
		if once(1, 12*time.Second) {
			v.what = "no code"
			s.say("left", "")
		}
	case "wait":
		if once(1, 40*time.Second) {
			s.say("cancelled", "")
		}
	case "photo":
		if once(1, 20*time.Second) {
			s.say("next", "")
		}
	case "decision":
		if once(1, 3*time.Second) || once(2, 8*time.Second) || once(3, 15*time.Second) {
			s.approveSoon()
		}
		if once(4, 25*time.Second) {
			v.what, s.back = "comes back", append(s.back, v.person)
			s.say("cancelled", "")
		}
	case "pay":
		if once(1, 3*time.Second) || once(2, 8*time.Second) || once(3, 15*time.Second) {
			s.paySoon()
		}
		if once(4, 45*time.Second) {
			v.what = "did not pay"
			s.say("cancelled", "")
		}
	case "take-card":
		_ = s.world.Props.TakeCard()
	case "take-output":
		s.takeOutput()
	}
}

// soakFaults are what goes wrong with each device: faults that a real one has, and of which it recovers without a technician once
// they are over. A blank card of which nobody knows where it is closes its item until two people have looked, by design; so the
// dispenser's faults are those before anything moves.
var soakFaults = map[string][]string{
	sim.DeviceIDReader: {"unplug", "silent", "noise-before", "noise-inside:3", "wrong-xor:3", "giant-length:2", "leading-aa", "split", "stall-after", "select-fails:2", "read-fails:2",
		"unknown-card:2", "self-test-failed"},
	sim.DeviceReceiptPrinter:  {"unplug", "unplug-mid-job", "paper-out", "paper-out-mid-job", "paper-near-end", "cover-open", "cutter-error", "overheated", "jam", "offline", "silent", "garbage-replies", "power-cycle"},
	sim.DeviceDocumentPrinter: {"unplug", "media-empty", "paper-out-mid-job", "jam-mid-job", "media-jam", "cover-open", "toner-low", "output-full", "paused", "not-accepting", "power-cycle", "http-500:3", "html:2", "half-body:2", "slow:1500"},
	sim.DeviceCardPrinter:     {"hopper-low", "ribbon-low", "cover-open", "paused", "http-500:2", "html:1", "half-body:1"},
	sim.DeviceCardDispenser:   {"low", "empty", "bin-full"},
	sim.DeviceIOBoard:         {"unplug", "bad-crc:3", "exception", "other-unit:2", "wrong-count:2", "garbage", "silent", "late"},
	sim.DeviceCamera:          {"truncate:5", "garbage:3", "scrambled:5", "wrong-size:3", "stall", "disconnect:1", "busy", "not-a-stream", "silent"},
	deviceLine:                {"cut", "slow"},
}

// deviceLine is the line to the platform, as a device that fails.
const deviceLine = "line"

// breaks breaks and mends one device until ctx ends.
func (s *soak) breaks(ctx context.Context, r *rand.Rand, device string, faults []string) {
	for {
		quiet := 12*time.Second + time.Duration(r.ExpFloat64()*float64(25*time.Second))
		if sleep(ctx, quiet) != nil {
			return
		}
		fault := faults[r.IntN(len(faults))]
		s.mu.Lock()
		s.broken[device] = fault
		s.faults[device+" "+fault]++
		s.mu.Unlock()
		err := s.fault(device, fault)
		over := sleep(ctx, time.Second+time.Duration(r.ExpFloat64()*float64(3*time.Second)))
		err = errors.Join(err, s.mend(device))
		s.mu.Lock()
		delete(s.broken, device)
		s.mu.Unlock()
		if err != nil {
			s.violation("the simulator of %s: %s: %v", device, fault, err)
		}
		if over != nil {
			return
		}
	}
}

func (s *soak) fault(device, fault string) error {
	name, value, _ := strings.Cut(fault, ":")
	switch device {
	case deviceLine:
		if name == "cut" {
			s.world.Link.Cut()
		} else {
			s.world.Link.Slow(300 * time.Millisecond)
		}
		return nil
	case sim.DeviceCardDispenser:
		return s.world.Cards.Fault(name, value)
	case sim.DeviceCamera:
		return s.world.Camera.Fault(name, value)
	}
	return s.world.Props.Fault(device, name, value)
}

func (s *soak) mend(device string) error {
	switch device {
	case deviceLine:
		s.world.Link.Restore()
		s.world.Link.Slow(0)
		return nil
	case sim.DeviceCardDispenser:
		return s.world.Cards.Clear("")
	case sim.DeviceCamera:
		s.world.Camera.ClearFault("")
		return nil
	}
	return s.world.Props.Clear(device)
}

func (s *soak) heal() {
	for device := range soakFaults {
		if err := s.mend(device); err != nil {
			s.violation("%s cannot be mended: %v", device, err)
		}
	}
}

// prove has one citizen come for each item after everything is mended: no role is stuck, and nothing of what happened hinders.
func (s *soak) prove(ctx context.Context) error {
	if err := sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	for _, item := range []string{"GUIDE", "SB-Q", "SB-P", "12345", "TID"} {
		what := ""
		for range 3 {
			s.want = []string{item}
			err := s.serve(ctx, time.Now().Add(longestVisit), func() bool {
				select {
				case what = <-s.wanted:
					return false
				default:
					return true
				}
			})
			if err != nil {
				return err
			}
			if what == "served" {
				break
			}
		}
		if what != "served" {
			s.violation("%s does not work although everything was mended: %s", item, what)
		}
	}
	return nil
}

// rolesReady asks the terminal itself.
func (s *soak) rolesReady(ctx context.Context) {
	var not []string
	for end := time.Now().Add(45 * time.Second); time.Now().Before(end) && ctx.Err() == nil; {
		s.hall.say(Saying{How: "status"})
		for a := range s.hall.until(2 * time.Second) {
			if a.Name != "status" {
				s.meet(a)
				continue
			}
			if not = a.Status; len(not) == 0 {
				return
			}
			break
		}
		_ = sleep(ctx, 500*time.Millisecond)
	}
	s.violation("roles that do not come back: %s", strings.Join(not, ", "))
}

// drain waits until the platform has heard of nothing new for a while.
func (s *soak) drain(ctx context.Context) error {
	records, quiet := -1, time.Now()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if n := s.world.Records(); n != records {
			records, quiet = n, time.Now()
		}
		if time.Since(quiet) > 4*time.Second {
			return nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// tell says how it goes.
func (s *soak) tell() {
	s.mu.Lock()
	broken, faults := slices.Sorted(maps.Keys(s.broken)), 0
	for _, n := range s.faults {
		faults += n
	}
	s.mu.Unlock()
	last := sample{}
	if n := len(s.samples); n > 0 {
		last = s.samples[n-1]
	}
	now := "nobody there"
	if v := s.visit; v != nil {
		now = fmt.Sprintf("%s at %s for %v", v.item, v.screen, time.Since(s.since).Round(time.Second))
	}
	fmt.Fprintf(s.opt.Out, "%6.0f s  visits %d, %s, faults %d, now broken %v; %s\n", time.Since(s.began).Seconds(), len(s.took), now, faults, broken, last)
}

// handwriting is a picture of three strokes.
func handwriting() ([]byte, error) {
	m := image.NewGray(image.Rect(0, 0, 600, 400))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for x := 100; x < 500; x++ {
		for y := range 6 {
			m.SetGray(x, 100+y, color.Gray{})
			m.SetGray(x, 300+y, color.Gray{})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, m)
	return b.Bytes(), err
}
