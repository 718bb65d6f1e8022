// Cards against programs of others: ippeveprinter takes the job, ippeveps and Ghostscript draw the face again.

package document

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
)

func TestCardPeer(t *testing.T) {
	needPeer(t)
	b := newBus(t)
	open := func(t *testing.T, pr *peer) *CardPrinter {
		opt := quick()
		opt.Poll, opt.EndWait, opt.Timeout = 50*time.Millisecond, 3*time.Second, 10*time.Second
		return openCards(t, pr.uri, opt)
	}
	t.Run("prints, and never twice", func(t *testing.T) {
		t.Parallel()
		pr := b.kind(t, "testdata/card.conf", actPrint)
		p := open(t, pr)
		st, err := p.Probe(t.Context())
		if err != nil || st.Unready() != devices.UnreadyNot || st.Paper != devices.SupplyFull || st.Toner != devices.SupplyFull {
			t.Errorf("%+v, %v", st, err)
		}
		l := &ledger{}
		want(t, p.Print(t.Context(), cardJob(l)), devices.PrintConfirmed, "", "")
		want(t, open(t, pr).Print(t.Context(), cardJob(&ledger{})), devices.PrintConfirmed, "", "")
		want(t, open(t, pr).Settle(t.Context(), jobName, l.notes), devices.PrintConfirmed, "", "")
		if n := pr.runs(t); n != 1 {
			t.Errorf("printed %d times", n)
		}
		got, err := os.ReadFile(filepath.Join(pr.dir, "document"))
		if err != nil || !bytes.Equal(got, rasterOf(face(), rasterColour, false)) {
			t.Errorf("the face arrived changed: %d bytes, %v", len(got), err)
		}
	})
	t.Run("engine fails", func(t *testing.T) {
		t.Parallel()
		pr := b.kind(t, "testdata/card.conf", actFail)
		want(t, open(t, pr).Print(t.Context(), cardJob(&ledger{})), devices.PrintFailed, "", "aborted")
	})
	t.Run("completed without a card", func(t *testing.T) {
		t.Parallel()
		pr := b.kind(t, "testdata/card.conf", actNothing)
		p := open(t, pr)
		p.p.opt.EndWait = 200 * time.Millisecond
		want(t, p.Print(t.Context(), cardJob(&ledger{})), devices.PrintUnknown, "", "0 of 1")
	})
	t.Run("printer dies before the face", func(t *testing.T) {
		t.Parallel()
		pr := b.kind(t, "testdata/card.conf", actPrint)
		l := &ledger{then: func(key string) {
			if key == NoteJobUUID {
				pr.kill(t)
			}
		}}
		want(t, open(t, pr).Print(t.Context(), cardJob(l)), devices.PrintNotSent, devices.UnreadyNoDevice, "Send-Document")
		if pr.runs(t) != 0 {
			t.Error("printed")
		}
	})
}

// TestRasterAsOthersReadIt holds our raster to OpenPrinting's reader: ippeveps makes PostScript of it, Ghostscript draws it.
func TestRasterAsOthersReadIt(t *testing.T) {
	needPeer(t)
	ippeveps, err := lookPath("ippeveps")
	if err != nil {
		t.Skip("ippeveps is missing: install cups-ipp-utils")
	}
	gs, err := exec.LookPath("gs")
	if err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("gs is missing: install ghostscript")
		}
		t.Skip("gs is missing: install ghostscript")
	}
	for _, kind := range []string{rasterColour, rasterGray} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			in, ps, out := filepath.Join(dir, "face.pwg"), filepath.Join(dir, "face.ps"), filepath.Join(dir, "face.png")
			if err := os.WriteFile(in, rasterOf(face(), kind, false), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), ippeveps, in)
			cmd.Env = append(os.Environ(), "CONTENT_TYPE=image/pwg-raster", "PRINTER=x")
			var said bytes.Buffer
			cmd.Stderr = &said
			made, err := cmd.Output()
			if err != nil {
				t.Fatalf("ippeveps: %v: %s", err, said.Bytes())
			}
			if err := os.WriteFile(ps, made, 0o600); err != nil {
				t.Fatal(err)
			}
			if text, err := exec.CommandContext(t.Context(), gs, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", "-r300", "-o", out, ps).CombinedOutput(); err != nil {
				t.Fatalf("gs: %v: %s", err, text)
			}
			f, err := os.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := png.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			b := got.Bounds()
			t.Logf("drawn: %v", b)
			if b.Dx() < 600 || b.Dy() < 1000 {
				t.Fatalf("drawn %v", b)
			}
			// The face was turned left: its left upper corner is the sheet's left lower one.
			for name, c := range map[string]struct {
				at  image.Point // on the face
				was color.NRGBA
			}{
				"upper left":   {image.Pt(100, 50), face().NRGBAAt(100, 50)},
				"upper right":  {image.Pt(950, 25), face().NRGBAAt(950, 25)},
				"lower right":  {image.Pt(950, 600), color.NRGBA{255, 255, 255, 255}},
				"upper middle": {image.Pt(500, 25), color.NRGBA{255, 255, 255, 255}},
			} {
				g := color.NRGBAModel.Convert(got.At(b.Min.X+c.at.Y, b.Max.Y-1-c.at.X)).(color.NRGBA)
				w := c.was
				if kind == rasterGray {
					y := color.GrayModel.Convert(w).(color.Gray).Y
					w = color.NRGBA{y, y, y, 255}
				}
				if far(g.R, w.R) || far(g.G, w.G) || far(g.B, w.B) {
					t.Errorf("%s is %v, want %v", name, g, w)
				}
			}
		})
	}
}

func far(a, b uint8) bool { return max(a, b)-min(a, b) > 3 }
