package tflite_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/budayang/kiosk/service/photo/tflite"
)

const models = "../face/models"

func load(t testing.TB, name string) *tflite.Model {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(models, name))
	if err != nil {
		t.Fatal(err)
	}
	m, err := tflite.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fill puts the reference's noise into an input: a linear congruential generator between lo and hi.
func fill(x []float32, seed uint32, lo, hi float64) {
	for i := range x {
		seed = seed*1664525 + 1013904223
		x[i] = float32(lo + (hi-lo)*float64(seed>>8)/(1<<24))
	}
}

// person puts a small portrait (testdata/person.png, from NASA's of Eileen Collins) into an input of twice its size.
func person(t *testing.T, x []float32, h, w int) {
	t.Helper()
	f, err := os.Open("testdata/person.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range h * w {
		r, g, b, _ := m.At(i%w/2, i/w/2).RGBA()
		x[3*i], x[3*i+1], x[3*i+2] = float32(r>>8)/255, float32(g>>8)/255, float32(b>>8)/255
	}
}

// A vector is what TensorFlow Lite itself (npm @tensorflow/tfjs-tflite 0.0.1-alpha.10, WebAssembly with XNNPACK) computed of
// noise, or of [person] when there is no seed: every so many values of each output. That program lacks the segmenter's last
// operation but one; it was computed in double precision from what comes before it.
type vector struct {
	Model   string
	Seed    uint32
	Lo, Hi  float64
	Every   int
	Outputs []struct {
		Name   string
		Length int
		Values []float64
	}
}

func TestOutputsAreThoseOfTensorFlowLite(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		m := load(t, v.Model)
		if h, w, _ := m.InputShape(); v.Seed == 0 {
			person(t, m.Input(), h, w)
		} else {
			fill(m.Input(), v.Seed, v.Lo, v.Hi)
		}
		m.Run()
		if m.Outputs() != len(v.Outputs) {
			t.Fatalf("%s: %d outputs", file, m.Outputs())
		}
		for i, want := range v.Outputs {
			got := m.Output(i)
			if len(got) != want.Length {
				t.Fatalf("%s %s: %d values", file, want.Name, len(got))
			}
			largest := 1.0
			for _, w := range want.Values {
				largest = max(largest, math.Abs(w))
			}
			worst := 0.0
			for k, w := range want.Values {
				worst = max(worst, math.Abs(float64(got[k*v.Every])-w))
			}
			t.Logf("%s %s: largest difference %.2g of values up to %.3g", v.Model, want.Name, worst, largest)
			if worst > 1e-3 {
				t.Errorf("%s %s: off by %g", file, want.Name, worst)
			}
		}
	}
}

func TestWipeLeavesNothing(t *testing.T) {
	m := load(t, "face_detection_short_range.tflite")
	fill(m.Input(), 1, -1, 1)
	m.Run()
	m.Wipe()
	for i := range m.Outputs() {
		for _, v := range m.Output(i) {
			if v != 0 {
				t.Fatal("an output is left")
			}
		}
	}
	for _, v := range m.Input() {
		if v != 0 {
			t.Fatal("the input is left")
		}
	}
}

func TestRunningAllocatesNothing(t *testing.T) {
	m := load(t, "face_detection_short_range.tflite")
	if n := testing.AllocsPerRun(2, m.Run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLoad(f *testing.F) {
	b, err := os.ReadFile(filepath.Join(models, "face_detection_short_range.tflite"))
	if err != nil {
		f.Fatal(err)
	}
	// The structure without most weights: what matters here is small.
	f.Add(b[:20000])
	f.Add(b[len(b)-20000:])
	f.Add([]byte("\x08\x00\x00\x00TFL3"))
	f.Add(bytes.Repeat([]byte{0xFF, 0xFF, 0xFF, 0x7F}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := tflite.Load(b); err != nil && !errors.Is(err, tflite.ErrModel) {
			t.Fatal(err)
		}
	})
}

func benchmark(b *testing.B, name string) {
	m := load(b, name)
	fill(m.Input(), 1, 0, 1)
	for b.Loop() {
		m.Run()
	}
}

func BenchmarkDetector(b *testing.B)  { benchmark(b, "face_detection_short_range.tflite") }
func BenchmarkLandmarks(b *testing.B) { benchmark(b, "face_landmark.tflite") }
func BenchmarkMask(b *testing.B)      { benchmark(b, "selfie_segmentation.tflite") }
