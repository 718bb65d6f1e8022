package main

// From TensorFlow Lite to ONNX (onnx.proto, operator set 14), for MediaPipe's models only: they are pinned by hash, so that a file
// that is not as expected panics. Four-dimensional values go from height, width, channels to channels, height, width, which is what
// ONNX Runtime computes; input and outputs stay as they were, by a transposition each.

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// flat is a table of FlatBuffers.
type flat struct {
	b  []byte
	at int
}

func (t flat) u32(at int) int { return int(int32(binary.LittleEndian.Uint32(t.b[at:]))) }

func (t flat) field(i int) int {
	vtable := t.at - t.u32(t.at)
	if size := int(binary.LittleEndian.Uint16(t.b[vtable:])); 4+2*i+2 > size {
		return 0
	}
	if offset := int(binary.LittleEndian.Uint16(t.b[vtable+4+2*i:])); offset != 0 {
		return t.at + offset
	}
	return 0
}

func (t flat) int(i int) int {
	if at := t.field(i); at != 0 {
		return t.u32(at)
	}
	return 0
}

func (t flat) byte(i int) int {
	if at := t.field(i); at != 0 {
		return int(t.b[at])
	}
	return 0
}

func (t flat) vector(i int) (at, n int) {
	if at = t.field(i); at == 0 {
		return 0, 0
	}
	at += t.u32(at)
	return at + 4, t.u32(at)
}

func (t flat) bytes(i int) []byte { at, n := t.vector(i); return t.b[at : at+n] }

func (t flat) ints(i int) (all []int) {
	at, n := t.vector(i)
	for k := range n {
		all = append(all, t.u32(at+4*k))
	}
	return all
}

func (t flat) tables(i int) (all []flat) {
	at, n := t.vector(i)
	for k := range n {
		all = append(all, flat{t.b, at + 4*k + t.u32(at+4*k)})
	}
	return all
}

func (t flat) table(i int) flat {
	if at := t.field(i); at != 0 {
		return flat{t.b, at + t.u32(at)}
	}
	return flat{[]byte{4, 0, 4, 0, 4, 0, 0, 0}, 4} // without fields
}

// proto is a message of Protocol Buffers that is being written.
type proto []byte

func (p *proto) number(field int, v int64) {
	*p = binary.AppendUvarint(*p, uint64(field)<<3)
	*p = binary.AppendUvarint(*p, uint64(v))
}

func (p *proto) float(field int, v float32) {
	*p = binary.AppendUvarint(*p, uint64(field)<<3|5)
	*p = binary.LittleEndian.AppendUint32(*p, math.Float32bits(v))
}

func (p *proto) bytes(field int, v []byte) {
	*p = binary.AppendUvarint(*p, uint64(field)<<3|2)
	*p = binary.AppendUvarint(*p, uint64(len(v)))
	*p = append(*p, v...)
}

func (p *proto) text(field int, v string) { p.bytes(field, []byte(v)) }

// value is one of the graph's: a constant's data in the order of the file.
type value struct {
	shape []int
	data  []float32
	ints  []int
}

func (v value) elements() int {
	n := 1
	for _, d := range v.shape {
		n *= d
	}
	return n
}

// converter writes a graph.
type converter struct {
	graph  proto
	values []value
	extra  int
}

func name(i int) string { return fmt.Sprint("t", i) }

// own is a name that no value of the file has.
func (c *converter) own() string { c.extra++; return fmt.Sprint("x", c.extra) }

// attribute is a name with an int, a float, a text or several ints.
type attribute struct {
	name  string
	value any
}

func (c *converter) node(op string, in, out []string, attributes ...attribute) {
	var n proto
	for _, s := range in {
		n.text(1, s)
	}
	for _, s := range out {
		n.text(2, s)
	}
	n.text(4, op)
	for _, a := range attributes {
		var p proto
		p.text(1, a.name)
		switch v := a.value.(type) {
		case int:
			p.number(3, int64(v))
			p.number(20, 2)
		case string:
			p.text(4, v)
			p.number(20, 3)
		case []int:
			for _, i := range v {
				p.number(8, int64(i))
			}
			p.number(20, 7)
		default:
			panic(fmt.Sprintf("attribute %T", v))
		}
		n.bytes(5, p)
	}
	c.graph.bytes(1, n)
}

// constant adds weights and returns their name.
func (c *converter) constant(data []float32, shape ...int) string {
	var t proto
	for _, d := range shape {
		t.number(1, int64(d))
	}
	t.number(2, 1)
	id := c.own()
	t.text(8, id)
	raw := make([]byte, 0, 4*len(data))
	for _, v := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	t.bytes(9, raw)
	c.graph.bytes(5, t)
	return id
}

func (c *converter) integers(v ...int) string {
	var t proto
	t.number(1, int64(len(v)))
	t.number(2, 7)
	id := c.own()
	t.text(8, id)
	var raw []byte
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(i)))
	}
	t.bytes(9, raw)
	c.graph.bytes(5, t)
	return id
}

// port declares an input or output.
func (c *converter) port(field int, id string, shape []int) {
	var dims, tensor, kind, info proto
	for _, d := range shape {
		var dim proto
		dim.number(1, int64(d))
		dims.bytes(1, dim)
	}
	tensor.number(1, 1)
	tensor.bytes(2, dims)
	kind.bytes(1, tensor)
	info.text(1, id)
	info.bytes(2, kind)
	c.graph.bytes(field, info)
}

// half is an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exp, frac := float64(1), int(h>>10)&31, float64(h&0x3FF)
	if h>>15 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return float32(sign * math.Ldexp(frac, -24))
	case 31:
		panic("no number among the weights")
	}
	return float32(sign * math.Ldexp(frac+1024, exp-25))
}

// convert returns an ONNX model with the input "in" and the outputs "out0", "out1" and so on, and the shapes of both.
func convert(b []byte) (model []byte, in []int, outs [][]int) {
	root := flat{b, int(binary.LittleEndian.Uint32(b))}
	codes, g, buffers := root.tables(1), root.tables(2)[0], root.tables(4)
	c := &converter{}
	for _, t := range g.tables(0) {
		v := value{shape: t.ints(0)}
		raw := buffers[t.int(2)].bytes2(0)
		switch t.byte(1) {
		case 0:
			for k := 0; k+4 <= len(raw); k += 4 {
				v.data = append(v.data, math.Float32frombits(binary.LittleEndian.Uint32(raw[k:])))
			}
		case 1:
			for k := 0; k+2 <= len(raw); k += 2 {
				v.data = append(v.data, half(binary.LittleEndian.Uint16(raw[k:])))
			}
		case 2:
			for k := 0; k+4 <= len(raw); k += 4 {
				v.ints = append(v.ints, int(int32(binary.LittleEndian.Uint32(raw[k:]))))
			}
		}
		c.values = append(c.values, v)
	}
	input := g.ints(1)[0]
	in = c.values[input].shape
	c.port(11, "in", in)
	c.node("Transpose", []string{"in"}, []string{name(input)}, attribute{"perm", []int{0, 3, 1, 2}})
	for _, n := range g.tables(3) {
		code := codes[n.int(0)]
		c.operation(max(code.byte(0), code.int(3)), n)
	}
	for i, o := range g.ints(2) {
		id, shape := fmt.Sprint("out", i), c.values[o].shape
		if len(shape) == 4 {
			c.node("Transpose", []string{name(o)}, []string{id}, attribute{"perm", []int{0, 2, 3, 1}})
		} else {
			c.node("Identity", []string{name(o)}, []string{id})
		}
		c.port(12, id, shape)
		outs = append(outs, shape)
	}
	c.graph.text(2, "graph")
	var opset, m proto
	opset.text(1, "")
	opset.number(2, 14)
	m.number(1, 8)
	m.bytes(7, c.graph)
	m.bytes(8, opset)
	return m, in, outs
}

// bytes2 is a vector of bytes that may be missing.
func (t flat) bytes2(i int) []byte {
	if t.field(i) == 0 {
		return nil
	}
	return t.bytes(i)
}

// follow lets an operation's own activation follow it: first is where the operation itself writes.
func (c *converter) follow(act int, out string) (first string, then func()) {
	switch act {
	case 0:
		return out, func() {}
	case 1:
		first = c.own()
		return first, func() { c.node("Relu", []string{first}, []string{out}) }
	case 3:
		first = c.own()
		return first, func() { c.node("Clip", []string{first, c.scalar(0), c.scalar(6)}, []string{out}) }
	}
	panic(fmt.Sprint("activation ", act))
}

func (c *converter) scalar(v float32) string { return c.constant([]float32{v}) }

// pads are those of one axis for padding SAME: what is odd goes behind.
func pads(same bool, in, kernel, stride, dilation int) (before, after int) {
	if !same {
		return 0, 0
	}
	total := max(0, ((in+stride-1)/stride-1)*stride+(kernel-1)*dilation+1-in)
	return total / 2, total - total/2
}

// permuted lays data of a shape out anew: axis i of the result is axis order[i] of the data.
func permuted(v value, order ...int) ([]float32, []int) {
	shape, strides := make([]int, len(order)), make([]int, len(order))
	for i, o := range order {
		shape[i] = v.shape[o]
		strides[i] = 1
		for _, d := range v.shape[o+1:] {
			strides[i] *= d
		}
	}
	out := make([]float32, 0, len(v.data))
	at := make([]int, len(order))
	for range v.data {
		from := 0
		for i, k := range at {
			from += k * strides[i]
		}
		out = append(out, v.data[from])
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return out, shape
}

// operand is the name of a value; a constant is added as one number for each channel.
func (c *converter) operand(i int) string {
	v := c.values[i]
	if v.data == nil {
		return name(i)
	}
	switch n := v.shape[len(v.shape)-1]; {
	case v.elements() == 1:
		return c.constant(v.data, 1)
	case v.elements() == n:
		return c.constant(v.data, 1, n, 1, 1)
	case len(v.shape) == 4:
		return c.constant(permuted1(v))
	}
	panic(fmt.Sprint("a constant of ", v.shape))
}

func permuted1(v value) ([]float32, int, int, int, int) {
	d, s := permuted(v, 0, 3, 1, 2)
	return d, s[0], s[1], s[2], s[3]
}

func (c *converter) operation(kind int, n flat) {
	ins, o, opt := n.ints(1), n.ints(2)[0], n.table(4)
	out := name(o)
	in := c.values[ins[0]]
	weights := func() value { return c.values[ins[1]] }
	bias := func(n int) string {
		if len(ins) < 3 || ins[2] < 0 {
			return c.constant(make([]float32, n), n)
		}
		return c.constant(c.values[ins[2]].data, n)
	}
	conv := func(w string, kh, kw, oc, sw, sh, act, dw, dh, group int) {
		same := opt.byte(0) == 0
		top, bottom := pads(same, in.shape[1], kh, sh, dh)
		left, right := pads(same, in.shape[2], kw, sw, dw)
		first, then := c.follow(act, out)
		c.node("Conv", []string{name(ins[0]), w, bias(oc)}, []string{first}, attribute{"kernel_shape", []int{kh, kw}}, attribute{"strides", []int{sh, sw}},
			attribute{"dilations", []int{dh, dw}}, attribute{"pads", []int{top, left, bottom, right}}, attribute{"group", group})
		then()
	}
	switch kind {
	case 3: // CONV_2D
		d, s := permuted(weights(), 0, 3, 1, 2)
		conv(c.constant(d, s...), s[2], s[3], s[0], opt.int(1), opt.int(2), opt.byte(3), max(1, opt.int(4)), max(1, opt.int(5)), 1)
	case 4: // DEPTHWISE_CONV_2D
		d, s := permuted(weights(), 3, 0, 1, 2)
		conv(c.constant(d, s...), s[2], s[3], s[0], opt.int(1), opt.int(2), opt.byte(4), max(1, opt.int(5)), max(1, opt.int(6)), s[0])
	case 0, 18: // ADD, MUL
		first, then := c.follow(opt.byte(0), out)
		c.node(map[int]string{0: "Add", 18: "Mul"}[kind], []string{c.operand(ins[0]), c.operand(ins[1])}, []string{first})
		then()
	case 1, 17: // AVERAGE_POOL_2D, MAX_POOL_2D
		same, sw, sh, kw, kh := opt.byte(0) == 0, opt.int(1), opt.int(2), opt.int(3), opt.int(4)
		top, bottom := pads(same, in.shape[1], kh, sh, 1)
		left, right := pads(same, in.shape[2], kw, sw, 1)
		first, then := c.follow(opt.byte(5), out)
		c.node(map[int]string{1: "AveragePool", 17: "MaxPool"}[kind], []string{name(ins[0])}, []string{first}, attribute{"kernel_shape", []int{kh, kw}},
			attribute{"strides", []int{sh, sw}}, attribute{"pads", []int{top, left, bottom, right}})
		then()
	case 2: // CONCATENATION
		axis := opt.int(0)
		if axis < 0 {
			axis += len(in.shape)
		}
		if len(in.shape) == 4 {
			axis = []int{0, 2, 3, 1}[axis]
		}
		var all []string
		for _, i := range ins {
			all = append(all, name(i))
		}
		c.node("Concat", all, []string{out}, attribute{"axis", axis})
	case 6: // DEQUANTIZE of 16-bit weights
		c.values[o].data = in.data
	case 14:
		c.node("Sigmoid", []string{name(ins[0])}, []string{out})
	case 19:
		c.node("Relu", []string{name(ins[0])}, []string{out})
	case 21:
		c.node("Clip", []string{name(ins[0]), c.scalar(0), c.scalar(6)}, []string{out})
	case 117:
		c.node("HardSwish", []string{name(ins[0])}, []string{out})
	case 22: // RESHAPE
		from := name(ins[0])
		if len(in.shape) == 4 {
			from = c.own()
			c.node("Transpose", []string{name(ins[0])}, []string{from}, attribute{"perm", []int{0, 2, 3, 1}})
		}
		shape, to := c.values[o].shape, out
		if len(shape) == 4 {
			to = c.own()
		}
		c.node("Reshape", []string{from, c.integers(shape...)}, []string{to})
		if len(shape) == 4 {
			c.node("Transpose", []string{to}, []string{out}, attribute{"perm", []int{0, 3, 1, 2}})
		}
	case 23: // RESIZE_BILINEAR
		mode := "asymmetric"
		switch {
		case opt.byte(2) != 0:
			mode = "align_corners"
		case opt.byte(3) != 0:
			mode = "half_pixel"
		}
		s := c.values[o].shape
		c.node("Resize", []string{name(ins[0]), "", "", c.integers(s[0], s[3], s[1], s[2])}, []string{out}, attribute{"mode", "linear"},
			attribute{"coordinate_transformation_mode", mode})
	case 34: // PAD
		p := c.values[ins[1]].ints
		order := []int{0, 3, 1, 2}
		var before, after []int
		for _, a := range order {
			before, after = append(before, p[2*a]), append(after, p[2*a+1])
		}
		c.node("Pad", []string{name(ins[0]), c.integers(slices.Concat(before, after)...)}, []string{out})
	case 54: // PRELU
		alpha := c.values[ins[1]]
		c.node("PRelu", []string{name(ins[0]), c.constant(alpha.data, alpha.elements(), 1, 1)}, []string{out})
	case 32: // MediaPipe's Convolution2DTransposeBias, whose kernel is as large as its stride
		d, s := permuted(weights(), 3, 0, 1, 2)
		c.node("ConvTranspose", []string{name(ins[0]), c.constant(d, s...), bias(s[1])}, []string{out}, attribute{"kernel_shape", []int{s[2], s[3]}},
			attribute{"strides", []int{s[2], s[3]}})
	default:
		panic(fmt.Sprint("operation ", kind))
	}
}
