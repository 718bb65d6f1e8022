package main

// A site of several hosts: the terminals in a hall, the platform's servers in the city, and perhaps PostgreSQL on three nodes with
// Patroni, each in a network namespace. The line from the hall is slow and lossy and is cut; the primary is killed, frozen and parted
// from the others again and again, and commits that wait for a standby are cancelled.
//
// What a terminal was acknowledged must not be lost even for a moment. A terminal whose records the platform does not hold any more
// sends them again by itself, so that the end would look well: here it is a violation that it has to.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/budayang/kiosk/test/cluster"
)

// theLine is the hall's, in each direction.
var theLine = cluster.Line{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01}

type site struct {
	town       *cluster.Town
	hall, city *cluster.House
	pg         *cluster.Cluster // nil: the platform keeps its data in SQLite
	servers    []string         // where they listen
	platform   string           // where terminals find one
	store      string           // what servers are told of it

	apart sync.Mutex // held while the hall is cut off, and while it is measured when acks come again

	mu        sync.Mutex
	failovers []failover
	first     int // the timeline at the start
}

// failover is one time that another node took over.
type failover struct {
	how, from, to string
	timeline      int
	led, acked    time.Duration // from the fault to the new primary, and to the first ack after it
}

// tortureSite runs once on a site of its own, with the three nodes or with SQLite.
func tortureSite(ctx context.Context, o options, out io.Writer) (n int, err error) {
	// Other users pass through to their directories; a socket's path is short.
	dir, err := os.MkdirTemp("", "budayang-cluster-")
	if err != nil {
		return 0, err
	}
	if !o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &site{}
	if s.town, err = cluster.NewTown(); err != nil {
		return 0, err
	}
	defer s.town.Close()
	if s.hall, err = s.town.Build("hall", "10.77.0.30"); err != nil {
		return 0, err
	}
	if o.store == "cluster" {
		fmt.Fprintf(out, "site: three nodes, the city, the hall; logs in %s\n", dir)
		if s.pg, err = cluster.Start(ctx, s.town, dir); err != nil {
			return 0, err
		}
		if err := os.Setenv("PGPASSFILE", s.pg.PassFile()); err != nil {
			return 0, err
		}
		_, s.first = s.pg.Primary(ctx)
		s.city, s.servers, s.platform, s.store, o.store = s.pg.City, s.pg.Servers(), s.pg.Platform(), s.pg.Store(), s.pg.Behind()
	} else {
		fmt.Fprintln(out, "site: the city and the hall")
		if s.city, err = s.town.Build("city", "10.77.0.20"); err != nil {
			return 0, err
		}
		s.servers = []string{s.city.Address + ":8443"}
		s.platform = "https://" + s.servers[0]
	}
	s.town.Wire("hall", theLine)
	o.site, o.servers, o.restore = s, len(s.servers), false
	return torture(ctx, o, out)
}

// hear takes an uplink's alarm.
func (s *site) hear(r *run, u *unit, word []string) {
	line := strings.Join(word, " ")
	for _, lost := range []string{"platform_lost_records", "platform_lost_a_picture", "orders_a_new_epoch", "has_forked", "does_not_fit", "no_going_on", "quarantined"} {
		if strings.Contains(line, lost) {
			u.crew.mu.Lock()
			since := time.Since(u.crew.died)
			u.crew.mu.Unlock()
			r.violation("what %s was acknowledged is not what the platform holds, or is held twice: %s (its worker was killed %.1f s before, disk that loses power: %v)",
				u.name, line, since.Seconds(), u.crew.disk != nil)
		}
	}
}

// blow is a fault of a node, and what ends it.
type blow struct {
	name string
	do   func(ctx context.Context, r *run, n *cluster.Node)
	undo func(n *cluster.Node) error
	stay bool // the standby's: the primary goes on, and its commits wait until another standby is synchronous
}

func (s *site) blows() []blow {
	nothing := func(*cluster.Node) error { return nil }
	join := func(n *cluster.Node) error { s.town.Join(n.Name); return nil }
	others := func(n *cluster.Node) (names []string) {
		for _, o := range s.pg.Nodes {
			if o != n {
				names = append(names, o.Name)
			}
		}
		return names
	}
	return []blow{
		{"primary powered off", func(_ context.Context, _ *run, n *cluster.Node) { n.PowerOff() }, (*cluster.Node).PowerOn, false},
		{"primary parted from all", func(_ context.Context, _ *run, n *cluster.Node) { s.town.Cut(n.Name) }, join, false},
		{"primary parted and its waiting commits cancelled", func(ctx context.Context, r *run, n *cluster.Node) {
			s.town.Cut(n.Name, others(n)...)
			s.cancel(ctx, r, n)
		}, join, false},
		{"postgres killed", func(_ context.Context, _ *run, n *cluster.Node) { n.KillPostgres() }, nothing, false},
		{"primary frozen", func(_ context.Context, _ *run, n *cluster.Node) { n.Signal(syscall.SIGSTOP) },
			func(n *cluster.Node) error { n.Signal(syscall.SIGCONT); return nil }, false},
		{"patroni killed", func(_ context.Context, _ *run, n *cluster.Node) { n.KillPatroni() }, (*cluster.Node).StartPatroni, false},
		{"primary parted from the nodes", func(_ context.Context, _ *run, n *cluster.Node) { s.town.Cut(n.Name, others(n)...) }, join, false},
		{"standby parted", func(ctx context.Context, r *run, n *cluster.Node) { s.town.Cut(n.Name) }, join, true},
	}
}

// strike does one thing after another to the nodes until ctx ends.
func (s *site) strike(ctx context.Context, r *run, rnd *rand.Rand) error {
	if s.pg == nil {
		return nil
	}
	var next []blow
	for sleep(ctx, between(rnd, time.Second, 4*time.Second)) {
		if err := s.pg.Whole(ctx, 2*time.Minute); ctx.Err() != nil {
			return nil
		} else if err != nil {
			r.violation("%v", err)
			return nil
		}
		if len(next) == 0 {
			next = slices.DeleteFunc(s.blows(), func(b blow) bool { return !r.opt.may(b.name) })
			rnd.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		}
		if len(next) == 0 {
			return nil
		}
		b := next[0]
		next = next[1:]
		if err := s.one(ctx, r, rnd, b); err != nil {
			return err
		}
	}
	return nil
}

// one does one thing to a node, waits until the cluster and the platform go on, and undoes it.
func (s *site) one(ctx context.Context, r *run, rnd *rand.Rand, b blow) error {
	n, timeline := s.pg.Primary(ctx)
	if n == nil {
		return nil
	}
	f := failover{how: b.name, from: n.Name, timeline: timeline}
	struck := n
	if b.stay {
		if struck = s.standby(ctx); struck == nil {
			return nil
		}
	}
	s.apart.Lock()
	r.did(b.name)
	began := time.Now()
	b.do(ctx, r, struck)
	if !b.stay {
		for f.timeline == timeline {
			if time.Since(began) > 90*time.Second {
				r.violation("nobody took over within 90 s: %s, %s", n.Name, b.name)
				break
			}
			if !sleep(ctx, 200*time.Millisecond) {
				s.apart.Unlock()
				return b.undo(struck)
			}
			if now, t := s.pg.Primary(ctx); now != nil && t > timeline {
				f.to, f.timeline = now.Name, t
			}
		}
	}
	f.led = time.Since(began)
	was := r.acked()
	for r.acked() <= was {
		if time.Since(began) > 3*time.Minute {
			r.violation("no ack within three minutes: %s, %s", n.Name, b.name)
			break
		}
		for _, c := range r.crews {
			for _, u := range c.units {
				_ = c.order(order{Do: "report", Machine: u.name})
			}
		}
		if !sleep(ctx, 200*time.Millisecond) {
			break
		}
	}
	f.acked = time.Since(began)
	s.apart.Unlock()
	if b.stay {
		fmt.Fprintf(r.out, "%s (%s): first ack after %.1f s\n", b.name, struck.Name, f.acked.Seconds())
	} else if f.to != "" {
		s.mu.Lock()
		s.failovers = append(s.failovers, f)
		s.mu.Unlock()
		fmt.Fprintf(r.out, "%s (%s): %s leads timeline %d after %.1f s, first ack after %.1f s\n", f.how, f.from, f.to, f.timeline, f.led.Seconds(), f.acked.Seconds())
	}
	sleep(ctx, between(rnd, time.Second, 6*time.Second))
	return b.undo(struck)
}

// acked is how many records all machines said they were acknowledged.
func (r *run) acked() (n uint64) {
	for _, u := range r.all() {
		u.mu.Lock()
		n += u.acked
		u.mu.Unlock()
	}
	return n
}

// standby is the synchronous one.
func (s *site) standby(ctx context.Context) *cluster.Node {
	all, err := s.pg.Members(ctx)
	if err != nil {
		return nil
	}
	for _, m := range all {
		if m.Role == "sync_standby" {
			return s.pg.Nodes[slices.IndexFunc(s.pg.Nodes, func(n *cluster.Node) bool { return n.Name == m.Name })]
		}
	}
	return nil
}

// cancel ends every wait for a standby at a node, as an operator may: PostgreSQL says then that the commit succeeded.
func (s *site) cancel(ctx context.Context, r *run, n *cluster.Node) {
	ctx, stop := context.WithTimeout(ctx, 8*time.Second)
	defer stop()
	cfg, err := pgx.ParseConfig("postgres://postgres@" + n.Address + "/postgres?sslmode=disable&passfile=" + s.pg.PassFile())
	if err != nil {
		return
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.pg.City.Dial(ctx, network, address)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for sleep(ctx, 50*time.Millisecond) {
		var n int
		if conn.QueryRow(ctx, `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&n) != nil {
			return // it was told that it is the primary no more
		}
		r.mu.Lock()
		r.counts["commits cancelled"] += n
		r.mu.Unlock()
	}
}

// part cuts the hall off from the city until ctx ends.
func (s *site) part(ctx context.Context, r *run, rnd *rand.Rand) {
	for sleep(ctx, between(rnd, 5*time.Second, 20*time.Second)) {
		s.apart.Lock()
		r.did("hall parted")
		s.town.Cut("hall", "city")
		sleep(ctx, between(rnd, time.Second, 12*time.Second))
		s.town.Join("hall")
		s.apart.Unlock()
	}
}

// heal ends everything that was done to the site.
func (s *site) heal(ctx context.Context, r *run) error {
	s.town.Mend()
	s.town.Wire("hall", cluster.Line{})
	for i, cmd := range r.city.servers {
		if cmd == nil {
			continue
		}
		state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if _, rest, _ := strings.Cut(string(state), ") "); rest == "" || rest[0] == 'Z' {
			r.violation("server %d ended by itself: see platform-%d.log", i, i)
			r.city.kill(i)
		}
	}
	if s.pg == nil {
		return nil
	}
	return s.pg.Whole(ctx, 3*time.Minute)
}

// tell says what the site went through, and holds the run to it.
func (s *site) tell(r *run) {
	carried, lost, cut := s.town.Frames()
	fmt.Fprintf(r.out, "frames: %d carried, %d lost on the hall's line, %d dropped at cuts\n", carried, lost, cut)
	if s.pg == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	_, last := s.pg.Primary(ctx)
	var led, acked time.Duration
	for _, f := range s.failovers {
		led, acked = max(led, f.led), max(acked, f.acked)
	}
	fmt.Fprintf(r.out, "failovers: %d, timelines %d to %d; at most %.1f s to a new primary, %.1f s to the first ack after it\n",
		len(s.failovers), s.first, last, led.Seconds(), acked.Seconds())
}

// missing says what must have happened in a run on a site and did not.
func (s *site) missing(ctx context.Context) (bad []string) {
	if _, lost, cut := s.town.Frames(); lost == 0 || cut == 0 {
		bad = append(bad, fmt.Sprintf("the hall's line lost %d frames, and %d were dropped at cuts", lost, cut))
	}
	if s.pg == nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, last := s.pg.Primary(ctx); len(s.failovers) == 0 || last-s.first < len(s.failovers) {
		bad = append(bad, fmt.Sprintf("%d failovers, and the timeline went from %d to %d", len(s.failovers), s.first, last))
	}
	return bad
}
