// Package tflite runs small TensorFlow Lite models on the processor, in Go alone.
//
// It knows the fifteen operations of MediaPipe's face models, in 32-bit floating point (weights may be stored in 16 bits),
// for pictures one at a time, and refuses everything else when it loads a model. ONNX Runtime runs the same models faster,
// but it is a shared library of 38 MB that exists for two of the three architectures that terminals have, and needs cgo.
//
//	m, err := tflite.Load(bytes)
//	copy(m.Input(), pixels)
//	m.Run()
//	use(m.Output(0))
//	m.Wipe()
//
// A [Model] is for one goroutine. Loading allocates everything; running allocates nothing.
package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrModel: not a model that this package can run. The text says why.
var ErrModel = errors.New("tflite: model cannot be run")

// Bounds of a model. They hold before anything of that size is allocated.
const (
	maxTensors  = 4096
	maxElements = 1 << 22 // of one tensor
	maxTotal    = 1 << 25 // of all tensors
	maxNodes    = 4096
)

// A tensor is a value of the graph: of the batch of one, in the order height, width, channels.
type tensor struct {
	shape []int
	data  []float32
	ints  []int32 // of an integer constant
	fixed bool    // a constant: weights
}

func (t *tensor) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// hwc is the shape as height, width, channels.
func (t *tensor) hwc() (h, w, c int, err error) {
	if len(t.shape) != 4 || t.shape[0] != 1 {
		return 0, 0, 0, fmt.Errorf("%w: a shape %v where [1 height width channels] is wanted", ErrModel, t.shape)
	}
	return t.shape[1], t.shape[2], t.shape[3], nil
}

// Model is a loaded model.
type Model struct {
	tensors []tensor
	input   int
	outputs []int
	steps   []func()
	live    []int // tensors that hold values of a run
	scratch []float32
}

// Input is where the input's values go: rows of pixels of channels.
func (m *Model) Input() []float32 { return m.tensors[m.input].data }

// InputShape is height, width and channels.
func (m *Model) InputShape() (h, w, c int) {
	s := m.tensors[m.input].shape
	return s[1], s[2], s[3]
}

// Outputs is how many there are.
func (m *Model) Outputs() int { return len(m.outputs) }

// Output is the values of one output after [Model.Run].
func (m *Model) Output(i int) []float32 { return m.tensors[m.outputs[i]].data }

// Run computes the outputs.
func (m *Model) Run() {
	for _, step := range m.steps {
		step()
	}
}

// Wipe zeroes everything that came of an input.
func (m *Model) Wipe() {
	for _, i := range m.live {
		clear(m.tensors[i].data)
	}
	clear(m.scratch)
}

// Load reads a model.
func Load(b []byte) (m *Model, err error) {
	defer func() {
		if r := recover(); r != nil {
			broken, ok := r.(malformed)
			if !ok {
				panic(r)
			}
			m, err = nil, fmt.Errorf("%w: %s", ErrModel, string(broken))
		}
	}()
	if len(b) < 8 || string(b[4:8]) != "TFL3" || len(b) > 64<<20 {
		return nil, fmt.Errorf("%w: no TFLite file", ErrModel)
	}
	root := table{b, int(binary.LittleEndian.Uint32(b))}
	graphs := root.tables(2)
	if len(graphs) != 1 {
		return nil, fmt.Errorf("%w: %d graphs", ErrModel, len(graphs))
	}
	g := graphs[0]
	m = &Model{}
	if err := m.readTensors(g.tables(0), root.tables(4)); err != nil {
		return nil, err
	}
	in, out := g.ints(1), g.ints(2)
	if len(in) != 1 || len(out) == 0 {
		return nil, fmt.Errorf("%w: %d inputs, %d outputs", ErrModel, len(in), len(out))
	}
	m.input = int(in[0])
	made := make([]bool, len(m.tensors))
	for i := range m.tensors {
		made[i] = m.tensors[i].fixed
	}
	if m.input < 0 || m.input >= len(m.tensors) || made[m.input] {
		return nil, fmt.Errorf("%w: input %d", ErrModel, m.input)
	}
	if _, _, _, err := m.tensors[m.input].hwc(); err != nil {
		return nil, err
	}
	m.tensors[m.input].data = make([]float32, m.tensors[m.input].elements())
	made[m.input] = true
	m.live = append(m.live, m.input)
	codes := root.tables(1)
	nodes := g.tables(3)
	if len(nodes) > maxNodes {
		return nil, fmt.Errorf("%w: %d operations", ErrModel, len(nodes))
	}
	for i, n := range nodes {
		if err := m.add(n, codes, made); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	for _, o := range out {
		if o < 0 || int(o) >= len(made) || !made[o] {
			return nil, fmt.Errorf("%w: output %d is not computed", ErrModel, o)
		}
		m.outputs = append(m.outputs, int(o))
	}
	return m, nil
}

// readTensors reads shapes and constants.
func (m *Model) readTensors(ts, buffers []table) error {
	if len(ts) > maxTensors {
		return fmt.Errorf("%w: %d tensors", ErrModel, len(ts))
	}
	m.tensors = make([]tensor, len(ts))
	total := 0
	for i, t := range ts {
		out := &m.tensors[i]
		n := 1
		for _, d := range t.ints(0) {
			if d < 1 || d > maxElements || n*int(d) > maxElements {
				return fmt.Errorf("%w: tensor %d has the shape %v", ErrModel, i, t.ints(0))
			}
			n *= int(d)
			out.shape = append(out.shape, int(d))
		}
		if total += n; total > maxTotal {
			return fmt.Errorf("%w: more than %d values", ErrModel, maxTotal)
		}
		buffer := t.uint(2)
		if int(buffer) >= len(buffers) {
			return fmt.Errorf("%w: tensor %d has no buffer", ErrModel, i)
		}
		raw := buffers[buffer].bytes(0)
		if len(raw) == 0 {
			continue
		}
		out.fixed = true
		kind := t.byte(1)
		size := map[byte]int{0: 4, 1: 2, 2: 4}[kind]
		if size == 0 || len(raw) != size*n {
			return fmt.Errorf("%w: tensor %d of type %d has %d bytes for %d values", ErrModel, i, kind, len(raw), n)
		}
		switch kind {
		case 0:
			out.data = make([]float32, n)
			for k := range out.data {
				out.data[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
			}
		case 1:
			out.data = make([]float32, n)
			for k := range out.data {
				out.data[k] = half(binary.LittleEndian.Uint16(raw[2*k:]))
			}
		case 2:
			out.ints = make([]int32, n)
			for k := range out.ints {
				out.ints[k] = int32(binary.LittleEndian.Uint32(raw[4*k:]))
			}
		}
	}
	return nil
}

// half is an IEEE 754 binary16 as a float32.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3FF
	switch exp {
	case 31:
		return math.Float32frombits(sign | 0x7F800000 | frac<<13)
	case 0:
		v := float32(frac) / (1 << 24)
		if sign != 0 {
			return -v
		}
		return v
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// malformed ends the reading of a file whose offsets lead out of it.
type malformed string

// table is a FlatBuffers table: a place whose vtable tells where its fields are.
type table struct {
	b  []byte
	at int
}

func (t table) need(at, n int) {
	if at < 0 || n < 0 || at > len(t.b)-n {
		panic(malformed(fmt.Sprintf("%d bytes at %d are not in the file", n, at)))
	}
}

func (t table) u32(at int) uint32 {
	t.need(at, 4)
	return binary.LittleEndian.Uint32(t.b[at:])
}

// field is where field i is, 0 when the table leaves it out.
func (t table) field(i int) int {
	vtable := t.at - int(int32(t.u32(t.at)))
	t.need(vtable, 4)
	size := int(binary.LittleEndian.Uint16(t.b[vtable:]))
	slot := 4 + 2*i
	if slot+2 > size {
		return 0
	}
	t.need(vtable+slot, 2)
	if offset := int(binary.LittleEndian.Uint16(t.b[vtable+slot:])); offset != 0 {
		return t.at + offset
	}
	return 0
}

func (t table) uint(i int) uint32 {
	if at := t.field(i); at != 0 {
		return t.u32(at)
	}
	return 0
}

func (t table) int(i int) int { return int(int32(t.uint(i))) }

func (t table) byte(i int) byte {
	if at := t.field(i); at != 0 {
		t.need(at, 1)
		return t.b[at]
	}
	return 0
}

// follow is where the offset at a place leads.
func (t table) follow(at int) int { return at + int(t.u32(at)) }

// vector is where a vector's elements begin, and how many there are.
func (t table) vector(i, size int) (at, n int) {
	f := t.field(i)
	if f == 0 {
		return 0, 0
	}
	at = t.follow(f)
	n = int(t.u32(at))
	if n > len(t.b)/max(1, size) {
		panic(malformed(fmt.Sprintf("a vector of %d elements", n)))
	}
	t.need(at+4, n*size)
	return at + 4, n
}

func (t table) bytes(i int) []byte {
	at, n := t.vector(i, 1)
	return t.b[at : at+n]
}

func (t table) ints(i int) []int32 {
	at, n := t.vector(i, 4)
	out := make([]int32, n)
	for k := range out {
		out[k] = int32(binary.LittleEndian.Uint32(t.b[at+4*k:]))
	}
	return out
}

func (t table) tables(i int) []table {
	at, n := t.vector(i, 4)
	if n > 1<<16 {
		panic(malformed(fmt.Sprintf("%d tables", n)))
	}
	out := make([]table, n)
	for k := range out {
		out[k] = table{t.b, t.follow(at + 4*k)}
	}
	return out
}

// options is the table of a node's options; one without fields when there is none.
func (t table) options(i int) table {
	if at := t.field(i); at != 0 {
		return table{t.b, t.follow(at)}
	}
	// An empty vtable of four bytes, and a table that points to it.
	return table{[]byte{4, 0, 4, 0, 4, 0, 0, 0}, 4}
}
