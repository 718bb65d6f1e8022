//go:build !release

package main

// The doctor before planted faults: each is a real cause on a machine that was sound before, and is found with its remedy by
// the program itself, within ten seconds.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// ward is a stopped, enrolled terminal in its world, with a dispenser of 20 cards.
type ward struct {
	*hall
	file  string
	cards *sim.CardDispenser

	tunnels atomic.Int32 // through the proxy
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{hall: newHall(t)}
	w.file = filepath.Join(w.dir, "world", "terminal.toml")
	d, err := sim.StartCardDispenser(sim.DispenserOptions{Family: "k720", Cards: 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	w.cards = d
	w.swap("\n[device.card-dispenser]\ndriver = \"card\"\nuri = \""+w.Cards.URI()+"\"\nprofile = \"crt-591\"\n",
		"\n[device.card-dispenser]\ndriver = \"card\"\nuri = \""+d.URI()+"\"\nprofile = \"k720\"\n")
	w.reload()
	id := w.identity()
	client, err := uplink.NewClient(w.cfg.Platform.URL, w.cfg.Platform.CA, id)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	code, err := readCode(w.cfg.Platform.CodeFile)
	if err == nil {
		err = client.Enroll(t.Context(), "示例区市民之家", "03 号终端", code)
	}
	if err == nil {
		err = os.Remove(w.cfg.Platform.CodeFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.record(time.Now, func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Person: "李*雯", Last4: "1234"})
		if err != nil {
			return err
		}
		if err := tx.SetState(c.ID, journal.Closed, ""); err != nil {
			return err
		}
		if _, err = tx.LoadStock(stockCard, 20, "op.test"); err != nil {
			return err
		}
		_, err = tx.LoadStock(journal.StockRibbon, 250, "op.test")
		return err
	})
	return w
}

func (w *ward) reload() {
	w.t.Helper()
	c, err := config.Load(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cfg = c
}

func (w *ward) identity() *uplink.Identity {
	w.t.Helper()
	id, err := uplink.LoadIdentity(w.cfg.Terminal.Data, w.cfg.Terminal.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// record changes the journal as the terminal does, and signs its chain.
func (w *ward) record(now func() time.Time, do func(*journal.Tx) error) {
	w.t.Helper()
	w.inJournal(now, func(j *journal.Journal) error { return j.Update(do) })
}

func (w *ward) inJournal(now func() time.Time, do func(*journal.Journal) error) {
	w.t.Helper()
	opt := journalOptions(w.cfg)
	opt.Now = now
	j, err := journal.Open(journalPath(w.cfg), opt)
	if err == nil {
		err = do(j)
	}
	if err == nil {
		err = auditor{j, w.identity(), witnessPath(w.cfg), slog.New(slog.DiscardHandler)}.sign("stop")
	}
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) data(name string) string { return filepath.Join(w.cfg.Terminal.Data, name) }

func (w *ward) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) append(text string) {
	w.t.Helper()
	b, err := os.ReadFile(w.file)
	w.must(err)
	w.must(os.WriteFile(w.file, append(b, text...), 0o600))
}

// swap replaces text in the configuration.
func (w *ward) swap(old, is string) {
	w.t.Helper()
	b, err := os.ReadFile(w.file)
	w.must(err)
	if !bytes.Contains(b, []byte(old)) {
		w.t.Fatalf("no %q in the configuration", old)
	}
	w.must(os.WriteFile(w.file, bytes.Replace(b, []byte(old), []byte(is), 1), 0o600))
}

// edit changes one value of the stopped journal's database behind its back.
func (w *ward) edit(change func(*bolt.Tx) error) {
	w.t.Helper()
	db, err := bolt.Open(journalPath(w.cfg), 0o600, nil)
	w.must(err)
	w.must(db.Update(change))
	w.must(db.Close())
}

func (w *ward) root() {
	w.t.Helper()
	if os.Getuid() != 0 {
		w.t.Skip("needs root")
	}
}

// city is something that listens in the platform's place, with a certificate of its own that the terminal trusts.
func (w *ward) city(from, until time.Time, date func() time.Time) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	make := func(tmpl, parent *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, key)
		w.must(err)
		return der
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: from, NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := make(ca, ca)
	leaf := make(&x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Date", date().UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(rw, "ok")
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	w.must(os.WriteFile(w.cfg.Platform.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o644))
	w.swap(w.cfg.Platform.URL, s.URL)
}

// proxied puts a proxy into the configuration.
func (w *ward) proxied(address string) {
	w.swap("ca = \"ca.pem\"", "ca = \"ca.pem\"\nproxy = \""+address+"\"")
}

// tunnel is an HTTP proxy that lets through, or does not.
func (w *ward) tunnel(open bool) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || !open {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(rw, "no", http.StatusBadGateway)
			return
		}
		w.tunnels.Add(1)
		here, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
	}))
	w.t.Cleanup(s.Close)
	return s
}

// Everything goes through the proxy, and TLS is the platform's own.
func TestThroughAProxy(t *testing.T) {
	w := newWard(t)
	w.proxied(w.tunnel(true).URL)
	w.reload()
	all, _ := w.doctor(nil, 0)
	let := false
	for _, f := range all {
		if f.Grade == gradeBad && strings.Contains(f.What, "platform") {
			t.Errorf("%+v", f)
		}
		let = let || f.What == "the platform lets this terminal in"
	}
	if n := w.tunnels.Load(); !let || n < 2 {
		t.Errorf("let in %v, %d tunnels", let, n)
	}
}

// fault is one planted cause.
type fault struct {
	name  string
	plant func(w *ward)
	env   []string
	as    uint32 // the user that looks; 0 is whoever runs the test
	what  string // in the finding
	mend  string // in its remedy
}

var doctorFaults = []fault{
	{name: "a key is misspelt", plant: func(w *ward) { w.swap("language =", "langage =") }, what: "terminal.toml", mend: "correct the file at the place named"},
	{name: "the configuration can be changed by anybody", plant: func(w *ward) { w.must(os.Chmod(w.file, 0o666)) }, what: "can be changed by anybody", mend: "chmod o-w"},
	{name: "the data directory is missing", plant: func(w *ward) { w.swap(`data = "terminal"`, `data = "gone"`) }, what: "does not exist", mend: "mkdir -p"},
	{name: "the data directory can be read by others", plant: func(w *ward) { w.must(os.Chmod(w.cfg.Terminal.Data, 0o755)) }, what: "can be read by others (mode 0755)", mend: "chmod 700"},
	{name: "the disk is nearly full", plant: func(w *ward) { w.onMemory("size=40m") }, what: "MiB free for", mend: "free space on this disk"},
	{name: "the data directory lies in memory", plant: func(w *ward) { w.onMemory("size=2g") }, what: "lies in memory", mend: "mount a disk there"},
	{name: "a file belongs to root", plant: func(w *ward) { w.root(); w.must(os.Chown(w.data("journal.db"), 65534, 65534)) }, what: "does not belong to the owner", mend: "chown -R"},
	{name: "the key file can be read by others", plant: func(w *ward) { w.must(os.Chmod(w.data("journal.key"), 0o640)) }, what: "journal.key can be read by others", mend: "chmod 600"},
	{name: "the key is another journal's", plant: func(w *ward) { w.must(os.WriteFile(w.data("journal.key"), bytes.Repeat([]byte{7}, 32), 0o600)) }, what: "journal key does not fit", mend: "put the key that belongs to this journal back"},
	{name: "the journal is damaged", plant: func(w *ward) { w.scribble(w.data("journal.db")) }, what: "journal is damaged", mend: "kiosk outbox recover"},
	{name: "the journal is gone and its spill is there", plant: func(w *ward) { w.must(os.Remove(w.data("journal.db"))) }, what: "it is gone", mend: "kiosk outbox recover"},
	{name: "the spill is missing", plant: func(w *ward) { w.must(os.Remove(w.data("journal.db.spill"))) }, what: "spill was missing", mend: "find out who deleted it"},
	{name: "a line of the audit chain was edited", plant: func(w *ward) { w.edit(editAudit) }, what: "lane audit: chain breaks", mend: "do not delete anything"},
	{name: "the audit chain was cut", plant: func(w *ward) { w.olderCopy() }, what: "audit chain: ", mend: "keep the data directory as it is"},
	{name: "the stock contradicts itself", plant: func(w *ward) { w.edit(editStock) }, what: "counted stock contradicts itself", mend: "kiosk stock count"},
	{name: "cards are in the hopper and none in the ledger", plant: func(w *ward) {
		w.record(time.Now, func(tx *journal.Tx) error { _, err := tx.CountStock(stockCard, 0, "op.test"); return err })
	}, what: "none by the ledger", mend: "count the cards in the hopper"},
	{name: "a count of blanks was off", plant: func(w *ward) {
		w.inJournal(time.Now, func(j *journal.Journal) error {
			_, err := service.CountStock(j, stockCard, 18, "op.test", nil)
			return err
		})
	}, what: "op.test counted 18 of card", mend: "kiosk stock clear WHY --kind card"},
	{name: "the bin for cards that nobody took is full", plant: func(w *ward) { w.must(w.cards.Fault("bin-full", "")) }, what: "nobody took is full", mend: "empty the retain bin"},
	{name: "the printer has less ribbon than the ledger", plant: func(w *ward) {
		w.record(time.Now, func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockRibbon, 300, "op.test"); return err })
	}, what: "300 faces of ribbon by the ledger, 250 by the printer", mend: "kiosk stock count N --kind ribbon"},
	{name: "the slip of a shift was not printed", plant: func(w *ward) {
		w.record(time.Now, func(tx *journal.Tx) error { _, err := tx.EndShift("op.test", desk.Waits); return err })
	}, what: "the slip of shift 1 was not printed", mend: "kiosk stock slip"},
	{name: "a blank is in doubt", plant: func(w *ward) { w.record(time.Now, reserve); w.lose() }, what: "1 blank cards are in doubt", mend: "kiosk stock resolve"},
	{name: "a case waits for a person", plant: func(w *ward) { w.record(time.Now, unknownPrint) }, what: "1 cases wait", mend: "kiosk desk list"},
	{name: "the clock went back", plant: func(w *ward) {
		w.record(func() time.Time { return time.Now().AddDate(1, 0, 0) }, func(tx *journal.Tx) error { return tx.SetMeta("test", []byte("x")) })
	}, what: "clock contradicts what was written", mend: "battery"},
	{name: "not enrolled", plant: func(w *ward) { w.must(os.Remove(w.data(uplink.IdentityFile))) }, what: "not enrolled", mend: "kiosk enroll"},
	{name: "the terminal's certificate is over", plant: func(w *ward) { w.oldCertificate() }, what: "certificate ended", mend: "renews itself"},
	{name: "the platform put the terminal out", plant: func(w *ward) {
		w.must(w.Platform.Revoke(w.t.Context(), w.cfg.Terminal.ID, platform.Operator{Who: "test"}))
	}, what: "does not let this terminal in", mend: "it was put out"},
	{name: "a one-time code was left", plant: func(w *ward) { w.must(os.WriteFile(w.cfg.Platform.CodeFile, []byte("x"), 0o600)) }, what: "one-time code still lies", mend: "rm "},
	{name: "no authority", plant: func(w *ward) { w.must(os.Remove(w.cfg.Platform.CA)) }, what: "no such file", mend: "platform ca prints it"},
	{name: "another platform's authority", plant: func(w *ward) { w.otherAuthority() }, what: "unknown authority", mend: "not the authority of this platform"},
	{name: "the platform's name is unknown", plant: func(w *ward) { w.swap("https://127.0.0.1", "https://platform.invalid") }, what: "name of the platform", mend: "name server"},
	{name: "the platform cannot be reached", plant: func(w *ward) { w.Link.Cut() }, what: "platform 127.0.0.1", mend: "look at cable, network"},
	{name: "the proxy does not run", plant: func(w *ward) { w.proxied("http://127.0.0.1:1") }, what: "proxy http://127.0.0.1:1", mend: "look at platform.proxy"},
	{name: "the proxy lets nothing through", plant: func(w *ward) { w.proxied(w.tunnel(false).URL) }, what: "platform 127.0.0.1", mend: "the proxy refuses"},
	{name: "the platform's certificate is over", plant: func(w *ward) { w.city(time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -3), time.Now) }, what: "certificate has expired", mend: "look at the clock first"},
	{name: "the clock is an hour off", plant: func(w *ward) {
		w.city(time.Now().AddDate(0, 0, -1), time.Now().AddDate(1, 0, 0), func() time.Time { return time.Now().Add(time.Hour) })
	}, what: "off the platform's", mend: "set the clock"},
	{name: "a device is not plugged in", plant: func(w *ward) { w.swap(w.Props.Reader.URI(), "serial:/dev/serial/by-id/none?baud=115200") }, what: "id-reader", mend: "plug it in"},
	{name: "a port is no serial port", plant: func(w *ward) { w.swap(w.Props.Reader.URI(), "serial:/dev/null?baud=115200") }, what: "is not a serial port", mend: "no serial port"},
	{name: "a port may not be opened", plant: func(w *ward) { w.giveTo(65534) }, as: 65534, what: "permission denied", mend: "dialout"},
	{name: "a reader is another than the one commissioned", plant: func(w *ward) { w.swap("driver = \"sam\"", "driver = \"sam\"\nserial = \"0501-20990101-1\"") }, what: "commissioned was 0501-20990101-1", mend: "as they were commissioned"},
	{name: "two roles at one port", plant: func(w *ward) {
		w.append("\n[device.ups]\ndriver = \"megatec\"\nuri = \"" + w.Props.Reader.URI() + "\"\n")
	}, what: "at the same port", mend: "kiosk devices list"},
	{name: "the reader does not answer", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceIDReader, "silent", "")) }, what: "id-reader", mend: "switch it on"},
	{name: "the reader's security module failed", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceIDReader, "self-test-failed", "")) }, what: "id-reader", mend: "the device itself says"},
	{name: "paper is low", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceReceiptPrinter, "paper-near-end", "")) }, what: "paper low", mend: "put paper"},
	{name: "paper is out", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceDocumentPrinter, "media-empty", "")) }, what: "paper-out", mend: "put paper in"},
	{name: "a cover is open", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceReceiptPrinter, "cover-open", "")) }, what: "cover-open", mend: "close the cover"},
	{name: "paper is stuck", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceDocumentPrinter, "media-jam", "")) }, what: "jammed", mend: "take the paper out"},
	{name: "the toner is low", plant: func(w *ward) { w.must(w.Props.Fault(sim.DeviceDocumentPrinter, "toner-low", "")) }, what: "toner low", mend: "bring toner"},
	{name: "the photo decoder is not installed", plant: func(w *ward) { w.swap("driver = \"sam\"", "driver = \"sam\"\nphoto_helper = [\"no-such-decoder\"]") }, what: "no-such-decoder", mend: "install the reader's photo decoder"},
	{name: "a printer's profile does not exist", plant: func(w *ward) { w.swap("cashino-kp628e", "no-such-head") }, what: "receipt-printer", mend: "device.receipt-printer.profile"},
	{name: "a release of items is spoiled", plant: func(w *ward) {
		w.must(os.MkdirAll(w.data("items/7"), 0o700))
		w.must(os.WriteFile(w.data("items/7/SB-P.yaml"), []byte("code: ["), 0o600))
		w.must(os.WriteFile(w.data("items/current"), []byte(`{"now":7}`), 0o600))
	}, what: "release 7 does not load", mend: "send the items anew"},
	{name: "the platform's configuration cannot be used", plant: func(w *ward) {
		w.must(os.MkdirAll(w.data("config"), 0o700))
		w.must(os.WriteFile(w.data("config/4.toml"), []byte("[terminal"), 0o600))
		w.must(os.WriteFile(w.data("config/state.json"), []byte(`{"now":4,"good":4}`), 0o600))
	}, what: "configuration 4 of the platform cannot be used", mend: "send it anew"},
	{name: "no X server", env: []string{"DISPLAY=:4711"}, what: "no X server answers at display :4711", mend: "budayang-x"},
	{name: "another time zone", env: []string{"TZ=Europe/Berlin"}, what: "time zone is CE", mend: "timedatectl set-timezone"},
	{name: "systemd ended the program as stuck", plant: func(w *ward) {
		_, err := livesOf(w.cfg).begin()
		w.must(err)
		w.must(os.WriteFile(w.data("last-result"), []byte("watchdog killed\n"), 0o600))
	}, what: "ended by watchdog", mend: "journalctl -u budayang"},
	{name: "ModemManager runs", plant: func(w *ward) { w.running("ModemManager") }, what: "ModemManager runs", mend: "apt purge modemmanager"},
}

// onMemory puts the data directory on a file system in memory.
func (w *ward) onMemory(opt string) {
	w.t.Helper()
	w.root()
	dir := w.cfg.Terminal.Data
	w.must(os.Rename(dir, dir+".was"))
	w.must(os.Mkdir(dir, 0o700))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, opt+",mode=0700"); err != nil {
		w.t.Skipf("no file system can be mounted here: %v", err)
	}
	w.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	for _, f := range []string{"journal.db", "journal.db.spill", "journal.key", "audit.head", uplink.IdentityFile} {
		b, err := os.ReadFile(filepath.Join(dir+".was", f))
		w.must(err)
		w.must(os.WriteFile(filepath.Join(dir, f), b, 0o600))
	}
}

// scribble spoils the middle of a file.
func (w *ward) scribble(path string) {
	w.t.Helper()
	b, err := os.ReadFile(path)
	w.must(err)
	for i := 8192; i < len(b); i += 512 {
		b[i] ^= 0xA5
	}
	w.must(os.WriteFile(path, b, 0o600))
}

// editAudit moves an entry of the audit chain by an hour and leaves all sums right that need no key.
func editAudit(tx *bolt.Tx) error {
	b := tx.Bucket([]byte("records")).Bucket([]byte("audit"))
	k, v := b.Cursor().First()
	const sum = 5 // a mark and a CRC, which may hold any byte
	var rec map[string]any
	if err := json.Unmarshal(v[sum:], &rec); err != nil {
		return err
	}
	rec["wall"] = "2026-01-01T08:00:00Z"
	out, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return b.Put(bytes.Clone(k), out)
}

// editStock takes a card out of the ledger and leaves the rest.
func editStock(tx *bolt.Tx) error {
	b, key := tx.Bucket([]byte("meta")), []byte("stock/total/"+stockCard)
	var sum wire.StockBalance
	if err := json.Unmarshal(b.Get(key), &sum); err != nil {
		return err
	}
	sum.Remaining--
	out, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	return b.Put(key, out)
}

// olderCopy puts the database and spill of an hour before back.
func (w *ward) olderCopy() {
	w.t.Helper()
	files := []string{w.data("journal.db"), w.data("journal.db.spill")}
	var was [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		w.must(err)
		was = append(was, b)
	}
	w.record(time.Now, func(tx *journal.Tx) error { return tx.Audit(journal.EventCardLeft, wire.WhoCitizen, nil) })
	for i, f := range files {
		w.must(os.WriteFile(f, was[i], 0o600))
	}
}

// lose draws the blank that was reserved, and nobody sees where it went.
func (w *ward) lose() {
	w.t.Helper()
	j, err := journal.Open(journalPath(w.cfg), journalOptions(w.cfg))
	w.must(err)
	all, err := j.Blanks(nil)
	w.must(err)
	w.must(j.Close())
	w.record(time.Now, func(tx *journal.Tx) error {
		if _, err := tx.MoveBlank(stockCard, all[0].ID, wire.BlankDrawn, journal.BlankMove{}); err != nil {
			return err
		}
		_, err := tx.DoubtStock()
		return err
	})
}

func reserve(tx *journal.Tx) error {
	c, err := tx.OpenCase(journal.NewCase{Item: "TID"})
	if err != nil {
		return err
	}
	return tx.ReserveStock(c.ID, map[string]int{stockCard: 1}, time.Now().Add(time.Hour))
}

func unknownPrint(tx *journal.Tx) error {
	c, err := tx.OpenCase(journal.NewCase{Item: "SB-P"})
	if err != nil {
		return err
	}
	if err := tx.SetState(c.ID, journal.Printing, ""); err != nil {
		return err
	}
	return tx.SetState(c.ID, journal.PrintUnknown, "test")
}

// oldCertificate puts a certificate of last year into the identity.
func (w *ward) oldCertificate() {
	w.t.Helper()
	path := w.data(uplink.IdentityFile)
	b, err := os.ReadFile(path)
	w.must(err)
	var f map[string]any
	w.must(json.Unmarshal(b, &f))
	var raw struct{ Key []byte }
	w.must(json.Unmarshal(b, &raw))
	key, err := x509.ParsePKCS8PrivateKey(raw.Key)
	w.must(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: w.cfg.Terminal.ID}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(0, -1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.(*ecdsa.PrivateKey).PublicKey, key)
	w.must(err)
	f["certificate"] = der
	b, err = json.Marshal(f)
	w.must(err)
	w.must(os.WriteFile(path, b, 0o600))
}

// otherAuthority puts another authority's certificate where the platform's should be.
func (w *ward) otherAuthority() {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another city"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	w.must(err)
	w.must(os.WriteFile(w.cfg.Platform.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
}

// giveTo makes everything another user's but the devices' ports.
func (w *ward) giveTo(uid int) {
	w.t.Helper()
	w.root()
	w.must(filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	}))
	for d := w.dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		w.must(os.Chmod(d, 0o755))
	}
	w.must(os.Chmod(w.cfg.Terminal.Data, 0o700))
	port, _, _ := strings.Cut(strings.TrimPrefix(w.Props.Reader.URI(), "serial:"), "?")
	w.must(os.Chmod(port, 0o600))
}

// running starts a program under another's name until the test ends.
func (w *ward) running(name string) {
	w.t.Helper()
	sleep, err := exec.LookPath("sleep")
	w.must(err)
	b, err := os.ReadFile(sleep)
	w.must(err)
	path := filepath.Join(w.t.TempDir(), name)
	w.must(os.WriteFile(path, b, 0o755))
	c := exec.Command(path, "60")
	w.must(c.Start())
	w.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	w.until(name, 5*time.Second, func() bool { return process("/", name) == c.Process.Pid })
}

// doctor runs the program as its user would.
func (w *ward) doctor(env []string, as uint32) (all []toldFinding, took time.Duration) {
	w.t.Helper()
	self, err := os.Executable()
	w.must(err)
	// testscript runs the command by the name under which this binary is called.
	dir := w.t.TempDir()
	kiosk := filepath.Join(dir, "kiosk")
	if as == 0 {
		w.must(os.Symlink(self, kiosk))
	} else {
		b, err := os.ReadFile(self)
		w.must(err)
		w.must(os.WriteFile(kiosk, b, 0o755))
	}
	c := exec.Command(kiosk, "doctor", "--json", "--config", w.file)
	c.Dir = w.dir
	c.Env = append(os.Environ(), "DISPLAY=", "TZ=Asia/Shanghai")
	c.Env = append(c.Env, env...)
	if as != 0 {
		w.must(os.Chmod(filepath.Dir(dir), 0o755))
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as, Gid: as, NoSetGroups: true}}
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	began := time.Now()
	out, err := c.Output()
	took = time.Since(began)
	if jerr := json.Unmarshal(out, &all); jerr != nil {
		w.t.Fatalf("%v, %v: %s%s", err, jerr, out, errs.String())
	}
	return all, took
}

func TestDoctorFindsPlantedFaults(t *testing.T) {
	t.Run("nothing", func(t *testing.T) {
		w := newWard(t)
		all, took := w.doctor(nil, 0)
		for _, f := range all {
			if f.Grade == gradeBad && !strings.Contains(f.What, "ModemManager") && !strings.Contains(f.What, "lies in memory") {
				t.Errorf("a sound terminal: %+v", f)
			}
			for _, x := range doctorFaults {
				if f.Grade != gradeOK && x.hit(f) && x.name != "ModemManager runs" && x.name != "the data directory lies in memory" && x.name != "the disk is nearly full" {
					t.Errorf("%q is found where it was not planted: %+v", x.name, f)
				}
			}
		}
		t.Logf("%d findings in %v", len(all), took)
	})
	for _, x := range doctorFaults {
		t.Run(x.name, func(t *testing.T) {
			w := newWard(t)
			if x.plant != nil {
				x.plant(w)
			}
			all, took := w.doctor(x.env, x.as)
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			for _, f := range all {
				if f.Grade != gradeOK && f.Mend == "" {
					t.Errorf("no remedy: %+v", f)
				}
				if x.hit(f) {
					return
				}
			}
			t.Errorf("not found in %d findings", len(all))
			for _, f := range all {
				t.Logf("%-5s %s → %s", f.Grade, f.What, f.Mend)
			}
		})
	}
}

// A Chinese technician reads Chinese, but for commands, keys, paths, and what a device or a site is called.
func TestDoctorInChinese(t *testing.T) {
	for _, x := range doctorFaults {
		switch x.name {
		case "a key is misspelt", "the key is another journal's", "the journal is damaged", "the platform cannot be reached", "another platform's authority", "the clock is an hour off",
			"a device is not plugged in", "a port is no serial port", "paper is out", "paper is stuck", "the reader's security module failed", "the reader does not answer", "a blank is in doubt",
			"the proxy lets nothing through", "the platform's name is unknown", "a printer's profile does not exist", "the photo decoder is not installed":
		default:
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			w := newWard(t)
			x.plant(w)
			found := false
			for _, f := range examine(t.Context(), w.file) {
				if f.Grade == gradeOK {
					continue
				}
				found = found || x.hit(toldFinding{f.Grade, f.What.ID, english(f.What), english(f.Mend)})
				for _, text := range []service.Text{f.What, f.Mend} {
					zh := lexicon().Say("zh", text)
					for _, v := range valuesIn(text) {
						zh = strings.ReplaceAll(zh, v, "")
					}
					if left := latin.ReplaceAllString(zh, ""); regexp.MustCompile(`[A-Za-z{]`).MatchString(left) {
						t.Errorf("%s: %q, of which %q is English", text.ID, lexicon().Say("zh", text), left)
					}
				}
			}
			if !found {
				t.Error("not found")
			}
		})
	}
}

// valuesIn are the names and numbers that a text carries, the longest first; an error's English words are none.
func valuesIn(t service.Text) (all []string) {
	for name, v := range t.Args {
		if name != "words" && name != "word" && name != "reasons" && strings.TrimSpace(v) != "" {
			all = append(all, strings.TrimSpace(v))
		}
	}
	for _, part := range t.Parts {
		all = append(all, valuesIn(part)...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

func (x fault) hit(f toldFinding) bool {
	return f.Grade != gradeOK && strings.Contains(f.What, x.what) && strings.Contains(f.Mend, x.mend)
}

func TestDoctorOnTheMachine(t *testing.T) {
	write := func(root, path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sound := func(t *testing.T) machine {
		root := t.TempDir()
		write(root, "sys/class/watchdog/watchdog0/state", "active\n")
		write(root, "proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n")
		write(root, "proc/7/comm", "systemd\n")
		return machine{root, func() (string, int) { return "CST", chinaOffset }, func() (bool, error) { return true, nil }}
	}
	c := config.Config{Terminal: config.Terminal{Data: t.TempDir()}}
	for _, f := range checkMachine(c, sound(t)) {
		if f.Grade != gradeOK {
			t.Errorf("a sound machine: %+v", f)
		}
	}
	for name, x := range map[string]struct {
		plant      func(*machine)
		what, mend string
	}{
		"no watchdog":        {func(m *machine) { _ = os.RemoveAll(filepath.Join(m.root, "sys")) }, "no hardware watchdog", "firmware"},
		"idle watchdog":      {func(m *machine) { write(m.root, "sys/class/watchdog/watchdog0/state", "inactive\n") }, "nobody pets it", "RuntimeWatchdogSec"},
		"unset clock":        {func(m *machine) { m.sync = func() (bool, error) { return false, nil } }, "nothing sets this machine's clock", "set-ntp"},
		"zone":               {func(m *machine) { m.zone = func() (string, int) { return "UTC", 0 } }, "time zone is UTC", "Asia/Shanghai"},
		"little memory":      {func(m *machine) { write(m.root, "proc/meminfo", "MemAvailable: 100000 kB\n") }, "97 MiB of memory", "ps aux"},
		"modem manager":      {func(m *machine) { write(m.root, "proc/99/comm", "ModemManager\n") }, "process 99", "apt purge"},
		"memory not told of": {func(m *machine) { write(m.root, "proc/meminfo", "MemAvailable: many\n") }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := sound(t)
			x.plant(&m)
			for _, f := range checkMachine(c, m) {
				if x.what == "" && f.Grade != gradeOK {
					t.Errorf("%+v", f)
				}
				if x.what != "" && f.Grade != gradeOK && strings.Contains(english(f.What), x.what) && strings.Contains(english(f.Mend), x.mend) {
					return
				}
			}
			if x.what != "" {
				t.Error("not found")
			}
		})
	}
}

// A part that hangs is named, and the rest is said all the same.
func TestDoctorDoesNotWaitForEver(t *testing.T) {
	w := newWard(t)
	w.must(w.Props.Fault(sim.DeviceDocumentPrinter, "silent", ""))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	all := examine(ctx, w.file)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	for _, f := range all {
		if f.Grade == gradeBad && strings.Contains(english(f.What), "document-printer") && !f.Mend.IsZero() {
			return
		}
	}
	t.Errorf("%+v", all)
}
