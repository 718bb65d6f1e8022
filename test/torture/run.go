package main

// A run, from the empty directory to the verdict.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/test/torture/disk"
)

type run struct {
	opt     options
	dir     string
	out     io.Writer
	city    *city
	oracle  *oracle
	crews   []*crew
	calm    atomic.Bool
	sectors atomic.Int64
	history sync.RWMutex // held for writing while the platform is set back, for reading while a disk is

	mu     sync.Mutex
	units  map[string]*unit
	counts map[string]int
	liars  map[*crew]bool
	peak   int64 // bytes of memory, all processes together
}

// torture runs once and returns the number of violations.
func torture(ctx context.Context, o options, out io.Writer) (int, error) {
	r := &run{opt: o, out: out, oracle: newOracle(), units: map[string]*unit{}, counts: map[string]int{}, liars: map[*crew]bool{}}
	var err error
	if r.dir = o.dir; r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "torture-"); err != nil {
			return 0, err
		}
	} else if err = os.MkdirAll(r.dir, 0o700); err != nil {
		return 0, err
	}
	kept := true // what a violation came from is kept
	defer func() {
		if !o.keep && !kept {
			os.RemoveAll(r.dir)
		}
	}()
	fmt.Fprintf(out, "torture: seed %d, %v, %d terminals in %d workers, %d servers, in %s\n", o.seed, o.time, o.terminals, o.workers, o.servers, r.dir)
	defer r.tearDown()
	if err := r.setUp(ctx); err != nil {
		return 0, err
	}
	if err := r.suffer(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := r.heal(ctx); err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "healed and drained in %v\n", time.Since(began).Round(100*time.Millisecond))
	n, err := r.judge(ctx)
	kept = err != nil || n > 0
	return n, err
}

func (r *run) setUp(ctx context.Context) (err error) {
	if r.city, err = newCity(r.opt, r.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "world"), 0o700); err != nil {
		return err
	}
	unusable := disk.Usable()
	if unusable != nil {
		fmt.Fprintf(r.out, "no disk loses power in this run: %v\n", unusable)
	}
	for w := range r.opt.workers {
		c := &crew{no: w, run: r}
		r.crews = append(r.crews, c)
		if r.opt.site == nil {
			if c.gateway, err = newGateway(ctx, r.city, r.opt.seed+uint64(w)); err != nil {
				return err
			}
		}
		if w%2 == 1 && unusable == nil {
			if c.disk, err = newPower(filepath.Join(r.dir, fmt.Sprint("disk-", w)), r.opt.seed+uint64(w)); err != nil {
				return err
			}
		}
	}
	for t := range r.opt.terminals {
		c := r.crews[t%len(r.crews)]
		u, err := r.newUnit(c, fmt.Sprintf("m%03d", t), fmt.Sprintf("990000-%04d", t), fmt.Sprintf("%03d", t))
		if err != nil {
			return err
		}
		c.units = append(c.units, u)
	}
	var terminals []string
	for _, u := range r.all() {
		terminals = append(terminals, u.Terminal)
	}
	codes, err := r.city.codes(ctx, terminals)
	if err != nil {
		return err
	}
	for _, u := range r.all() {
		u.Code = codes[u.Terminal]
	}
	// Everybody is enrolled before the first fault: a platform that is set back to before that needs a technician.
	return r.everywhere(func(c *crew) error {
		if err := c.launch(); err != nil {
			return err
		}
		for _, u := range c.units {
			for {
				word, err := c.ask(u, order{Do: "report"}, "waits", "absent")
				if err != nil {
					return err
				}
				if word[0] == "waits" && word[6] == "up" {
					break
				}
				if !sleep(ctx, 200*time.Millisecond) {
					return context.Cause(ctx)
				}
			}
		}
		return nil
	})
}

// newUnit makes a machine and, as whoever installs one does, its directory, for good.
func (r *run) newUnit(c *crew, name, terminal, no string) (*unit, error) {
	home := filepath.Join(r.dir, fmt.Sprint("disk-", c.no))
	url := ""
	if c.gateway != nil {
		url = c.gateway.url()
	} else {
		url = r.opt.site.platform
	}
	u := &unit{name: name, crew: c, heard: make(chan []string, 256), start: start{Terminal: terminal, No: no, Dir: filepath.Join(home, name),
		Identity: filepath.Join(r.dir, "identity", name), World: filepath.Join(r.dir, "world", name), URL: url,
		CA: r.city.trusted, Software: "kiosk torture", Every: r.opt.every}}
	r.mu.Lock()
	r.units[name] = u
	r.mu.Unlock()
	r.oracle.speaks(name, terminal)
	return u, u.install()
}

// install makes a machine's empty directory, durably.
func (u *unit) install() error {
	return errors.Join(os.MkdirAll(u.Dir, 0o700), syncDir(filepath.Dir(u.Dir)))
}

func (r *run) unit(name string) *unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units[name]
}

func (r *run) all() []*unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.units))
}

// everywhere does something to every crew at once.
func (r *run) everywhere(do func(*crew) error) error {
	errs := make([]error, len(r.crews))
	var all sync.WaitGroup
	for i, c := range r.crews {
		all.Go(func() { errs[i] = do(c) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (r *run) did(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

func (r *run) violation(format string, a ...any) {
	r.oracle.mu.Lock()
	defer r.oracle.mu.Unlock()
	r.oracle.problem(format, a...)
}

func (r *run) lying(c *crew, lies bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.liars[c] = lies
}

func (r *run) lied(c *crew) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.liars[c]
}

// suffer lets every fault loose for the given time.
func (r *run) suffer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opt.time)
	defer cancel()
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	loose := func(do func(*rand.Rand) error, stream uint64) {
		all.Go(func() {
			if err := do(rand.New(rand.NewPCG(r.opt.seed, stream))); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
				cancel()
			}
		})
	}
	if r.opt.site == nil {
		loose(func(rnd *rand.Rand) error { return r.strike(ctx, rnd) }, 1)
	} else {
		loose(func(rnd *rand.Rand) error { return r.opt.site.strike(ctx, r, rnd) }, 1)
		loose(func(rnd *rand.Rand) error { r.opt.site.part(ctx, r, rnd); return nil }, 3)
		loose(func(rnd *rand.Rand) error { return r.killServers(ctx, rnd) }, 4)
	}
	loose(func(*rand.Rand) error { r.watch(ctx); return nil }, 2)
	for i, c := range r.crews {
		loose(func(rnd *rand.Rand) error { return c.suffer(ctx, rnd) }, 100+uint64(i))
		if c.gateway != nil {
			loose(func(rnd *rand.Rand) error { c.storm(ctx, rnd); return nil }, 200+uint64(i))
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// watch asks every machine how it is, notes memory and shows that the run goes on.
func (r *run) watch(ctx context.Context) {
	began := time.Now()
	for n := 1; sleep(ctx, 5*time.Second); n++ {
		for _, c := range r.crews {
			for _, u := range c.units {
				_ = c.order(order{Do: "report", Machine: u.name})
			}
		}
		used := memory()
		r.mu.Lock()
		r.peak = max(r.peak, used)
		r.mu.Unlock()
		if n%6 == 0 {
			r.oracle.mu.Lock()
			visits, problems := len(r.oracle.visits), len(r.oracle.problems)
			r.oracle.mu.Unlock()
			fmt.Fprintf(r.out, "%v: %d visits, %d problems so far, %d MiB\n", time.Since(began).Round(time.Second), visits, problems, used>>20)
		}
	}
}

// heal ends all faults and waits until nothing waits any more.
func (r *run) heal(ctx context.Context) error {
	r.calm.Store(true)
	if r.opt.site != nil {
		if err := r.opt.site.heal(ctx, r); err != nil {
			return err
		}
	}
	for i, s := range r.city.servers {
		if s == nil {
			if err := r.startAgain(ctx, i); err != nil {
				return err
			}
		}
	}
	return r.everywhere(func(c *crew) error {
		if c.gateway != nil {
			c.gateway.be(fair)
		}
		if c.disk != nil {
			for _, o := range []string{"room", "honest"} {
				if _, err := c.disk.order(o); err != nil {
					return err
				}
			}
		}
		for _, u := range c.units {
			if err := c.order(order{Do: "calm", Machine: u.name}); err != nil {
				return err
			}
		}
		if err := c.watchdog(); err != nil {
			return err
		}
		return c.drain(ctx)
	})
}

// drain empties clones first, each while its original is off: of two machines under one name each is a fork to the other.
func (c *crew) drain(ctx context.Context) error {
	for _, twin := range c.clones {
		u := c.run.unit(strings.Split(twin.name, "-")[0])
		if err := c.stop(u); err != nil {
			return err
		}
		if err := c.begin(twin); err != nil {
			return err
		}
		if err := c.empty(ctx, []*unit{twin}); err != nil {
			return err
		}
		if err := c.stop(twin); err != nil {
			return err
		}
		if err := c.begin(u); err != nil {
			return err
		}
	}
	return c.empty(ctx, c.units)
}

// empty waits until machines have nothing left to send, and verifies their journals.
func (c *crew) empty(ctx context.Context, units []*unit) error {
	deadline := time.Now().Add(c.run.opt.drain)
	if err := c.drained(ctx, units, deadline); err != nil {
		return err
	}
	// What is empty may be an image that has not met the platform yet: another beat tells.
	sleep(ctx, 3*time.Second)
	if err := c.drained(ctx, units, deadline); err != nil {
		return err
	}
	for _, u := range units {
		word, err := c.ask(u, order{Do: "verify"}, "verified", "absent")
		if err != nil {
			return err
		}
		if word[0] != "verified" || word[3] != "0" || word[4] != "0" {
			u.mu.Lock()
			c.run.violation("journal of %s: %s\n    %s", u.name, strings.Join(word, " "), strings.Join(u.logs, "\n    "))
			u.mu.Unlock()
		}
	}
	return nil
}

// drained waits until machines have met the platform and have nothing left to send.
func (c *crew) drained(ctx context.Context, units []*unit, deadline time.Time) error {
	for _, u := range units {
		for {
			word, err := c.ask(u, order{Do: "report"}, "waits", "absent")
			if err != nil {
				return err
			}
			if word[0] == "waits" && word[4] == "0" && word[5] == "0" && word[6] == "up" {
				break
			}
			if time.Now().After(deadline) {
				u.mu.Lock()
				c.run.violation("outbox of %s is not empty: %s\n    %s", u.name, strings.Join(word, " "), strings.Join(u.logs, "\n    "))
				u.mu.Unlock()
				break
			}
			if !sleep(ctx, 200*time.Millisecond) {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// judge stops everything and compares.
func (r *run) judge(ctx context.Context) (int, error) {
	if err := r.everywhere(func(c *crew) error { return c.shut() }); err != nil {
		return 0, err
	}
	r.city.close()
	l, err := readLedger(ctx, r.city)
	for try := 0; err != nil && r.opt.site != nil && r.opt.site.pg != nil && try < 5; try++ { // what was done to the nodes may still have them change places
		if err = r.opt.site.pg.Whole(ctx, time.Minute); err == nil {
			l, err = readLedger(ctx, r.city)
		}
	}
	if err == nil {
		err = r.oracle.notice(ctx, r.city)
	}
	if err != nil {
		return 0, err
	}
	var worlds []string
	for _, u := range r.all() {
		worlds = append(worlds, u.World)
	}
	v := r.oracle.judge(l, worlds, r.city.holds)
	weather := map[string]int{}
	for _, c := range r.crews {
		if c.gateway == nil {
			continue
		}
		c.gateway.mu.Lock()
		for w, n := range c.gateway.counts {
			weather[string(w)] += n
		}
		c.gateway.mu.Unlock()
	}
	fmt.Fprintf(r.out, "faults: %s; %d sectors and names lost at power cuts\n", list(r.counts), r.sectors.Load())
	if r.opt.site == nil {
		fmt.Fprintf(r.out, "requests spoilt: %s\n", list(weather))
	} else {
		r.opt.site.tell(r)
	}
	fmt.Fprintf(r.out, "visits: %d; promised %d, refused %d, in doubt %d\n", v.visits, v.promised, v.refused, v.doubt)
	fmt.Fprintf(r.out, "promises that went with a disk, by who told that their records are lost: %s; %d notices in all\n", list(v.excused), len(r.oracle.notices))
	if missing := r.missing(weather); r.opt.all && len(missing) > 0 {
		v.violations = append(v.violations, "never happened in this run: "+strings.Join(missing, ", "))
	} else if len(missing) > 0 {
		fmt.Fprintf(r.out, "never happened in this run: %s\n", strings.Join(missing, ", "))
	}
	fmt.Fprintf(r.out, "money: %d fen paid, %d fen at the platform; %d records held\n", v.fenPromised, v.fenHeld, len(l.records))
	fmt.Fprintf(r.out, "receipt codes given twice after a disk was copied: %d\n", v.codes)
	fmt.Fprintf(r.out, "memory: %d MiB at most, all processes together\n", r.peak>>20)
	if v.fenPromised != v.fenHeld {
		v.violations = append(v.violations, "money does not balance")
	}
	if r.opt.site != nil {
		v.violations = append(v.violations, r.opt.site.missing(ctx)...)
	}
	if v.promised == 0 {
		v.violations = append(v.violations, "nothing was promised: nothing was tested")
	}
	for i, b := range v.violations {
		if i == 40 {
			fmt.Fprintf(r.out, "  and %d more\n", len(v.violations)-i)
			break
		}
		fmt.Fprintln(r.out, "  violation:", b)
	}
	for _, line := range r.oracle.life(l, v.violations) {
		fmt.Fprintln(r.out, "  life:", line)
	}
	if len(v.violations) > 0 {
		fmt.Fprintf(r.out, "again with: -seed %d; what is left lies in %s\n", r.opt.seed, r.dir)
	}
	fmt.Fprintf(r.out, "violations: %d\n", len(v.violations))
	return len(v.violations), nil
}

// missing are the faults that should be in a run and did not happen.
func (r *run) missing(weather map[string]int) (all []string) {
	if r.opt.site != nil {
		return nil // which says itself what it did
	}
	must := []string{"clock", "clone", "image", "rollback", "other version", "server kill"}
	if slices.ContainsFunc(r.crews, func(c *crew) bool { return c.disk == nil }) {
		must = append(must, "kill -9")
	}
	if slices.ContainsFunc(r.crews, func(c *crew) bool { return c.disk != nil }) {
		must = append(must, "power cut", "disk full")
		if r.opt.lies > 0 {
			must = append(must, "lying disk")
		}
	}
	if r.opt.outage != nil {
		must = append(must, "store kill")
	}
	if r.opt.restore && r.city.store == "" {
		must = append(must, "platform restore")
	}
	for _, m := range must {
		if r.counts[m] == 0 {
			all = append(all, m)
		}
	}
	for _, w := range weathers {
		if weather[string(w)] == 0 {
			all = append(all, string(w))
		}
	}
	return all
}

func list(counts map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return strings.Join(all, ", ")
}

// tearDown ends what still runs.
func (r *run) tearDown() {
	for _, c := range r.crews {
		if c.cmd != nil && c.cmd.ProcessState == nil {
			c.kill()
		}
		if c.disk != nil {
			_ = c.disk.close()
		}
		if c.gateway != nil {
			_ = c.gateway.close()
		}
	}
	if r.city != nil {
		r.city.close()
	}
}
