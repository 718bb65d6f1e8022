package sim

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func quickBench(t *testing.T) *Bench {
	t.Helper()
	b, err := StartBench(BenchOptions{Dir: t.TempDir(), Out: t.TempDir(), Reader: ReaderOptions{Find: -1, Select: -1, Read: -1},
		Receipt: ReceiptOptions{Speed: -1}, Document: DocumentOptions{PageTime: -1}})
	must(t, err)
	return b
}

func TestTheBenchIsSteeredFromElsewhere(t *testing.T) {
	b := quickBench(t)
	defer b.Close()
	c, err := Dial(b.Socket())
	must(t, err)
	defer c.Close()
	if cards := c.Cards(); len(cards) != 9 || cards[0] != "王建国" {
		t.Errorf("cards %v", cards)
	}
	must(t, c.PutCard("李晓雯"))
	must(t, c.Fault(DeviceReceiptPrinter, "paper-out", ""))
	must(t, c.Fault(DeviceDocumentPrinter, "media-jam", ""))
	s, err := c.State()
	must(t, err)
	if s.Reader.Card != "李晓雯" || !s.Receipt.Stopped || !s.Document.Stopped || s.Receipt.URI != b.Receipt.URI() {
		t.Errorf("%+v", s)
	}
	must(t, c.TakeCard())
	must(t, c.ClearFault(DeviceReceiptPrinter, "paper-out"))
	must(t, c.Clear(""))
	w := dial(t, s.Receipt.URI)
	w.send([]byte("slip\n\x1dV\x00\x1dr\x01")...)
	w.expect(0)
	if s, err = c.State(); err != nil || s.Reader.Card != "" || s.Receipt.Stopped || len(s.Slips) != 1 || !s.Receipt.Mouth || s.Document.Stopped {
		t.Errorf("%+v, %v", s, err)
	}
	must(t, c.TakeOutput())
	if b.Receipt.Present() {
		t.Error("the slip was not taken")
	}
	for _, device := range Devices() {
		all, err := c.Faults(device)
		must(t, err)
		for _, f := range all {
			if f.About == "" {
				t.Errorf("%s: %s says nothing", device, f.Name)
			}
			must(t, c.Fault(device, f.Name, ""))
			must(t, c.ClearFault(device, f.Name))
		}
	}
}

func TestUnknownNamesSayWhatExists(t *testing.T) {
	b := quickBench(t)
	defer b.Close()
	for want, err := range map[string]error{
		"id-reader": b.Fault("toaster", "x", ""),
		"paper-out": b.Fault(DeviceReceiptPrinter, "x", ""),
		"陈桂芳":       b.PutCard("x"),
		"a number":  b.Fault(DeviceIDReader, "split", "many"),
		"no value":  b.Fault(DeviceIDReader, "silent", "3"),
	} {
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "no ")) {
			t.Errorf("%v does not name %s", err, want)
		}
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrValue) {
			t.Errorf("%v is neither", err)
		}
	}
	peer, err := net.Dial("unix", b.Socket())
	must(t, err)
	defer peer.Close()
	for _, line := range []string{"{", `{"do":"dance"}`, `{"do":"put-card","card":99}`, `{"do":"fault","device":"id-reader","fault":"split","value":[1]}`} {
		_, err := peer.Write([]byte(line + "\n"))
		must(t, err)
		answer := make([]byte, 4096)
		_ = peer.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := peer.Read(answer)
		must(t, err)
		if !strings.Contains(string(answer[:n]), `"ok":false`) {
			t.Errorf("%s: %s", line, answer[:n])
		}
	}
	if _, err := peer.Write([]byte(`{"do":"put-card","card":1}` + "\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a card by its index", func() bool { return b.Reader.State().Card == "李晓雯" })
}

func TestTwoBenchesDoNotShareASocket(t *testing.T) {
	b := quickBench(t)
	defer b.Close()
	if other, err := listenControl(b.Socket(), b); err == nil {
		_ = other.close()
		t.Error("a second bench took the socket")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(all)
	}
	round := func() {
		b, err := StartBench(BenchOptions{})
		must(t, err)
		dir := filepath.Dir(b.Socket())
		w := dial(t, b.Receipt.URI())
		w.send([]byte("never cut")...)
		must(t, b.Fault(DeviceReceiptPrinter, "cover-open", ""))
		must(t, b.Fault(DeviceIDReader, "unplug", ""))
		must(t, b.Close())
		_ = w.f.Close()
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
	round() // what the runtime opens once
	fds, goroutines := files(), runtime.NumGoroutine()
	for range 5 {
		round()
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "no file is left open", func() bool { return files() <= fds })
}
