// Photo measures the booth's guidance and photo beside ONNX Runtime on the same models and beside OpenCV's cascades on the same
// pictures, one core each: milliseconds of processor time, and next to them how often each was right on the derived pictures
// (test/portraits). It has a module of its own, so that the product's stays lean; photo.sh installs what it takes and runs it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/service/photo"
	"github.com/budayang/kiosk/service/photo/face"
	"github.com/budayang/kiosk/service/photo/tflite"
	"github.com/budayang/kiosk/test/portraits"
)

// Limits of the issue, in milliseconds of one core.
const (
	limitWatch = 33
	limitTake  = 300
)

func main() {
	library := flag.String("library", "", "ONNX Runtime's shared library")
	testdata := flag.String("testdata", "../../../service/photo/testdata", "pictures")
	cascades := flag.String("cascades", "/usr/share/opencv4", "folder of OpenCV's cascades; empty leaves them out")
	rounds := flag.Int("rounds", 10, "how often each picture is watched; the mask and the search for others come once in ten")
	strict := flag.Bool("strict", false, "fail when a limit is missed")
	flag.Parse()
	if err := run(*library, *testdata, *cascades, *rounds, *strict); err != nil {
		fmt.Fprintln(os.Stderr, "photo:", err)
		os.Exit(1)
	}
}

func run(library, testdata, cascades string, rounds int, strict bool) error {
	runtime.GOMAXPROCS(1)
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(); err != nil {
		return err
	}
	defer func() { _ = ort.DestroyEnvironment() }()
	studio, err := portraits.Open(testdata)
	if err != nil {
		return err
	}
	var all []drawn
	for i, set := range [][]portraits.Case{studio.Tuning(), studio.HeldOut()} {
		for _, c := range set {
			all = append(all, drawn{c, c.Make(), i == 1})
		}
	}
	held := 0
	for _, d := range all {
		if d.held {
			held++
		}
	}
	if err := compare(all); err != nil {
		return err
	}
	ours, err := newEngine("Budayang, Go alone", func(b []byte) (face.Net, error) { return tflite.Load(b) })
	if err != nil {
		return err
	}
	peer, err := newEngine("ONNX Runtime "+ort.GetVersion(), newSession)
	if err != nil {
		return err
	}
	engines := []*engine{ours, peer}
	for _, e := range engines {
		if err := e.play(all, rounds); err != nil {
			return err
		}
	}
	fmt.Printf("\nThe models alone, ms of one core (ratio to ONNX Runtime)\n\n| | search | landmarks | mask |\n| --- | --- | --- | --- |\n")
	for _, e := range engines {
		fmt.Printf("| %s |", e.name)
		for i := range e.nets {
			fmt.Printf(" %.1f (%.1f) |", e.nets[i].each(), e.nets[i].each()/peer.nets[i].each())
		}
		fmt.Println()
	}
	fmt.Printf("\nFinding the face in %d pictures of which nothing is known\n\n| | ms | ratio to ours | faces counted right | eyes found |\n| --- | --- | --- | --- | --- |\n", len(all))
	for _, e := range engines {
		fmt.Printf("| %s | %.1f | %.2f | %d of %d | %d of %d |\n", e.name, e.find, e.find/ours.find, e.counted, len(all), e.eyes, e.withEyes)
	}
	if cascades != "" {
		rows, err := byCascades(all, cascades, 2)
		if err != nil {
			return err
		}
		for _, r := range rows {
			fmt.Printf("| OpenCV, %s | %.1f | %.2f | %d of %d | none; box around both: %d of %d |\n", r.name, r.ms, r.ms/ours.find, r.counted, len(all), r.boxed, ours.withEyes)
		}
	}
	fmt.Printf("\nGuidance and photo\n\n| | a picture watched, ms | of which models | a photo taken, ms | right verdict and reason: tuning | held out |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, e := range engines {
		fmt.Printf("| %s | %.1f | %.1f | %.0f | %d of %d | %d of %d |\n", e.name, e.watch, e.watchModels, e.take, e.right[0], len(all)-held, e.right[1], held)
	}
	fmt.Printf("| limit | %d | | %d | | |\n| OpenCV's cascades | no points: cannot guide | | | | |\n", limitWatch, limitTake)
	if strict && (ours.watch > limitWatch || ours.take > limitTake) {
		return errors.New("a limit is missed")
	}
	return nil
}

// drawn is a case with its picture.
type drawn struct {
	portraits.Case
	picture portraits.Picture
	held    bool // of the held-out set
}

// cpu is the processor time of this process so far, in milliseconds.
func cpu() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return float64(time.Duration(t.Nano()).Nanoseconds()) / 1e6
}

// session is a model in ONNX Runtime, on one thread.
type session struct {
	run  *ort.AdvancedSession
	in   *ort.Tensor[float32]
	outs []*ort.Tensor[float32]
}

func newSession(b []byte) (face.Net, error) {
	model, in, outs := convert(b)
	shape := func(s []int) ort.Shape {
		var out ort.Shape
		for _, d := range s {
			out = append(out, int64(d))
		}
		return out
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = options.Destroy() }()
	if err := errors.Join(options.SetIntraOpNumThreads(1), options.SetInterOpNumThreads(1)); err != nil {
		return nil, err
	}
	s := &session{}
	if s.in, err = ort.NewEmptyTensor[float32](shape(in)); err != nil {
		return nil, err
	}
	var names []string
	var values []ort.Value
	for i, o := range outs {
		t, err := ort.NewEmptyTensor[float32](shape(o))
		if err != nil {
			return nil, err
		}
		s.outs = append(s.outs, t)
		values, names = append(values, t), append(names, fmt.Sprint("out", i))
	}
	if s.run, err = ort.NewAdvancedSessionWithONNXData(model, []string{"in"}, names, []ort.Value{s.in}, values, options); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *session) Input() []float32       { return s.in.GetData() }
func (s *session) Output(i int) []float32 { return s.outs[i].GetData() }
func (s *session) Wipe()                  {}
func (s *session) Run() {
	if err := s.run.Run(); err != nil {
		panic(err)
	}
}

// timed counts what a model takes.
type timed struct {
	face.Net
	ms float64
	n  int
}

func (t *timed) Run() {
	begun := cpu()
	t.Net.Run()
	t.ms += cpu() - begun
	t.n++
}

func (t *timed) each() float64 { return t.ms / float64(t.n) }

// both runs a model twice and remembers how far the results were apart.
type both struct {
	face.Net
	other          face.Net
	outs           int
	worst, largest []float64
}

func (b *both) Run() {
	copy(b.other.Input(), b.Input())
	b.Net.Run()
	b.other.Run()
	for i := range b.outs {
		x, y := b.Output(i), b.other.Output(i)
		for k, v := range x {
			b.worst[i] = max(b.worst[i], math.Abs(float64(v-y[k])))
			b.largest[i] = max(b.largest[i], math.Abs(float64(v)))
		}
	}
}

// compare holds our interpreter to ONNX Runtime on every picture: a difference that matters makes the figures worthless.
func compare(all []drawn) error {
	var nets []*both
	f, err := face.NewWith(func(b []byte) (face.Net, error) {
		m, err := tflite.Load(b)
		if err != nil {
			return nil, err
		}
		s, err := newSession(b)
		if err != nil {
			return nil, err
		}
		n := m.Outputs()
		nets = append(nets, &both{Net: m, other: s, outs: n, worst: make([]float64, n), largest: make([]float64, n)})
		return nets[len(nets)-1], nil
	})
	if err != nil {
		return err
	}
	var mask face.Mask
	var mesh face.Mesh
	for _, d := range all {
		for _, found := range f.Find(d.picture.RGBA) {
			f.Mesh(d.picture.RGBA, found, &mesh)
		}
		f.Mask(d.picture.RGBA, &mask)
	}
	for i, what := range []string{"search", "landmarks", "mask"} {
		for o := range nets[i].outs {
			fmt.Printf("%s, output %d: the largest difference to ONNX Runtime is %.2g of values up to %.3g\n", what, o, nets[i].worst[o], nets[i].largest[o])
			if nets[i].worst[o] > 1e-5*max(100, nets[i].largest[o]) {
				return errors.New("both do not compute the same")
			}
		}
	}
	return nil
}

// engine is a booth on models that are computed in one way.
type engine struct {
	name   string
	finder *face.Finder
	booth  *photo.Booth
	nets   []*timed // search, landmarks, mask

	find, watch, watchModels, take float64 // ms of one core
	counted, eyes, withEyes        int
	right                          [2]int // of the tuning set, of the held-out set
}

func newEngine(name string, load func([]byte) (face.Net, error)) (*engine, error) {
	e := &engine{name: name}
	f, err := face.NewWith(func(b []byte) (face.Net, error) {
		n, err := load(b)
		e.nets = append(e.nets, &timed{Net: n})
		return e.nets[len(e.nets)-1], err
	})
	if err != nil {
		return nil, err
	}
	p, err := photo.LoadProfile("id-card")
	if err != nil {
		return nil, err
	}
	e.finder, e.booth = f, photo.NewBoothWith(p, f)
	return e, nil
}

func (e *engine) models() (ms float64) {
	for _, n := range e.nets {
		ms += n.ms
	}
	return ms
}

// play looks at every picture as guidance and shutter do, and counts what was right.
func (e *engine) play(all []drawn, rounds int) error {
	n := float64(len(all))
	for _, d := range all {
		m := d.picture.RGBA
		begun := cpu()
		found := e.finder.Find(m)
		var mesh face.Mesh
		seen := false
		if len(found) > 0 {
			seen = e.finder.Mesh(m, found[0], &mesh)
		}
		e.find += (cpu() - begun) / n
		if len(found) == len(d.picture.Eyes) {
			e.counted++
		}
		if len(d.picture.Eyes) > 0 {
			e.withEyes++
			a, b := mesh.Eyes()
			if want := d.picture.Eyes[0]; seen && near(a, want[0], want) && near(b, want[1], want) {
				e.eyes++
			}
		}
		e.booth.Wipe()
		e.booth.Watch(m, 0) // whoever stands there is found; what follows is tracking
		begun, models := cpu(), e.models()
		for i := range rounds {
			e.booth.Watch(m, uint32(i+1))
		}
		e.watch += (cpu() - begun) / n / float64(rounds)
		e.watchModels += (e.models() - models) / n / float64(rounds)
		e.booth.Wipe()
		begun = cpu()
		p, err := e.booth.Take(m)
		e.take += (cpu() - begun) / n
		said, more := d.Says == "", false
		for _, f := range p.Findings {
			said = said || string(f.Advice) == d.Says
			more = more || f.Kind != photo.Advise && string(f.Advice) != d.Says
		}
		var none photo.ErrNoPhoto
		if errors.As(err, &none) {
			said = string(none.Advice) == d.Says
		} else if err != nil {
			return err
		}
		if string(p.Verdict) == d.Verdict && said && !(d.Sound && more) {
			set := 0
			if d.held {
				set = 1
			}
			e.right[set]++
		}
		p.Wipe()
	}
	return nil
}

// near: within a seventh of the eyes' distance, less than the width of an iris.
func near(got face.Point, want portraits.Point, eyes [2]portraits.Point) bool {
	return math.Hypot(got.X-want.X, got.Y-want.Y) < math.Hypot(eyes[0].X-eyes[1].X, eyes[0].Y-eyes[1].Y)/7
}

// row is what a cascade did.
type row struct {
	name           string
	ms             float64
	counted, boxed int
}

func byCascades(all []drawn, folder string, rounds int) ([]row, error) {
	dir, err := os.MkdirTemp("", "photo")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	files := []string{filepath.Join(folder, "haarcascades/haarcascade_frontalface_alt2.xml"), filepath.Join(folder, "haarcascades/haarcascade_frontalface_default.xml"),
		filepath.Join(folder, "lbpcascades/lbpcascade_frontalface_improved.xml")}
	args := append([]string{"cascade.py", fmt.Sprint(rounds)}, files...)
	args = append(args, "--")
	for i, d := range all {
		name := filepath.Join(dir, fmt.Sprintf("%03d.ppm", i))
		if err := os.WriteFile(name, ppm(d.picture.RGBA), 0o600); err != nil {
			return nil, err
		}
		args = append(args, name)
	}
	cmd := exec.Command("/usr/bin/python3", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cascade.py: %w", err)
	}
	var got []struct {
		Cascade, Picture string
		MS               float64
		Boxes            [][4]float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, err
	}
	if len(got) != len(files)*len(all) {
		return nil, fmt.Errorf("cascade.py: %d results", len(got))
	}
	rows := make([]row, len(files))
	for i, g := range got {
		r, d := &rows[i/len(all)], all[i%len(all)]
		r.name = strings.TrimSuffix(filepath.Base(g.Cascade), ".xml")
		r.ms += g.MS / float64(len(all))
		if len(g.Boxes) == len(d.picture.Eyes) {
			r.counted++
		}
		if len(d.picture.Eyes) > 0 && slices.ContainsFunc(g.Boxes, func(b [4]float64) bool {
			for _, e := range d.picture.Eyes[0] {
				if e.X < b[0] || e.X > b[0]+b[2] || e.Y < b[1] || e.Y > b[1]+b[3] {
					return false
				}
			}
			return b[2] < 6*math.Hypot(d.picture.Eyes[0][0].X-d.picture.Eyes[0][1].X, d.picture.Eyes[0][0].Y-d.picture.Eyes[0][1].Y)
		}) {
			r.boxed++
		}
	}
	return rows, nil
}

// ppm is a picture that every program reads, without loss.
func ppm(m *image.RGBA) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "P6 %d %d 255\n", m.Rect.Dx(), m.Rect.Dy())
	for i := 0; i < len(m.Pix); i += 4 {
		b.Write(m.Pix[i : i+3])
	}
	return b.Bytes()
}
