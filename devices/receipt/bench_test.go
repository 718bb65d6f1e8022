package receipt

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"
	"time"

	dithering "github.com/makeworld-the-better-one/dither/v2"

	"github.com/budayang/kiosk/slip"
)

// receipt60 is a receipt of sixty lines in Chinese with a code.
func receipt60(t testing.TB) slip.Slip {
	t.Helper()
	s := slip.Slip{Blocks: []slip.Block{slip.Text{Text: "打烊市政务服务中心受理回执", Align: slip.Center, Bold: true, Size: 2}, slip.Rule{}}}
	rows := [][]string{}
	for i := range 24 {
		rows = append(rows, []string{fmt.Sprintf("材料%02d", i+1), "居民身份证原件及复印件"})
	}
	s.Blocks = append(s.Blocks, slip.Table{Columns: []slip.Column{{Share: 1}, {Share: 3}}, Rows: rows}, slip.Rule{Dashed: true})
	for i := range 32 {
		s.Blocks = append(s.Blocks, slip.Text{Text: fmt.Sprintf("第%d条 请于受理之日起20个工作日内领取", i+1)})
	}
	return slip.Slip{Blocks: append(s.Blocks, slip.QR{Data: "https://platform.invalid/c/990000-20261124-000042", Caption: "扫码查询办理进度"})}
}

// Aim: below 1 ms, so that the wire is what a citizen waits for.
func BenchmarkEncode60Lines(b *testing.B) {
	for _, name := range []string{"epson-tm", "custom-vkp80"} {
		b.Run(name, func(b *testing.B) {
			p := model(b, name)
			l, err := slip.Lay(receipt60(b), slip.Metrics{Dots: p.Dots})
			if err != nil {
				b.Fatal(err)
			}
			if len(l.Lines) < 60 {
				b.Fatalf("%d lines", len(l.Lines))
			}
			face := font(b)
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				out = Encode(l, p, face)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/receipt")
			b.ReportMetric(float64(len(out)), "bytes")
		})
	}
}

// portrait is a grey picture with soft and hard edges, 15 cm of an 80 mm roll.
func portrait() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 576, 1200))
	for y := range 1200 {
		for x := range 576 {
			v := 128 + 90*math.Sin(float64(x)/37)*math.Cos(float64(y)/53)
			if (x/96+y/150)%5 == 0 {
				v = 255 - v
			}
			img.SetGray(x, y, color.Gray{Y: byte(v)})
		}
	}
	return img
}

// Aim: below 10 ms. The peer dithers the same picture in the same run, with the same matrix and order; its time is "peer-ms",
// and "peer-ratio" says how many times as long it takes.
func BenchmarkDither576x1200(b *testing.B) {
	img := portrait()
	peer := dithering.NewDitherer([]color.Color{color.Black, color.White})
	peer.Matrix, peer.Serpentine = dithering.FloydSteinberg, true
	var theirs time.Duration
	const runs = 5
	for range runs {
		start := time.Now()
		if out := peer.DitherPaletted(img); out.Rect != img.Rect {
			b.Fatal(out.Rect)
		}
		theirs += time.Since(start)
	}
	b.ReportAllocs()
	for b.Loop() {
		dither(img)
	}
	ours := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(ours.Microseconds())/1000, "ms/picture")
	b.ReportMetric(float64(theirs.Microseconds())/1000/runs, "peer-ms")
	b.ReportMetric(float64(theirs)/runs/float64(ours), "peer-ratio")
}
