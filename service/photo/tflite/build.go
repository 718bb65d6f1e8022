package tflite

// From a model's nodes to the steps of a run: shapes are checked and weights packed once.

import "fmt"

// Operations by their numbers in the TFLite schema.
const (
	opAdd, opAveragePool, opConcat, opConv, opDepthwise = 0, 1, 2, 3, 4
	opDequantize, opLogistic, opMaxPool, opMul          = 6, 14, 17, 18
	opRelu, opRelu6, opReshape, opResize                = 19, 21, 22, 23
	opCustom, opPad, opPrelu, opHardSwish               = 32, 34, 54, 117
)

// activation is what follows an operation within it.
type activation byte

const (
	actNone  activation = 0
	actRelu  activation = 1
	actRelu6 activation = 3
)

// node is an operation while it is built.
type node struct {
	m       *Model
	in, out []int
	opt     table
}

func (n *node) tensor(i int) (*tensor, error) {
	if i >= len(n.in) || n.in[i] < 0 {
		return nil, fmt.Errorf("%w: operand %d is missing", ErrModel, i)
	}
	return &n.m.tensors[n.in[i]], nil
}

// constant is an operand that must be weights.
func (n *node) constant(i int) (*tensor, error) {
	t, err := n.tensor(i)
	if err == nil && (!t.fixed || t.data == nil) {
		err = fmt.Errorf("%w: operand %d is not constant", ErrModel, i)
	}
	return t, err
}

// bias is a constant of n values; zeros when there is none.
func (n *node) bias(i, values int) ([]float32, error) {
	if i >= len(n.in) || n.in[i] < 0 {
		return make([]float32, values), nil
	}
	t, err := n.constant(i)
	if err == nil && len(t.data) != values {
		err = fmt.Errorf("%w: %d biases for %d channels", ErrModel, len(t.data), values)
	}
	if err != nil {
		return nil, err
	}
	return t.data, nil
}

// result is the only output, of a shape that must be the file's.
func (n *node) result(shape ...int) (*tensor, error) {
	t := &n.m.tensors[n.out[0]]
	want := 1
	for _, d := range shape {
		want *= d
	}
	if want != t.elements() {
		return nil, fmt.Errorf("%w: a result of %v where the file says %v", ErrModel, shape, t.shape)
	}
	t.data = make([]float32, want)
	return t, nil
}

// add builds one node.
func (m *Model) add(t table, codes []table, made []bool) error {
	code := t.uint(0)
	if int(code) >= len(codes) {
		return fmt.Errorf("%w: operation code %d", ErrModel, code)
	}
	kind := max(int(int8(codes[code].byte(0))), codes[code].int(3))
	n := &node{m: m, opt: t.options(4)}
	for _, i := range t.ints(1) {
		if int(i) >= len(m.tensors) || i >= 0 && !made[i] {
			return fmt.Errorf("%w: operand %d is not computed yet", ErrModel, i)
		}
		n.in = append(n.in, int(i))
	}
	for _, o := range t.ints(2) {
		if o < 0 || int(o) >= len(m.tensors) || made[o] {
			return fmt.Errorf("%w: result %d", ErrModel, o)
		}
		n.out = append(n.out, int(o))
	}
	if len(n.out) != 1 {
		return fmt.Errorf("%w: %d results", ErrModel, len(n.out))
	}
	if _, err := n.tensor(0); err != nil {
		return err
	}
	made[n.out[0]] = true
	step, err := n.build(kind, codes[code])
	if err != nil {
		return err
	}
	if step == nil { // a constant, computed while loading
		m.tensors[n.out[0]].fixed = true
		return nil
	}
	m.live = append(m.live, n.out[0])
	m.steps = append(m.steps, step)
	return nil
}

func (n *node) build(kind int, code table) (func(), error) {
	switch kind {
	case opConv:
		return n.conv()
	case opDepthwise:
		return n.depthwise()
	case opAdd, opMul:
		return n.pairwise(kind)
	case opAveragePool, opMaxPool:
		return n.pool(kind)
	case opConcat:
		return n.concat()
	case opDequantize:
		return n.dequantize()
	case opLogistic, opHardSwish, opRelu, opRelu6:
		return n.pointwise(kind)
	case opReshape:
		return n.reshape()
	case opResize:
		return n.resize()
	case opPad:
		return n.pad()
	case opPrelu:
		return n.prelu()
	case opCustom:
		if at := code.field(1); at != 0 {
			name := string(table{code.b, code.at}.text(at))
			if name == "Convolution2DTransposeBias" {
				return n.transposed()
			}
			return nil, fmt.Errorf("%w: custom operation %q", ErrModel, name)
		}
	}
	return nil, fmt.Errorf("%w: operation %d is not known", ErrModel, kind)
}

// text is the string that the offset at a place leads to.
func (t table) text(at int) []byte {
	at = t.follow(at)
	n := int(t.u32(at))
	if n > 256 {
		panic(malformed("a long name"))
	}
	t.need(at+4, n)
	return t.b[at+4 : at+4+n]
}

// window is how a kernel moves over a picture.
type window struct {
	h, w, c         int // of the input
	kh, kw          int
	sh, sw          int // strides
	dh, dw          int // dilations
	oh, ow          int // of the output
	padTop, padLeft int
	activation      activation
}

// place computes size and padding of the output.
func (v *window) place(same bool) error {
	if v.sh < 1 || v.sw < 1 || v.dh < 1 || v.dw < 1 || v.kh < 1 || v.kw < 1 || v.sh > 256 || v.sw > 256 || v.dh > 256 || v.dw > 256 {
		return fmt.Errorf("%w: strides %d %d, dilations %d %d", ErrModel, v.sh, v.sw, v.dh, v.dw)
	}
	if v.activation != actNone && v.activation != actRelu && v.activation != actRelu6 {
		return fmt.Errorf("%w: activation %d", ErrModel, v.activation)
	}
	eh, ew := (v.kh-1)*v.dh+1, (v.kw-1)*v.dw+1
	if same {
		v.oh, v.ow = (v.h+v.sh-1)/v.sh, (v.w+v.sw-1)/v.sw
		v.padTop = max(0, (v.oh-1)*v.sh+eh-v.h) / 2
		v.padLeft = max(0, (v.ow-1)*v.sw+ew-v.w) / 2
		return nil
	}
	if v.h < eh || v.w < ew {
		return fmt.Errorf("%w: a kernel of %dx%d over %dx%d", ErrModel, eh, ew, v.h, v.w)
	}
	v.oh, v.ow = (v.h-eh)/v.sh+1, (v.w-ew)/v.sw+1
	return nil
}

func (n *node) conv() (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	weights, err := n.constant(1)
	if err != nil {
		return nil, err
	}
	if len(weights.shape) != 4 || weights.shape[3] != c {
		return nil, fmt.Errorf("%w: weights %v for %d channels", ErrModel, weights.shape, c)
	}
	oc := weights.shape[0]
	v := window{h: h, w: w, c: c, kh: weights.shape[1], kw: weights.shape[2], sw: n.opt.int(1), sh: n.opt.int(2),
		activation: activation(n.opt.byte(3)), dw: max(1, n.opt.int(4)), dh: max(1, n.opt.int(5))}
	if err := v.place(n.opt.byte(0) == 0); err != nil {
		return nil, err
	}
	bias, err := n.bias(2, oc)
	if err != nil {
		return nil, err
	}
	out, err := n.result(v.oh, v.ow, oc)
	if err != nil {
		return nil, err
	}
	k := v.kh * v.kw * c
	packed := pack(weights.data, bias, oc, k)
	if v.kh == 1 && v.kw == 1 && v.sh == 1 && v.sw == 1 {
		return func() { packed.multiply(out.data, in.data, v.oh*v.ow, v.activation) }, nil
	}
	n.m.scratchFor(v.ow * k)
	m := n.m
	return func() {
		rows := m.scratch[:v.ow*k]
		for y := range v.oh {
			v.gather(rows, in.data, y)
			packed.multiply(out.data[y*v.ow*oc:], rows, v.ow, v.activation)
		}
	}, nil
}

func (m *Model) scratchFor(n int) {
	if len(m.scratch) < n {
		m.scratch = make([]float32, n)
	}
}

func (n *node) depthwise() (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	weights, err := n.constant(1)
	if err != nil {
		return nil, err
	}
	if len(weights.shape) != 4 || weights.shape[0] != 1 || weights.shape[3] != c {
		return nil, fmt.Errorf("%w: weights %v for %d channels each by itself", ErrModel, weights.shape, c)
	}
	v := window{h: h, w: w, c: c, kh: weights.shape[1], kw: weights.shape[2], sw: n.opt.int(1), sh: n.opt.int(2),
		activation: activation(n.opt.byte(4)), dw: max(1, n.opt.int(5)), dh: max(1, n.opt.int(6))}
	if err := v.place(n.opt.byte(0) == 0); err != nil {
		return nil, err
	}
	bias, err := n.bias(2, c)
	if err != nil {
		return nil, err
	}
	out, err := n.result(v.oh, v.ow, c)
	if err != nil {
		return nil, err
	}
	return func() { v.depthwise(out.data, in.data, weights.data, bias) }, nil
}

// pairwise is an addition or a multiplication of two tensors of one shape, or with one value for each channel.
func (n *node) pairwise(kind int) (func(), error) {
	a, _ := n.tensor(0)
	b, err := n.tensor(1)
	if err != nil {
		return nil, err
	}
	if a.elements() < b.elements() {
		a, b = b, a
	}
	out, err := n.result(a.shape...)
	if err != nil {
		return nil, err
	}
	act := activation(n.opt.byte(0))
	period := b.elements()
	channels := a.shape[len(a.shape)-1]
	if a.data == nil || b.data == nil || period != a.elements() && period != channels && period != 1 || act > actRelu6 || act == 2 {
		return nil, fmt.Errorf("%w: shapes %v and %v", ErrModel, a.shape, b.shape)
	}
	return func() {
		for at := 0; at < len(a.data); at += period {
			x, y, o := a.data[at:at+period], b.data[:period], out.data[at:at+period]
			if kind == opAdd {
				for i, v := range x {
					o[i] = v + y[i]
				}
			} else {
				for i, v := range x {
					o[i] = v * y[i]
				}
			}
		}
		activate(out.data, act)
	}, nil
}

func (n *node) pool(kind int) (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	v := window{h: h, w: w, c: c, sw: n.opt.int(1), sh: n.opt.int(2), kw: n.opt.int(3), kh: n.opt.int(4),
		activation: activation(n.opt.byte(5)), dh: 1, dw: 1}
	if v.kw > w || v.kh > h {
		return nil, fmt.Errorf("%w: pooling %dx%d of %dx%d", ErrModel, v.kh, v.kw, h, w)
	}
	if err := v.place(n.opt.byte(0) == 0); err != nil {
		return nil, err
	}
	out, err := n.result(v.oh, v.ow, c)
	if err != nil {
		return nil, err
	}
	return func() { v.pool(out.data, in.data, kind == opMaxPool) }, nil
}

func (n *node) concat() (func(), error) {
	axis := n.opt.int(0)
	first, _ := n.tensor(0)
	if axis < 0 {
		axis += len(first.shape)
	}
	if axis < 0 || axis >= len(first.shape) {
		return nil, fmt.Errorf("%w: axis %d of %v", ErrModel, axis, first.shape)
	}
	outer := 1
	for _, d := range first.shape[:axis] {
		outer *= d
	}
	var parts []*tensor
	total := 0
	for i := range n.in {
		t, err := n.tensor(i)
		if err != nil {
			return nil, err
		}
		if t.data == nil || len(t.data)%outer != 0 {
			return nil, fmt.Errorf("%w: %v among %v", ErrModel, t.shape, first.shape)
		}
		parts = append(parts, t)
		total += len(t.data)
	}
	out, err := n.result(total)
	if err != nil {
		return nil, err
	}
	return func() {
		at := 0
		for o := range outer {
			for _, t := range parts {
				run := len(t.data) / outer
				at += copy(out.data[at:], t.data[o*run:(o+1)*run])
			}
		}
	}, nil
}

// dequantize of 16-bit weights: they were widened when they were read.
func (n *node) dequantize() (func(), error) {
	in, err := n.constant(0)
	if err != nil {
		return nil, err
	}
	out, err := n.result(in.shape...)
	if err != nil {
		return nil, err
	}
	out.data = in.data
	return nil, nil
}

func (n *node) pointwise(kind int) (func(), error) {
	in, _ := n.tensor(0)
	out, err := n.result(in.shape...)
	if err != nil {
		return nil, err
	}
	if len(in.data) != len(out.data) {
		return nil, fmt.Errorf("%w: operand has no values", ErrModel)
	}
	switch kind {
	case opLogistic:
		return func() { logistic(out.data, in.data) }, nil
	case opHardSwish:
		return func() { hardSwish(out.data, in.data) }, nil
	}
	act := actRelu
	if kind == opRelu6 {
		act = actRelu6
	}
	return func() { copy(out.data, in.data); activate(out.data, act) }, nil
}

func (n *node) reshape() (func(), error) {
	in, _ := n.tensor(0)
	out, err := n.result(in.shape...)
	if err != nil {
		return nil, err
	}
	return func() { copy(out.data, in.data) }, nil
}

func (n *node) resize() (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	size, err := n.tensor(1)
	if err != nil || len(size.ints) != 2 || size.ints[0] < 1 || size.ints[1] < 1 || size.ints[0] > 4096 || size.ints[1] > 4096 {
		return nil, fmt.Errorf("%w: resize to %v", ErrModel, size)
	}
	oh, ow := int(size.ints[0]), int(size.ints[1])
	out, err := n.result(oh, ow, c)
	if err != nil {
		return nil, err
	}
	r := resizer{h, w, c, oh, ow, n.opt.byte(2) != 0, n.opt.byte(3) != 0}
	return func() { r.run(out.data, in.data) }, nil
}

// pad adds zeros around height, width and channels.
func (n *node) pad() (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	p, err := n.tensor(1)
	if err != nil || len(p.ints) != 8 || p.ints[0] != 0 || p.ints[1] != 0 {
		return nil, fmt.Errorf("%w: padding", ErrModel)
	}
	for _, v := range p.ints {
		if v < 0 || v > 4096 {
			return nil, fmt.Errorf("%w: padding %v", ErrModel, p.ints)
		}
	}
	top, left, front := int(p.ints[2]), int(p.ints[4]), int(p.ints[6])
	ow, oc := left+w+int(p.ints[5]), front+c+int(p.ints[7])
	out, err := n.result(top+h+int(p.ints[3]), ow, oc)
	if err != nil {
		return nil, err
	}
	return func() {
		for y := range h {
			for x := range w {
				copy(out.data[((y+top)*ow+x+left)*oc+front:][:c], in.data[(y*w+x)*c:][:c])
			}
		}
	}, nil
}

func (n *node) prelu() (func(), error) {
	in, _ := n.tensor(0)
	alpha, err := n.constant(1)
	if err != nil {
		return nil, err
	}
	out, err := n.result(in.shape...)
	if err != nil {
		return nil, err
	}
	c := in.shape[len(in.shape)-1]
	if len(alpha.data) != c {
		return nil, fmt.Errorf("%w: %d slopes for %d channels", ErrModel, len(alpha.data), c)
	}
	return func() { prelu(out.data, in.data, alpha.data) }, nil
}

// transposed is MediaPipe's transposed convolution with a bias, of kernels as large as their strides (so that no two of
// them touch the same pixel).
func (n *node) transposed() (func(), error) {
	in, _ := n.tensor(0)
	h, w, c, err := in.hwc()
	if err != nil {
		return nil, err
	}
	weights, err := n.constant(1)
	if err != nil {
		return nil, err
	}
	if len(weights.shape) != 4 || weights.shape[3] != c {
		return nil, fmt.Errorf("%w: weights %v for %d channels", ErrModel, weights.shape, c)
	}
	oc, kh, kw := weights.shape[0], weights.shape[1], weights.shape[2]
	bias, err := n.bias(2, oc)
	if err != nil {
		return nil, err
	}
	out, err := n.result(h*kh, w*kw, oc)
	if err != nil {
		return nil, err
	}
	// Each pixel is multiplied with the whole kernel at once, as a convolution with oc*kh*kw outputs; what comes of it is then laid out.
	outs := oc * kh * kw
	biases := make([]float32, outs)
	for i := range biases {
		biases[i] = bias[i/(kh*kw)]
	}
	packed := pack(weights.data, biases, outs, c)
	n.m.scratchFor(w * outs)
	m := n.m
	return func() {
		line := m.scratch[:w*outs]
		for y := range h {
			packed.multiply(line, in.data[y*w*c:(y+1)*w*c], w, actNone)
			for ky := range kh {
				to := out.data[(y*kh+ky)*w*kw*oc:][:w*kw*oc]
				for x := range w {
					for kx := range kw {
						for o := range oc {
							to[(x*kw+kx)*oc+o] = line[x*outs+(o*kh+ky)*kw+kx]
						}
					}
				}
			}
		}
	}, nil
}
