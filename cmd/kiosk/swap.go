package main

// Another board: what the old one's disk holds is carried to this one, so that nothing that the platform does not have yet is lost, and
// no two boards go on with one record.

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// swapCmd is `kiosk swap`.
type swapCmd struct {
	Config   string `short:"c" default:"/etc/budayang/terminal.toml"`
	From     string `arg:"" type:"path"`
	Operator string `required:""`
	Out      string `type:"path"`
	Yes      bool
	Leave    bool
}

// Names on both disks.
const (
	swappedSuffix = ".swapped" // of what a board may not go on with
	stagingSuffix = ".swap"    // of the data directory while it is copied
	swapNote      = "swap.json"
)

// swapped is what the note in a copied directory says.
type swapped struct {
	From     string    `json:"from"`
	At       time.Time `json:"at"`
	Operator string    `json:"operator"`
	Waiting  uint64    `json:"waiting"`
	Pictures uint64    `json:"pictures"`
	Left     bool      `json:"left,omitempty"` // the old disk was not written
}

// oldBoard is what was found on the old disk.
type oldBoard struct {
	cfg      config.Config // of the old directory
	waiting  uint64
	pictures uint64
	cases    int
	desk     int
	last     string // what its clock said
}

// Run looks at the old disk, asks, copies, verifies the copy, makes the old one unusable, and puts the copy into its place.
func (s swapCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(s.Config)
	if err != nil {
		return err
	}
	if !wire.Operator(s.Operator) {
		return refuse("swap.operator")
	}
	if s.Out != "" {
		return s.export(io, c)
	}
	staging := c.Terminal.Data + stagingSuffix
	if note, err := readNote(staging); err == nil && note.From == s.From { // it was cut off after the copy was verified
		io.tell("swap.again")
		return s.finish(io, c, staging)
	}
	if err := bare(c.Terminal.Data); err != nil {
		return err
	}
	old, err := s.look(ctx, c)
	if err != nil {
		return err
	}
	io.tell("swap.old", "id", c.Terminal.ID, "cases", old.cases, "desk", old.desk, "records", old.waiting, "pictures", old.pictures, "time", old.last)
	if !s.Yes {
		if err := s.agreed(io); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	n, err := copyTree(s.From, staging)
	if err != nil {
		return errors.Join(refuseBy(err, "swap.copy"), os.RemoveAll(staging))
	}
	io.tell("swap.copied", "bytes", n)
	if err := s.verify(ctx, old, staging); err != nil {
		return errors.Join(refuseBy(err, "swap.not-whole"), os.RemoveAll(staging))
	}
	io.tell("swap.whole")
	return s.finish(io, c, staging)
}

// agreed asks whether to go on.
func (s swapCmd) agreed(io stdio) error {
	fmt.Fprint(io.out, io.say("swap.ask"))
	var l string
	_, _ = fmt.Fscanln(io.in, &l)
	if l != "y" && l != "Y" {
		return refuse("swap.unchanged")
	}
	return nil
}

// bare says why this board cannot take a record over: it has one of its own.
func bare(dir string) error {
	for _, f := range []string{"journal.db", "journal.db" + journal.SpillSuffix, uplink.IdentityFile} {
		if there(filepath.Join(dir, f)) {
			return refuse("swap.not-bare", "file", filepath.Join(dir, f))
		}
	}
	return nil
}

// on is the configuration as if the old directory were this terminal's, with the key where it lies there.
func on(c config.Config, dir string) config.Config {
	c.Terminal.Data = dir
	c.Seal.Vault = config.VaultFile
	if !there(filepath.Join(dir, "journal.key")) && there(filepath.Join(dir, "journal.key.tpm")) {
		c.Seal.Vault = config.VaultTPM
	}
	return c
}

// look opens the old journal, which shows that nobody uses it, that its key can be had here and that it is sound.
func (s swapCmd) look(ctx context.Context, c config.Config) (old oldBoard, err error) {
	switch {
	case there(filepath.Join(s.From, "journal.db"+swappedSuffix)):
		return old, refuse("swap.carried", "dir", s.From)
	case !there(filepath.Join(s.From, "journal.db")):
		return old, refuse("swap.no-journal", "dir", s.From)
	case !there(filepath.Join(s.From, uplink.IdentityFile)):
		return old, refuse("swap.no-identity", "dir", s.From, "file", uplink.IdentityFile)
	}
	old.cfg = on(c, s.From)
	if _, err := uplink.LoadIdentity(s.From, c.Terminal.ID); err != nil {
		return old, err
	}
	j, err := journal.Open(journalPath(old.cfg), journalOptions(old.cfg))
	if err != nil {
		return old, howToOpen(err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := wholeRecord(ctx, j, old.cfg); err != nil {
		return old, refuseBy(err, "swap.mend-old")
	}
	return old, old.count(j)
}

// howToOpen says what to do about an old journal that does not open.
func howToOpen(err error) error {
	switch {
	case errors.Is(err, journal.ErrLocked):
		return refuseBy(err, "swap.stop")
	case errors.Is(err, journal.ErrDamaged):
		return refuseBy(err, "swap.recover")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return refuseBy(err, "swap.writable")
	}
	return refuseBy(err, "swap.key-lost")
}

// count says how much there is.
func (o *oldBoard) count(j *journal.Journal) error {
	g, err := j.Gauge()
	if err != nil {
		return err
	}
	o.waiting, o.pictures = g.Waiting, uint64(g.Pictures)
	all, err := j.Cases(func(journal.Case) bool { return true })
	if err != nil {
		return err
	}
	for _, k := range all {
		o.cases++
		if desk.Waits(k) {
			o.desk++
		}
	}
	o.last = j.Now().Local().Format(time.DateTime)
	return nil
}

// wholeRecord verifies a journal and its audit chain against what was signed.
func wholeRecord(ctx context.Context, j *journal.Journal, c config.Config) error {
	r, err := j.Verify(ctx)
	if err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return refuseBy(journal.ErrDamaged, "swap.findings", "count", len(r.Problems), "first", r.Problems[0])
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil {
		return err
	}
	a, err := auditor{j, id, witnessPath(c), slog.New(slog.DiscardHandler)}.verify(ctx)
	if err != nil {
		return err
	}
	if len(a.Problems) > 0 {
		return said{text: service.T("sh.audit.first", "count", strconv.Itoa(len(a.Problems))).With("first", chainFinding(a.Problems[0]))}
	}
	return nil
}

// verify opens the copy and writes into its audit chain that it goes on from here; then it is noted as good.
func (s swapCmd) verify(ctx context.Context, old oldBoard, staging string) error {
	c := on(old.cfg, staging)
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if err != nil {
		return err
	}
	err = wholeRecord(ctx, j, c)
	var now oldBoard
	if err == nil {
		err = now.count(j)
	}
	if err == nil && (now.waiting != old.waiting || now.pictures != old.pictures || now.cases != old.cases) {
		err = refuse("swap.counts", "cases", now.cases, "records", now.waiting, "pictures", now.pictures, "cases0", old.cases, "records0", old.waiting, "pictures0", old.pictures)
	}
	if err == nil {
		err = j.Update(func(tx *journal.Tx) error {
			return tx.Audit(journal.EventTerminalBoardSwapped, s.Operator, map[string]string{"records": strconv.FormatUint(old.waiting, 10), "pictures": strconv.FormatUint(old.pictures, 10), "old": s.fate()})
		})
	}
	if err == nil {
		var id *uplink.Identity
		if id, err = uplink.LoadIdentity(staging, c.Terminal.ID); err == nil {
			err = auditor{j, id, witnessPath(c), slog.New(slog.DiscardHandler)}.sign("stop")
		}
	}
	if err = errors.Join(err, j.Close()); err != nil {
		return err
	}
	return writeNote(staging, swapped{From: s.From, At: time.Now().UTC().Truncate(time.Second), Operator: s.Operator, Waiting: old.waiting, Pictures: old.pictures, Left: s.Leave})
}

// fate is what becomes of the old disk, as the audit chain says it.
func (s swapCmd) fate() string {
	if s.Leave {
		return "left"
	}
	return "disabled"
}

// finish makes the old disk unusable, then puts the copy into its place. It can be done again from any point.
func (s swapCmd) finish(io stdio, c config.Config, staging string) error {
	if !s.Leave {
		if err := disable(s.From); err != nil {
			return refuseBy(err, "swap.leave")
		}
	}
	if err := bare(c.Terminal.Data); err != nil {
		return err
	}
	// What a bare board's directory holds (an empty one, somebody's technicians) is kept beside it.
	if entries, err := os.ReadDir(c.Terminal.Data); err == nil {
		if len(entries) == 0 {
			err = os.Remove(c.Terminal.Data)
		} else {
			err = os.Rename(c.Terminal.Data, c.Terminal.Data+".before-"+time.Now().UTC().Format("20060102T150405"))
		}
		if err != nil {
			return err
		}
	}
	if err := os.Rename(staging, c.Terminal.Data); err != nil {
		return err
	}
	if err := syncDirectory(filepath.Dir(c.Terminal.Data)); err != nil {
		return err
	}
	f := flow{}
	f.draft.Config, f.provisionCmd.Config = c, s.Config
	f.handOver()
	io.tell("swap.done")
	now := on(c, c.Terminal.Data)
	switch {
	case c.Seal.Vault == config.VaultTPM && now.Seal.Vault == config.VaultFile:
		return keyMoveCmd{Config: s.Config}.Run(io)
	case c.Seal.Vault != now.Seal.Vault:
		io.tell("swap.key")
	}
	return nil
}

// disable takes journal and keys from a directory, so that its board begins as one that nobody knows.
func disable(dir string) error {
	for _, name := range []string{"journal.db", "journal.db" + journal.SpillSuffix, uplink.IdentityFile} {
		path := filepath.Join(dir, name)
		if !there(path) {
			continue
		}
		if err := os.Rename(path, path+swappedSuffix); err != nil {
			return err
		}
	}
	return syncDirectory(dir)
}

func readNote(dir string) (n swapped, err error) {
	b, err := os.ReadFile(filepath.Join(dir, swapNote))
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	return n, err
}

func writeNote(dir string, n swapped) error {
	b, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, swapNote), b)
}

// copyTree copies plain files and directories to a place that does not exist yet, each on disk and read back before the next. What is
// neither file nor directory is refused: a data directory has none.
func copyTree(from, to string) (bytes int64, err error) {
	size, err := treeSize(from)
	if err != nil {
		return 0, err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(to), &disk); err == nil {
		if free := int64(disk.Bavail) * disk.Bsize; free < size+diskFloorMiB<<20 {
			return 0, refuse("swap.space", "free", free>>20, "needed", size>>20+diskFloorMiB)
		}
	}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.Mkdir(target, 0o700)
		case !d.Type().IsRegular():
			return refuse("swap.odd", "file", path)
		}
		n, err := copyFile(path, target)
		bytes += n
		return err
	})
	if err != nil {
		return bytes, err
	}
	return bytes, filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = syncDirectory(path)
		}
		return err
	})
}

func treeSize(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	})
	return n, err
}

// copyFile copies one file, closed to others, and compares what the disk gives back.
func copyFile(from, to string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	wrote, read := sha256.New(), sha256.New()
	if n, err = io.Copy(io.MultiWriter(out, wrote), in); err != nil {
		return n, err
	}
	if err := out.Sync(); err != nil {
		return n, err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return n, err
	}
	if _, err := io.Copy(read, out); err != nil {
		return n, err
	}
	if string(wrote.Sum(nil)) != string(read.Sum(nil)) {
		return n, refuse("swap.disk", "file", to)
	}
	return n, nil
}

// export brings what waits on the old disk to the platform in a file, where this board has a record of its own.
func (s swapCmd) export(io stdio, c config.Config) (err error) {
	if there(filepath.Join(s.From, "journal.db"+swappedSuffix)) {
		return refuse("swap.carried", "dir", s.From)
	}
	old := on(c, s.From)
	if there(filepath.Join(c.Terminal.Data, uplink.IdentityFile)) {
		io.tell("swap.own-keys")
		return outboxSalvage(io, journalPath(old), s.Out)
	}
	j, err := openStopped(old)
	if errors.Is(err, journal.ErrDamaged) {
		return howToOpen(err)
	}
	if err != nil && there(journalPath(old)) && !errors.Is(err, journal.ErrLocked) {
		fmt.Fprintln(io.out, io.word(service.T("sh.swap.old-key").With("why", faultOf(err))))
		return outboxSalvage(io, journalPath(old), s.Out)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	id, err := uplink.LoadIdentity(s.From, c.Terminal.ID)
	if err != nil {
		return err
	}
	medium := "fixed"
	if removable(filepath.Dir(s.Out)) {
		medium = "removable"
	}
	f, err := os.OpenFile(s.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	x, err := uplink.Files{Journal: j, Identity: id, Software: "budayang " + version, Orders: &uplink.Orders{Journal: j, Now: j.Now}}.Export(f, maxExport, s.Operator, medium)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(s.Out))
	}
	n := 0
	for _, r := range x.Records {
		n += r
	}
	io.tell("swap.exported", "no", x.No, "records", n, "pictures", x.Blobs)
	if x.More {
		io.tell("swap.more")
	}
	return nil
}
