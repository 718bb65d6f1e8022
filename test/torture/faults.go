package main

// The faults: one goroutine for each crew and one for the city, each doing one thing after another, by chance from the seed.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// storm changes a gateway's weather until ctx ends: each once in some order, and then by chance.
func (c *crew) storm(ctx context.Context, r *rand.Rand) {
	for first := r.Perm(len(weathers)); ; {
		if !sleep(ctx, between(r, 2*time.Second, 8*time.Second)) {
			return
		}
		n := r.IntN(len(weathers))
		if len(first) > 0 {
			n, first = first[0], first[1:]
		}
		w := weathers[n]
		c.gateway.be(w)
		if !sleep(ctx, between(r, time.Second, 8*time.Second)) {
			return
		}
		c.gateway.be(fair)
	}
}

// suffer does one fault after another to a crew until ctx ends. An error means that the harness itself cannot go on.
func (c *crew) suffer(ctx context.Context, r *rand.Rand) error {
	type fault struct {
		name   string
		weight int
		do     func(context.Context, *rand.Rand) error
	}
	all := []fault{{"clock", 3, c.clock}, {"image", 4, c.takeImage}, {"rollback", 4, c.rollback}, {"clone", 1, c.clone}, {"old version", 2, c.oldVersion}}
	if c.disk != nil {
		all = append(all, fault{"power cut", 6, c.powerCut}, fault{"disk full", 2, c.fill}, fault{"lying disk", c.run.opt.lies, c.lie})
	} else {
		all = append(all, fault{"kill -9", 6, c.killed})
	}
	all = slices.DeleteFunc(all, func(f fault) bool {
		// Disks that are set back, clones and clocks are no concern of a site, whose oracle wants nothing to go back at all.
		return !c.run.opt.may(f.name) || c.run.opt.site != nil && f.name != "kill -9" && f.name != "power cut"
	})
	all = slices.DeleteFunc(all, func(f fault) bool { return f.weight == 0 })
	sum := 0
	for _, f := range all {
		sum += f.weight
	}
	// Each once, in some order, and then by chance: in a short run chance alone leaves some out.
	first := r.Perm(len(all))
	for sleep(ctx, between(r, 500*time.Millisecond, 3*time.Second)) {
		if err := c.watchdog(); err != nil {
			return fmt.Errorf("watchdog: %w", err)
		}
		if sum == 0 {
			continue
		}
		if len(first) > 0 {
			f := all[first[0]]
			first = first[1:]
			if err := f.do(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			continue
		}
		n := r.IntN(sum)
		for _, f := range all {
			if n -= f.weight; n >= 0 {
				continue
			}
			if err := f.do(ctx, r); err != nil {
				return fmt.Errorf("%s of worker %d: %w", f.name, c.no, err)
			}
			break
		}
	}
	return nil
}

func (c *crew) pick(r *rand.Rand) *unit { return c.units[r.IntN(len(c.units))] }

func (c *crew) killed(context.Context, *rand.Rand) error {
	c.run.did("kill -9")
	c.kill()
	return c.launch()
}

func (c *crew) powerCut(context.Context, *rand.Rand) error {
	c.run.did("power cut")
	if _, err := c.disk.order("freeze"); err != nil {
		return err
	}
	c.kill()
	lost, err := c.disk.order("drop")
	if err != nil {
		return err
	}
	c.run.sectors.Add(int64(lost))
	return c.launch()
}

func (c *crew) fill(ctx context.Context, r *rand.Rand) error {
	c.run.did("disk full")
	if _, err := c.disk.order("full"); err != nil {
		return err
	}
	sleep(ctx, between(r, time.Second, 5*time.Second))
	_, err := c.disk.order("room")
	return err
}

// lie lets the disk ignore fsync for a while and then loses power. The line brings only hellos meanwhile, so that what is promised
// has its only copy on that disk; and power goes once every machine has shown how far it came, for nothing but a second witness
// can notice that a disk which lied consistently is older than it said. The platform is not set back meanwhile, nor until every
// machine has met it again.
func (c *crew) lie(ctx context.Context, r *rand.Rand) error {
	c.run.history.RLock()
	defer c.run.history.RUnlock()
	c.run.lying(c, true)
	defer c.run.lying(c, false)
	c.gateway.hold(mute)
	defer c.gateway.release()
	if _, err := c.disk.order("lie"); err != nil {
		return err
	}
	sleep(ctx, between(r, time.Second, 6*time.Second))
	for _, u := range c.units {
		if _, err := c.ask(u, order{Do: "pause"}, "paused", "absent"); err != nil {
			return err
		}
	}
	// Twice: what was shown may have been answered with a new epoch, whose places are others.
	for range 2 {
		for _, u := range c.units {
			heard, err := c.shown(ctx, u)
			if err != nil {
				return err
			}
			if !heard {
				return c.callOff()
			}
		}
	}
	if _, err := c.disk.order("freeze"); err != nil {
		return err
	}
	c.kill()
	lies := map[*unit]*loss{}
	for _, u := range c.units {
		// Pages that were durable before are written over too: whatever the platform does not hold may be gone.
		lies[u] = c.run.oracle.lost(u.name, loss{how: "lying disk"})
		c.run.oracle.swap(u.name)
	}
	lost, err := c.disk.order("drop")
	if err != nil {
		return err
	}
	if lost > 0 {
		c.run.did("lying disk")
	} else {
		c.run.did("lie that cost nothing")
	}
	if err := c.launch(); err != nil {
		return err
	}
	for _, u := range c.units {
		word, err := c.ask(u, order{Do: "keeps"}, "keeps", "absent")
		if err != nil {
			return err
		}
		c.run.oracle.kept(lies[u], word[2:])
	}
	c.gateway.release()
	c.gateway.be(fair)
	for _, u := range c.units {
		for range 100 {
			word, err := c.ask(u, order{Do: "report"}, "waits", "absent")
			if err != nil {
				return err
			}
			if word[0] == "waits" && word[6] == "up" {
				break
			}
			if !sleep(ctx, 200*time.Millisecond) {
				return nil
			}
		}
	}
	return nil
}

// shown waits until a machine that rests has shown the platform how far it came.
func (c *crew) shown(ctx context.Context, u *unit) (bool, error) {
	for range 75 {
		word, err := c.ask(u, order{Do: "report"}, "waits", "absent")
		if err != nil || word[0] == "absent" {
			return true, err // nothing runs that could have promised anything
		}
		u.mu.Lock()
		is := heads{u.epoch, u.acked + u.waiting}
		u.mu.Unlock()
		if c.gateway.lastHeard(u.Terminal) == is {
			return true, nil
		}
		if !sleep(ctx, 200*time.Millisecond) {
			break
		}
	}
	return false, nil
}

// callOff ends a lie without a power cut.
func (c *crew) callOff() error {
	c.run.did("lie called off")
	for _, o := range []string{"honest", "settle"} {
		if _, err := c.disk.order(o); err != nil {
			return err
		}
	}
	for _, u := range c.units {
		if _, err := c.ask(u, order{Do: "resume"}, "paused", "absent"); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) clock(_ context.Context, r *rand.Rand) error {
	c.run.did("clock")
	u := c.pick(r)
	u.Clock = []time.Duration{-24 * time.Hour, 24 * time.Hour, 0, time.Duration(r.Int64N(int64(time.Hour)))}[r.IntN(4)]
	return c.order(order{Do: "clock", Machine: u.name, Clock: u.Clock})
}

func (c *crew) oldVersion(_ context.Context, r *rand.Rand) error {
	c.run.did("other version")
	u := c.pick(r)
	if err := c.stop(u); err != nil {
		return err
	}
	u.Old = !u.Old
	u.Software = map[bool]string{true: "kiosk 0.1.0", false: "kiosk torture"}[u.Old]
	return c.begin(u)
}

func (c *crew) takeImage(_ context.Context, r *rand.Rand) error {
	u := c.pick(r)
	if err := c.stop(u); err != nil {
		return err
	}
	if err := c.imageOf(u); err != nil {
		return err
	}
	return c.begin(u)
}

// imageOf copies a stopped machine's disk.
func (c *crew) imageOf(u *unit) error {
	c.run.did("image")
	dir := filepath.Join(c.run.dir, "images", u.name)
	if err := copyDir(u.Dir, dir); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.image = &image{dir: dir, promises: c.run.oracle.count(u.name), epoch: u.epoch, head: u.acked + u.waiting}
	return nil
}

// rollback puts an old image back. It is done only when the platform has meanwhile heard more than the image holds: nothing
// but a second witness can notice that a disk was set back, and here the platform is the only one.
func (c *crew) rollback(_ context.Context, r *rand.Rand) error {
	var some []*unit
	for _, u := range c.units {
		u.mu.Lock()
		if u.image != nil && u.image.dir != "" {
			some = append(some, u)
		}
		u.mu.Unlock()
	}
	if len(some) == 0 {
		return nil
	}
	u := some[r.IntN(len(some))]
	c.run.history.RLock()
	defer c.run.history.RUnlock()
	if err := c.stop(u); err != nil {
		return err
	}
	u.mu.Lock()
	i, epoch := u.image, u.epoch
	heard := u.epoch > i.epoch || u.acked > i.head
	if heard {
		u.pending = epoch
	}
	u.mu.Unlock()
	if i.dir == "" || !heard {
		return c.begin(u)
	}
	c.run.did("rollback")
	c.run.oracle.lost(u.name, loss{from: i.promises, how: "rollback"})
	c.run.oracle.swap(u.name)
	if err := copyDir(i.dir, u.Dir); err != nil {
		return err
	}
	u.log("rolled back")
	// Often it works on without a link at first, past the place the platform knows.
	u.Offline = time.Duration(r.IntN(2)) * between(r, time.Second, 15*time.Second)
	err := c.begin(u)
	u.Offline = 0
	return err
}

// clone starts a second machine from a copy of the first one's disk; both work at once for a while.
func (c *crew) clone(ctx context.Context, r *rand.Rand) error {
	if len(c.clones) >= 2 {
		return nil
	}
	u := c.pick(r)
	if err := c.stop(u); err != nil {
		return err
	}
	c.run.did("clone")
	twin, err := c.run.newUnit(c, fmt.Sprintf("%s-clone%d", u.name, len(c.clones)+1), u.Terminal, u.No)
	if err != nil {
		return err
	}
	twin.Identity, twin.ever = u.Identity, true
	if err := copyDir(u.Dir, twin.Dir); err != nil {
		return err
	}
	c.run.oracle.swap(u.name)
	c.run.oracle.swap(twin.name)
	c.clones = append(c.clones, twin)
	if err := c.begin(u); err != nil {
		return err
	}
	if err := c.begin(twin); err != nil {
		return err
	}
	sleep(ctx, between(r, 3*time.Second, 8*time.Second))
	return c.stop(twin)
}

// strike does one fault after another to the city: each once at the beginning, for by chance alone a short run may leave some out,
// and then by chance. What -restore promises happens at least once, at the latest in the end.
func (r *run) strike(ctx context.Context, rnd *rand.Rand) error {
	backup := filepath.Join(r.dir, "backup")
	restores, due, have := r.opt.restore && r.city.store == "", true, false
	first := []string{"server kill"}
	if restores {
		first = []string{"backup", "server kill", "restore"}
	} else if r.opt.outage != nil {
		first = []string{"store kill", "server kill"}
	}
	for sleep(ctx, between(rnd, 4*time.Second, 12*time.Second)) {
		what, n := "server kill", rnd.IntN(10)
		switch {
		case len(first) > 0:
			what, first = first[0], first[1:]
		case restores && n <= 1:
			what = "backup"
		case restores && (due || n <= 3):
			what = "restore"
		case r.opt.outage != nil && n <= 3:
			what = "store kill"
		}
		switch what {
		case "backup":
			r.did("platform backup")
			r.city.close()
			if err := r.city.backup(backup); err != nil {
				return err
			}
			have = true
		case "restore":
			done, err := r.setBack(backup)
			if err != nil {
				return err
			}
			due = due && !done
		case "store kill":
			r.did("store kill")
			r.opt.outage()
		default:
			r.did("server kill")
			r.city.kill(rnd.IntN(len(r.city.servers)))
			sleep(ctx, between(rnd, 0, 3*time.Second))
		}
		for i, s := range r.city.servers {
			if s == nil {
				if err := r.city.start(i); err != nil {
					return err
				}
			}
		}
	}
	if !restores || !due {
		return nil
	}
	if !have {
		r.violation("the run was too short to set the platform back: -restore=false, or a longer one")
		return nil
	}
	_, err := r.setBack(backup)
	return err
}

// killServers kills one server after another until ctx ends.
func (r *run) killServers(ctx context.Context, rnd *rand.Rand) error {
	for sleep(ctx, between(rnd, 10*time.Second, 30*time.Second)) {
		r.did("server kill")
		i := rnd.IntN(len(r.city.servers))
		r.city.kill(i)
		sleep(ctx, between(rnd, 0, 3*time.Second))
		if err := r.startAgain(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// startAgain starts a server as a service manager does: one that finds no store ends, and is started again.
func (r *run) startAgain(ctx context.Context, i int) (err error) {
	for range 60 {
		if err = r.city.start(i); err == nil || !sleep(ctx, time.Second) {
			return nil // healing starts what is not there
		}
	}
	return err
}

// unnoticed says whether some disk was set back and its machine has not begun a new epoch yet.
func (r *run) unnoticed() bool {
	for _, u := range r.all() {
		u.mu.Lock()
		pending := u.pending
		u.mu.Unlock()
		if pending > 0 {
			return true
		}
	}
	return false
}

// setBack restores the platform from its backup, unless a disk was set back and nobody has noticed that yet: of such a record
// no copy would be left, nor a witness.
func (r *run) setBack(backup string) (done bool, err error) {
	r.history.Lock()
	defer r.history.Unlock()
	for patience := 100; r.unnoticed(); patience-- {
		if patience == 0 {
			r.did("restore put off")
			return false, nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	r.did("platform restore")
	r.city.close()
	// What an operator was told before does not come back by being told again.
	if err := r.oracle.notice(context.Background(), r.city); err != nil {
		return false, err
	}
	r.city.age.Add(1)
	if err := r.city.restore(backup); err != nil {
		return false, err
	}
	for _, u := range r.all() {
		u.mu.Lock()
		if u.image != nil {
			u.image.dir = ""
		}
		u.mu.Unlock()
	}
	return true, nil
}
