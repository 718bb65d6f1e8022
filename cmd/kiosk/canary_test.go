//go:build !release

package main

// The canary: whole journeys of a citizen whose name and numbers are known, and then a search for them in everything that
// the terminal leaves behind — log, data directory, blobs, temporary files, file names, core files, the process's command
// line — in every encoding in which they could lie there.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
)

// canary is one text to look for, in all the ways in which it could lie somewhere.
type canary struct {
	text  string
	forms map[string][]byte
}

func newCanary(t testing.TB, text string) canary {
	t.Helper()
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	var le, be []byte
	for _, u := range utf16.Encode([]rune(text)) {
		le, be = append(le, byte(u), byte(u>>8)), append(be, byte(u>>8), byte(u))
	}
	c := canary{text, map[string][]byte{}}
	for name, raw := range map[string][]byte{"UTF-8": []byte(text), "GB 18030": []byte(gb), "UTF-16LE": le, "UTF-16BE": be} {
		c.forms[name] = raw
		c.forms[name+" in hex"] = []byte(hex.EncodeToString(raw))
		c.forms[name+" in HEX"] = bytes.ToUpper(c.forms[name+" in hex"])
		for shift := range 3 {
			for enc, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
				// What comes before shifts the alphabet; only characters that are wholly the text's are looked for.
				s := e.EncodeToString(append(make([]byte, shift), raw...))
				from, to := (shift*8+5)/6, (shift+len(raw))*8/6
				if to-from >= 6 {
					c.forms[fmt.Sprintf("%s in %s at %d", name, enc, shift)] = []byte(s[from:to])
				}
			}
		}
	}
	return c
}

// in says in which form the canary sits somewhere, "" when it does not.
func (c canary) in(b []byte) string {
	for name, form := range c.forms {
		if bytes.Contains(b, form) {
			return name
		}
	}
	return ""
}

// The search itself finds every form, wherever it lies; otherwise its silence would mean nothing.
func TestTheCanaryIsFound(t *testing.T) {
	for _, text := range []string{"李晓雯", "990000199211050228", "13800000002"} {
		c := newCanary(t, text)
		for name, form := range c.forms {
			if c.in(slices.Concat([]byte("before "), form, []byte(" after"))) == "" {
				t.Errorf("%s of %s is not found", name, text)
			}
		}
		for shift := range 3 {
			whole := base64.StdEncoding.EncodeToString([]byte("abc"[:shift] + text + "more"))
			if c.in([]byte(whole)) == "" {
				t.Errorf("%s is not found in %s", text, whole)
			}
		}
		if c.in([]byte("nothing of the kind")) != "" {
			t.Error("found where it is not")
		}
	}
}

func TestTheCanaryStaysInside(t *testing.T) {
	if testing.Short() {
		t.Skip("plays whole journeys")
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	h := newHall(t)
	ink, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "receipt.png"))
	if err != nil {
		t.Fatal(err)
	}
	hotline := slices.Concat(arrive("12345"), []script.Line{
		script.On("choose", func(_ context.Context, p service.Prompt) (service.Answer, error) {
			return service.Chosen{ID: p.(service.Choose).Options[0].ID}, nil
		}),
		script.On("form", script.Fill("phone", "13800000002")),
		script.On("ink", script.Draw(ink)),
		script.On("review", script.Next()),
		script.On("done", script.Then(h.takeOutput, script.Rate("4"))),
	}, gone())
	s := h.play(script.New(slices.Concat(
		h.certificate(), []script.Line{h.paper(), h.thanks()}, gone(),
		arrive("SB-Q"), h.identified(), []script.Line{
			script.Maybe("wait", script.Wait()),
			script.On("result", script.Next()),
			h.thanks(),
		}, gone(),
		hotline)...))
	h.settled(s)
	// A careless line, as somebody will write one some day.
	forget := s.known("李晓雯")
	s.log.Error("careless", "name", "李晓雯", "number", "990000199211050228", "phone", "13800000002")
	forget()
	bundle, err := s.writeSupport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	helped := unpacked(t, bundle) // what is compressed would hide everything
	s.end()

	var birds []canary
	for _, text := range []string{"李晓雯", "990000199211050228", "13800000002"} {
		birds = append(birds, newCanary(t, text))
	}
	looked := 0
	look := func(where string, b []byte) {
		looked++
		for _, c := range birds {
			if form := c.in(b); form != "" {
				t.Errorf("%s holds %s as %s", where, c.text, form)
			}
		}
	}
	h.log.mu.Lock()
	said := h.log.b.String()
	h.log.mu.Unlock()
	if !strings.Contains(said, "careless") {
		t.Error("the log was not kept")
	}
	look("the log", []byte(said))
	if !bytes.Contains(helped["terminal.txt"], []byte("careless")) {
		t.Error("the support bundle does not have the log")
	}
	for name, b := range helped {
		look("the support bundle's "+name, b)
	}
	for _, root := range []string{h.cfg.Terminal.Data, tmp} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			look("a file name under "+root, []byte(path))
			if d.IsDir() && path != root && strings.HasPrefix(h.dir, path) {
				return fs.SkipDir // the world around the terminal: its platform and its papers know the citizen
			}
			if !d.Type().IsRegular() {
				return nil
			}
			b, err := os.ReadFile(path)
			look(path, b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"/proc/self/cmdline", "/proc/self/environ"} {
		if b, err := os.ReadFile(f); err == nil {
			look(f, b)
		}
	}
	for _, pattern := range []string{"core", "core.*", filepath.Join(h.dir, "core*"), filepath.Join(tmp, "core*")} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			t.Errorf("core files: %v", found)
		}
	}
	if looked < 6 {
		t.Errorf("only %d places were looked at", looked)
	}
}

// TestNoFaceStaysBehind plays a temporary identity card from the live comparison to the card, and then looks for pictures in
// everything that the terminal leaves: none is there, by any of the marks that begin one, plain, in hex or in base64.
func TestNoFaceStaysBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a whole journey")
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	h := newHall(t)
	if err := h.LoadBlanks(); err != nil {
		t.Fatal(err)
	}
	ink, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "receipt.png"))
	if err != nil || len(ink) > 64<<10 {
		t.Fatal(len(ink), err)
	}
	s := h.play(script.New(slices.Concat(arrive("TID"), []script.Line{
		script.On("consent", script.Next()), script.On("identify", script.Then(func() { _ = h.Props.PutCard("李晓雯") }, script.Wait())),
		script.On("consent", script.Next()), script.On("photo", script.Wait()), script.Maybe("wait", script.Wait()),
		script.On("choose", script.Choose("self")), script.Maybe("wait", script.Wait()), script.On("form", script.Fill("phone", "")),
		script.On("photo", script.Wait()), script.On("pick-photo", script.Choose("0")), script.On("ink", script.Draw(ink)), script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()),
		script.On("decision", script.Then(func() {
			if err := h.Approve(); err != nil {
				t.Error(err)
			}
		}, script.Wait())),
		script.Maybe("wait", script.Wait()),
		script.On("pay", script.Then(func() { time.AfterFunc(time.Second, func() { _ = h.Pay() }) }, script.Wait())),
		script.Maybe("wait", script.Wait()),
		script.On("take-output", script.Then(func() { time.AfterFunc(500*time.Millisecond, func() { h.Cards.Take() }) }, script.Wait())),
		h.thanks(),
	}, gone())...))
	h.settled(s)
	s.end()
	if n := len(h.Props.CardPrinter.Cards()); n != 1 {
		t.Fatalf("%d cards", n)
	}
	marks := map[string][]byte{}
	for name, raw := range map[string][]byte{"JPEG": {0xff, 0xd8, 0xff, 0xdb, 0x00, 0x84}, "JPEG with JFIF": {0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 'J', 'F'}, "PNG": []byte("\x89PNG\r\n\x1a\n")} {
		marks[name] = raw
		marks[name+" in hex"] = []byte(hex.EncodeToString(raw))
		marks[name+" in base64"] = []byte(base64.StdEncoding.EncodeToString(raw))[:6]
	}
	h.noneLeft(tmp, marks)
}

// noneLeft looks for marks of pictures in the terminal's files, in temporary files and in its log.
func (h *hall) noneLeft(tmp string, marks map[string][]byte) {
	t := h.t
	t.Helper()
	looked := 0
	for _, root := range []string{h.cfg.Terminal.Data, tmp} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != root && strings.HasPrefix(h.dir, path):
				return fs.SkipDir // the world around the terminal
			case !d.Type().IsRegular():
				return nil
			}
			b, err := os.ReadFile(path)
			looked++
			for name, mark := range marks {
				if bytes.Contains(b, mark) {
					t.Errorf("%s holds a picture: %s", path, name)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	for name, mark := range marks {
		if bytes.Contains([]byte(h.log.b.String()), mark) {
			t.Errorf("the log holds a picture: %s", name)
		}
	}
	if looked < 3 {
		t.Errorf("only %d files were looked at", looked)
	}
}

// TestNoFingerStaysBehind plays a temporary identity card by a finger, and then looks for pieces of the finger's picture in everything that the
// terminal leaves: as pixels, as the wire has them, in hex and in base64.
func TestNoFingerStaysBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a whole journey")
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	h := hallWith(t, journey.WorldOptions{Fingers: true})
	if err := h.LoadBlanks(); err != nil {
		t.Fatal(err)
	}
	ink, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "receipt.png"))
	if err != nil {
		t.Fatal(err)
	}
	finger, press := sim.FingerOf(sim.People()[1].Number, 2), sim.Press{X: 7, Turn: -6}
	s := h.play(script.New(slices.Concat(arrive("TID"), []script.Line{
		script.On("consent", script.Next()), script.On("identify", script.Then(func() { _ = h.Props.PutCard("李晓雯") }, script.Wait())),
		script.On("consent", script.Reply(service.Cancelled{})), script.On("choose", script.Choose("fingerprint")), script.On("consent", script.Next()),
		script.On("finger", script.Then(func() { h.Sensor.PutFinger(finger, press) }, script.Wait())),
		script.On("finger", script.Then(h.Sensor.LiftFinger, script.Wait())), script.Maybe("wait", script.Wait()),
		script.On("choose", script.Choose("self")), script.Maybe("wait", script.Wait()), script.On("form", script.Fill("phone", "")),
		script.On("photo", script.Wait()), script.On("pick-photo", script.Choose("0")), script.On("ink", script.Draw(ink)), script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()), script.On("decision", script.Leave()),
	})...))
	h.until("the application is at the platform", time.Minute, func() bool { return len(h.CasesAtPlatform()) == 1 })
	s.end()
	if seen := h.Prints(); len(seen) != 1 || !seen[0].Same {
		t.Fatalf("comparisons: %+v", seen)
	}
	press.Grain++ // it is the first finger that was laid down
	pixels, marks := finger.Picture(press, 256, 288), map[string][]byte{}
	for _, y := range []int{90, 144, 200} {
		row := pixels[y*256+110 : y*256+152]
		packed := make([]byte, 0, len(row)/2)
		for i := 0; i < len(row); i += 2 {
			packed = append(packed, row[i]&0xF0|row[i+1]>>4)
		}
		for name, raw := range map[string][]byte{"pixels": row, "half bytes": packed} {
			name = fmt.Sprintf("%s of row %d", name, y)
			marks[name] = raw
			marks[name+" in hex"] = []byte(hex.EncodeToString(raw))
			for shift := range 3 {
				marks[fmt.Sprintf("%s in base64 at %d", name, shift)] = []byte(base64.StdEncoding.EncodeToString(raw[shift : shift+18])[:24])
			}
		}
	}
	// The marks are found where a picture is; otherwise that none is found would mean nothing.
	found := 0
	for _, mark := range marks {
		if bytes.Contains(pixels, mark) || strings.Contains(base64.StdEncoding.EncodeToString(pixels), string(mark)) || strings.Contains(hex.EncodeToString(pixels), string(mark)) {
			found++
		}
	}
	if found != 9 { // of each row: plain, in hex, and in base64 at one of three places
		t.Errorf("%d marks are in the picture itself", found)
	}
	h.noneLeft(tmp, marks)
}

// A crash leaves no picture of the memory.
func TestNoCoreFiles(t *testing.T) {
	if err := noCores(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
			if f := strings.Fields(rest); f[0] != "0" || f[1] != "0" {
				t.Errorf("%s", line)
			}
			return
		}
	}
	t.Error("the system does not tell its limits")
}
