package sync

// A platform and terminals, both real.

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// city is a platform in a directory; it can be stopped, restored and started again at the same address.
type city struct {
	t    testing.TB
	dir  string
	addr string
	*platform.Server
	stop func()
}

func newCity(t testing.TB) *city {
	t.Helper()
	c := &city{t: t, dir: t.TempDir()}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *city) start() {
	c.t.Helper()
	addr := c.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.addr = l.Addr().String()
	s, err := platform.New(context.Background(), platform.Config{Dir: c.dir})
	if err != nil {
		c.t.Fatal(err)
	}
	c.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	})
}

// terminal is a journal with its identity; link makes it talk.
type terminal struct {
	*journaltest.Journal
	t      testing.TB
	id     *uplink.Identity
	ca     string // a file
	client *uplink.Client
	orders *uplink.Orders
	link   *uplink.Uplink
	ink    int // more bytes in a picture
}

func newTerminal(t testing.TB, c *city, name string) *terminal {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, c.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, ca: ca, Journal: journaltest.Open(t, journal.Options{Terminal: name})}
	var err error
	if x.id, err = uplink.LoadIdentity(filepath.Join(dir, "identity"), name); err != nil {
		t.Fatal(err)
	}
	if x.client, err = uplink.NewClient("https://"+c.addr, ca, x.id); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.client.Close)
	code, _, err := c.IssueCode(t.Context(), name, 0, platform.Operator{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.client.Enroll(t.Context(), "hall", name, code); err != nil {
		t.Fatal(err)
	}
	x.orders = &uplink.Orders{Journal: x.Journal.Journal}
	return x
}

// run links the terminal until stop is called.
func (x *terminal) run() (stop func()) {
	x.link = uplink.New(uplink.Options{Client: x.client, Journal: x.Journal.Journal, Message: x.orders.Message, Expired: x.orders.Expired,
		Beat: 20 * time.Millisecond, Base: 5 * time.Millisecond, Cap: 50 * time.Millisecond, PullWait: time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.link.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			x.t.Error(err)
		}
		x.client.Close()
	})
	x.t.Cleanup(stop)
	return stop
}

// twin is a second machine under the same name, from an image of the first one's disk.
func (x *terminal) twin(t testing.TB) *terminal {
	t.Helper()
	image := copyJournal(t, x)
	path := filepath.Join(t.TempDir(), "journal.db")
	for p, b := range image {
		p = path + strings.TrimPrefix(p, x.Path)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opt := x.Opt
	opt.BlobDir = ""
	y := &terminal{t: t, Journal: journaltest.OpenAt(t, path, opt), id: x.id, client: x.client}
	y.orders = &uplink.Orders{Journal: y.Journal.Journal}
	return y
}

// allHeld says whether the platform holds the last record of every lane and epoch that this machine counts as acknowledged.
func (x *terminal) allHeld(c *city) bool {
	x.t.Helper()
	past, err := x.Past(1000)
	if err != nil {
		x.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.dir, "platform.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	for _, p := range past {
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM records WHERE id = ?`, p.ID).Scan(&n); err != nil {
			x.t.Fatal(err)
		}
		if n == 0 {
			return false
		}
	}
	return true
}

// lasted is how long the run of the program had lasted that said hello last.
func (c *city) lasted() (ms int64) {
	c.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.dir, "platform.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT json_extract(shown, '$.runs[0].ms') FROM terminals`).Scan(&ms); err != nil {
		c.t.Fatal(err)
	}
	return ms
}

func (x *terminal) files() uplink.Files {
	return uplink.Files{Journal: x.Journal.Journal, Identity: x.id, Orders: x.orders}
}

// business opens cases and ends them; each has records in two lanes and a picture.
func (x *terminal) business(n int) (ids []string) {
	x.t.Helper()
	for range n {
		picture := fmt.Appendf(nil, "ink %d of %s", time.Now().UnixNano(), x.id.Terminal)
		h, err := x.PutBlob(append(picture, make([]byte, x.ink)...))
		if err != nil {
			x.t.Fatal(err)
		}
		err = x.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "HOTLINE", Visit: "v"})
			if err != nil {
				return err
			}
			ids = append(ids, c.ID)
			if err := tx.UploadBlob(c.ID, h); err != nil {
				return err
			}
			if _, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeHotline, 1, wire.Hotline{LocalNo: c.ReceiptCode, Category: "road", Ink: h, At: time.Now()}); err != nil {
				return err
			}
			return tx.SetState(c.ID, journal.Closed, "done")
		})
		if err != nil {
			x.t.Fatal(err)
		}
	}
	return ids
}

func (x *terminal) waiting() (n uint64) {
	x.t.Helper()
	all, err := x.Lanes()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, l := range all {
		n += l.Waiting
	}
	blobs, err := x.PendingBlobs()
	if err != nil {
		x.t.Fatal(err)
	}
	return n + uint64(len(blobs))
}

func (x *terminal) epoch() uint32 {
	x.t.Helper()
	all, err := x.Lanes()
	if err != nil {
		x.t.Fatal(err)
	}
	return all[0].Epoch
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// once holds the platform to having every case of these exactly once, ended, with its picture.
func (c *city) once(want ...string) {
	c.t.Helper()
	all, err := c.Cases(context.Background(), 10_000)
	if err != nil {
		c.t.Fatal(err)
	}
	at := map[string]platform.CaseRow{}
	for _, k := range all {
		at[k.ID] = k
	}
	for _, id := range want {
		if k := at[id]; k.Times != 1 || k.State != "CLOSED" {
			c.t.Errorf("case %s: opened %d times, state %q", id, k.Times, k.State)
		}
	}
	if len(at) != len(want) {
		c.t.Errorf("%d cases at the platform, want %d", len(at), len(want))
	}
	n, err := c.Received(context.Background())
	if err != nil || n.Hotline != len(want) || n.Quarantined != 0 {
		c.t.Errorf("%+v, %v", n, err)
	}
	blobs, err := os.ReadDir(filepath.Join(c.dir, "blobs"))
	if err != nil || len(blobs) != len(want) {
		c.t.Errorf("%d pictures, want %d, %v", len(blobs), len(want), err)
	}
}
