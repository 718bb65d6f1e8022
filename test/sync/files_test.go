package sync

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

func export(t testing.TB, x *terminal) ([]byte, uplink.Exported) {
	t.Helper()
	var out bytes.Buffer
	e, err := x.files().Export(&out, wire.MaxFileBytes, "technician.1", "removable")
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), e
}

func take(t testing.TB, c *city, file []byte) ([]byte, platform.ImportReport) {
	t.Helper()
	var ack bytes.Buffer
	r, err := c.Import(t.Context(), bytes.NewReader(file), &ack)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Bytes(), r
}

func bring(t testing.TB, x *terminal, ack []byte) uplink.Imported {
	t.Helper()
	i, err := x.files().Import(t.Context(), bytes.NewReader(ack), "technician.1")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestASiteWithoutALineLivesOnFiles(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	ids := x.business(30)
	waiting := x.waiting()
	first, e := export(t, x)
	if e.No != 1 || e.More || e.Blobs != 30 || e.Bytes > len(first) {
		t.Errorf("%+v of %d bytes", e, len(first))
	}
	if bytes.Contains(first, []byte("HOTLINE")) || bytes.Contains(first, []byte("ink ")) {
		t.Error("the file tells its finder what happened")
	}
	if x.waiting() < waiting {
		t.Error("an export moved the outbox")
	}
	if _, err := c.Command(t.Context(), "990000-0003", wire.Command{Name: wire.CommandPause}, time.Hour, "test"); err != nil {
		t.Fatal(err)
	}
	ack, r := take(t, c, first)
	if r.Accepted == 0 || r.Duplicate != 0 || r.Blobs != 30 {
		t.Errorf("%+v", r)
	}
	again, r := take(t, c, first)
	if r.Accepted != 0 || r.Duplicate == 0 || r.Blobs != 0 {
		t.Errorf("the second time: %+v", r)
	}
	c.once(ids...)

	ids = append(ids, x.business(5)...) // business goes on between the export and its ack
	i := bring(t, x, ack)
	if i.Outdated || i.Blobs != 30 || i.Orders != 1 || i.Acked[wire.LaneTx] != 90 || len(i.Refused)+len(i.Rewound) != 0 {
		t.Errorf("%+v", i)
	}
	if i = bring(t, x, again); i.Acked[wire.LaneTx] != 0 || i.Orders != 0 {
		t.Errorf("the second time: %+v", i)
	}
	if o, err := x.Orders(); err != nil || len(o) != 1 {
		t.Errorf("%v %v", o, err)
	}
	second, _ := export(t, x)
	ack, r = take(t, c, second)
	if r.Duplicate != 0 || r.Blobs != 5 {
		t.Errorf("what was acknowledged was carried again: %+v", r)
	}
	take(t, c, first) // a file that lay in a drawer
	bring(t, x, ack)
	if lanes, _ := x.Lanes(); lanes[2].Waiting != 0 || x.epoch() != 1 {
		t.Errorf("%+v", lanes)
	}
	c.once(ids...)
}

// F28 without a line: a dead clock is lifted by the time that the platform signed into the answer, and stays unsure.
func TestAFileLiftsADeadClock(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	x.business(1)
	x.Opt.Now = func() time.Time { return time.Unix(100, 0) }
	x.Reopen()
	x.orders.Journal = x.Journal.Journal
	x.business(1)
	if !x.Certain().IsZero() {
		t.Errorf("certainly it has been %v", x.Certain())
	}
	file, _ := export(t, x)
	began := time.Now().Truncate(time.Millisecond)
	ack, _ := take(t, c, file)
	ended := time.Now()
	bring(t, x, ack)
	lifted := x.Certain()
	if lifted.Before(began) || lifted.After(ended) || !x.ClockUnsure() {
		t.Errorf("certainly it has been %v, signed between %v and %v; unsure %v", lifted, began, ended, x.ClockUnsure())
	}
	if x.Now().Before(began) {
		t.Errorf("written is %v", x.Now())
	}
	_, _ = take(t, c, file)
	bring(t, x, ack) // late and twice
	if !x.Certain().Equal(lifted) || !x.ClockUnsure() {
		t.Errorf("certainly it has been %v", x.Certain())
	}
}

// What does not fit goes into the next file.
func TestAnExportKeepsToItsSize(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	x.ink = 60 << 10
	ids := x.business(8)
	for files := 0; ; files++ {
		var out bytes.Buffer
		e, err := x.files().Export(&out, 200<<10, "shell", "fixed")
		if err != nil || out.Len() > 200<<10 {
			t.Fatal(out.Len(), err)
		}
		ack, _ := take(t, c, out.Bytes())
		bring(t, x, ack)
		if !e.More {
			if files == 0 {
				t.Error("all of it fitted: the test shows nothing")
			}
			break
		}
	}
	c.once(ids...)
}

func TestFilesThatAreNotRightAreRefused(t *testing.T) {
	c := newCity(t)
	x, y := newTerminal(t, c, "990000-0003"), newTerminal(t, c, "990000-0004")
	x.business(2)
	y.business(1)
	file, _ := export(t, x)
	ack, _ := take(t, c, file)
	other, _ := export(t, y)
	otherAck, _ := take(t, c, other)
	elsewhere := newCity(t)
	stranger := newTerminal(t, elsewhere, "990000-0003") // the same id in another city
	strange, _ := export(t, stranger)
	strangeAck, _ := take(t, elsewhere, strange)
	changed := func(b []byte, at int) []byte { b = slices.Clone(b); b[at] ^= 1; return b }

	before, _ := c.Received(t.Context())
	for what, f := range map[string]struct {
		file []byte
		says string
	}{
		"cut off":           {file[:len(file)/2], "cut off or damaged"},
		"changed":           {changed(file, len(file)/2), "changed on its way"},
		"something else":    {[]byte("PK\x03\x04 a picture of a cat"), "not a file of this protocol"},
		"empty":             {nil, "cut off or damaged"},
		"an ack file":       {ack, "expected batches"},
		"of another city":   {strange, "not written by terminal"},
		"terminal's number": {bytes.Replace(file, []byte("990000-0003"), []byte("990000-0004"), 1), "not written by terminal"},
		"nobody's":          {bytes.Replace(file, []byte("990000-0003"), []byte("990000-0009"), 1), "not enrolled here"},
	} {
		var out bytes.Buffer
		_, err := c.Import(t.Context(), bytes.NewReader(f.file), &out)
		if !errors.Is(err, platform.ErrFile) || !strings.Contains(err.Error(), f.says) || out.Len() > 0 {
			t.Errorf("platform, %s: %v", what, err)
		}
	}
	if after, _ := c.Received(t.Context()); after != before {
		t.Errorf("refused files changed %+v to %+v", before, after)
	}
	waiting := x.waiting()
	for what, f := range map[string]struct {
		file []byte
		says string
	}{
		"cut off":         {ack[:len(ack)-1], "cut off or damaged"},
		"changed":         {changed(ack, len(ack)-1), "changed on its way"},
		"batches":         {file, "expected acks"},
		"of another":      {otherAck, "it is for"},
		"of another city": {strangeAck, "changed on its way"},
		"forged high":     {bytes.Replace(ack, []byte(`"high":`), []byte(`"high":9`), 1), ""},
	} {
		if _, err := x.files().Import(t.Context(), bytes.NewReader(f.file), "t"); err == nil || !strings.Contains(err.Error(), f.says) {
			t.Errorf("terminal, %s: %v", what, err)
		}
	}
	if x.waiting() != waiting {
		t.Error("a refused ack file moved the outbox")
	}
}

// A disk that was restored from an old image is found out by files too.
func TestAForkIsFoundOutByFiles(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	ids := x.business(2)
	image := copyJournal(t, x)
	lost := x.business(1) // after the image was made
	file, _ := export(t, x)
	take(t, c, file) // and its ack never comes back
	x.restore(image)
	ids = append(ids, x.business(3)...)
	file, _ = export(t, x)
	ack, r := take(t, c, file)
	if !r.Fork {
		t.Errorf("%+v", r)
	}
	_, r = take(t, c, file) // twice, and still one epoch
	if i := bring(t, x, ack); i.Epoch != 2 || !r.Outdated {
		t.Errorf("%+v %+v", i, r)
	}
	file, _ = export(t, x)
	ack, r = take(t, c, file)
	if bring(t, x, ack); r.Fork || len(r.Gap) > 0 {
		t.Errorf("%+v", r)
	}
	if lanes, _ := x.Lanes(); lanes[2].Waiting != 0 {
		t.Errorf("%+v", lanes)
	}
	c.once(append(ids, lost...)...)
}

// A file may be the only copy of what it holds: the disk that wrote it was set back before the file came. When it comes at last,
// whatever came before it, nothing of it is lost, and it is told that histories parted.
func TestAFileOfADiskThatIsGoneIsNotLost(t *testing.T) {
	for name, c := range map[string]struct {
		round  bool // the disk that was put back has brought its answer home before the file comes
		before bool // the file comes before the new history
	}{
		"before the new history": {before: true},
		"in the same epoch":      {},
		"in an epoch since":      {round: true},
	} {
		t.Run(name, func(t *testing.T) {
			city := newCity(t)
			x := newTerminal(t, city, "990000-0003")
			ids := x.business(2)
			round := func() {
				t.Helper()
				file, _ := export(t, x)
				ack, _ := take(t, city, file)
				bring(t, x, ack)
			}
			round()
			image := copyJournal(t, x)
			ids = append(ids, x.business(2)...)
			drawer, _ := export(t, x)
			x.restore(image)
			if c.before {
				take(t, city, drawer)
			}
			ids = append(ids, x.business(3)...)
			file, _ := export(t, x)
			ack, _ := take(t, city, file)
			if c.round {
				bring(t, x, ack)
				round()
			}
			if !c.before {
				if _, r := take(t, city, drawer); r.Kept == 0 || r.Blobs != 2 {
					t.Errorf("the late file: %+v", r)
				}
			}
			city.once(ids...)
			for range 4 {
				round()
			}
			if lanes, err := x.Lanes(); err != nil || lanes[2].Waiting != 0 || lanes[2].Epoch < 2 {
				t.Errorf("%+v, %v", lanes, err)
			}
			city.once(ids...)
			if parted, forked := city.parted(); parted == 0 || c.before && forked == 0 {
				t.Errorf("%d events and %d lines tell that histories parted", parted, forked)
			}
			before, _ := city.parted()
			_, r := take(t, city, drawer)
			if after, _ := city.parted(); after != before || r.Accepted != 0 || r.Kept != 0 {
				t.Errorf("the same file once more: %d events, were %d; %+v", after, before, r)
			}
			sound(t, city)
		})
	}
}

// Two machines under one name, from one image, at a site without a line.
func TestTwoMachinesUnderOneNameBringTheirFilesInTurn(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	ids := x.business(2)
	round := func(x *terminal) {
		t.Helper()
		file, _ := export(t, x)
		ack, _ := take(t, c, file)
		bring(t, x, ack)
	}
	round(x)
	y := x.twin(t)
	for range 3 {
		for _, m := range []*terminal{x, y} {
			ids = append(ids, m.business(1)...)
			round(m)
			c.once(ids...) // at once, whatever epoch is ordered
		}
	}
	for range 3 {
		round(x)
		round(y)
	}
	c.once(ids...)
	if x.epoch() < 2 || y.epoch() < 2 {
		t.Errorf("epochs %d and %d", x.epoch(), y.epoch())
	}
	sound(t, c)
}

// A platform that was set back, and a disk that is gone before the platform asked: the last file is the only copy.
func TestAFileBehindAGapIsKept(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	lost := x.business(1)
	file, _ := export(t, x)
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	pictures := readTree(t, filepath.Join(c.dir, "blobs"))
	c.start()
	ack, _ := take(t, c, file)
	bring(t, x, ack)
	ids := x.business(2)
	file, _ = export(t, x)
	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	writeTree(t, filepath.Join(c.dir, "blobs"), pictures)
	c.start()
	ack, r := take(t, c, file)
	if len(r.Gap) == 0 || r.Kept == 0 {
		t.Errorf("%+v", r)
	}
	c.once(ids...)
	// The disk is there after all, and brings the rest.
	bring(t, x, ack)
	file, _ = export(t, x)
	if ack, r = take(t, c, file); len(r.Gap) > 0 || r.Fork {
		t.Errorf("%+v", r)
	}
	bring(t, x, ack)
	file, _ = export(t, x)
	take(t, c, file) // with the picture that was lost
	c.once(append(ids, lost...)...)
	sound(t, c)
}

// What is held of a case may be newer than what comes: the last word about it stays the last, in the order in which it was written.
func TestWhatComesLateDoesNotMoveACaseBack(t *testing.T) {
	for name, epochs := range map[string]bool{"in one epoch": false, "over epochs": true} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t)
			x := newTerminal(t, c, "990000-0003")
			c.stop()
			image := readTree(t, filepath.Join(c.dir, "platform.db"))
			c.start()
			var id string
			move := func(states ...journal.State) {
				t.Helper()
				err := x.Update(func(tx *journal.Tx) error {
					if id == "" {
						o, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Visit: "v"})
						if err != nil {
							return err
						}
						id = o.ID
					}
					for _, to := range states {
						if err := tx.SetState(id, to, "test"); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			is := func(when, want string) {
				t.Helper()
				all, err := c.Cases(t.Context(), 10)
				if err != nil || len(all) != 1 || all[0].State != want {
					t.Errorf("%s: %+v, want %s: %v", when, all, want, err)
				}
			}
			move(journal.Printing)
			file, _ := export(t, x)
			ack, _ := take(t, c, file)
			bring(t, x, ack)
			is("begun", "PRINTING")
			if epochs {
				if err := x.NewEpoch(2); err != nil {
					t.Fatal(err)
				}
			}
			move(journal.Printed, journal.Retained)
			file, _ = export(t, x)
			c.stop()
			writeTree(t, filepath.Join(c.dir, "platform.db"), image)
			c.start()
			ack, r := take(t, c, file)
			if r.Kept == 0 {
				t.Errorf("%+v", r)
			}
			is("the end came first", "RETAINED")
			for range 3 {
				bring(t, x, ack)
				file, _ = export(t, x)
				ack, _ = take(t, c, file)
				is("the beginning came behind it", "RETAINED")
			}
			all, err := c.Cases(t.Context(), 10)
			if err != nil || all[0].Times != 1 || all[0].ReceiptCode == "" {
				t.Errorf("%+v", all)
			}
		})
	}
}

// F27 in files: a platform that is set back with its pictures gets these again as well.
func TestPicturesThatThePlatformLostComeAgainInFiles(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	round := func() (i uplink.Imported) {
		t.Helper()
		file, _ := export(t, x)
		ack, _ := take(t, c, file)
		return bring(t, x, ack)
	}
	ids := x.business(1)
	round()
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	pictures := readTree(t, filepath.Join(c.dir, "blobs"))
	c.start()
	ids = append(ids, x.business(2)...)
	round()
	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	writeTree(t, filepath.Join(c.dir, "blobs"), pictures)
	c.start()
	ids = append(ids, x.business(1)...)
	if i := round(); len(i.Rewound) == 0 {
		t.Errorf("%+v", i)
	}
	if i := round(); i.Lacking != 2 || i.Blobs != 0 {
		t.Errorf("%+v", i)
	}
	if i := round(); i.Lacking != 0 || i.Blobs != 2 {
		t.Errorf("%+v", i)
	}
	c.once(ids...)
}

// An answer to a file that this disk never wrote is one to its former self.
func TestAnAnswerToAFileThatWasNeverWritten(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	x.business(1)
	image := copyJournal(t, x)
	x.business(1)
	file, _ := export(t, x)
	ack, _ := take(t, c, file)
	x.restore(image)
	waiting := x.waiting()
	i := bring(t, x, ack)
	if !i.Ahead || len(i.Refused) == 0 || i.Acked[wire.LaneTx] != 0 || x.waiting() < waiting {
		t.Errorf("%+v", i)
	}
}

// parted counts what was said of histories that parted: the platform's events, and lines of audit chains that have arrived.
func (c *city) parted() (events, forked int) {
	c.t.Helper()
	all, err := c.SecurityEvents(c.t.Context(), 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range all {
		if e.Event == platform.EventParted {
			events++
		}
	}
	_, forked, _ = c.told()
	return events, forked
}

// sound verifies the audit chains that the platform holds.
func sound(t testing.TB, c *city) {
	t.Helper()
	keys, err := platform.SigningKeys(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := platform.OpenSQLite(t.Context(), filepath.Join(c.dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	all, err := platform.VerifyAudit(t.Context(), store, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		for _, p := range a.Problems {
			t.Errorf("audit chain of %s: %s", a.Terminal, p)
		}
	}
}

// copyJournal is an image of the terminal's disk.
func copyJournal(t testing.TB, x *terminal) map[string][]byte {
	t.Helper()
	x.Reopen()
	x.orders.Journal = x.Journal.Journal
	return readTree(t, x.Path)
}

func (x *terminal) restore(image map[string][]byte) {
	x.t.Helper()
	if err := x.Close(); err != nil {
		x.t.Fatal(err)
	}
	writeTree(x.t, x.Path, image)
	opened, err := journal.Open(x.Path, x.Opt)
	if err != nil {
		x.t.Fatal(err)
	}
	x.Journal.Journal = opened
	x.orders.Journal = opened
}
