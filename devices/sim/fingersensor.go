package sim

// The fingerprint sensor: a module of GROW's, as its manual of 2021 has it.
//
//	EF 01 | address | identifier | length u16 | content | sum u16
//
// It knows VfyPwd (13), ReadSysPara (0F), GenImg (01), UpImage (0A) and, where it is a model that does, ReadProdInfo (3C). Everything else is
// an unknown command.

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// DeviceFingerSensor is the sensor's name. It stands by itself, beside the [Bench].
const DeviceFingerSensor = "fingerprint"

// FingerSensorOptions of [StartFingerSensor].
type FingerSensorOptions struct {
	Line          LineOptions // 57,600 baud is usual; 0 means that
	Width, Height int         // of a picture; 0 means 256 by 288
	Product       string      // the model that ReadProdInfo names; "": it does not know the question
	Serial        string      // eight characters at most, with it
	Packet        int         // data in a packet: 32, 64, 128 or 256; 0 means 128
	Password      uint32
	Address       uint32 // 0 means FFFFFFFF
	// Taking is how long a picture takes; 0 means 200 ms.
	Taking time.Duration
}

// FingerSensor is a simulated module.
type FingerSensor struct {
	*plain
	opt FingerSensorOptions

	state   sync.Mutex
	finger  *Finger
	press   Press
	lies    []byte // what the glass sees while nothing disturbs; drawn before the finger is laid down, for that takes longer than a module may
	spoilt  view   // what it sees under the faults that were set last, drawn when they were
	seen    []byte // the same, as a picture
	picture []byte // in the module's memory
	let     bool   // the password was given
	put     int
	taken   int
	sent    int
}

// StartFingerSensor plugs a module in, with no finger on it.
func StartFingerSensor(opt FingerSensorOptions) (*FingerSensor, error) {
	if opt.Line.Baud == 0 {
		opt.Line.Baud = 57600
	}
	if opt.Width == 0 {
		opt.Width, opt.Height = 256, 288
	}
	if opt.Packet == 0 {
		opt.Packet = 128
	}
	if opt.Address == 0 {
		opt.Address = 0xFFFFFFFF
	}
	if opt.Taking == 0 {
		opt.Taking = 200 * time.Millisecond
	}
	if fingerSizes[opt.Packet] == 0 && opt.Packet != 32 || opt.Line.Baud%9600 != 0 || opt.Width%2 != 0 {
		return nil, fmt.Errorf("%w: packets of %d bytes at %d baud, %d pixels", ErrValue, opt.Packet, opt.Line.Baud, opt.Width)
	}
	s := &FingerSensor{opt: opt}
	// The answer to another command: the number of templates, which is none.
	p, err := startPlain(DeviceFingerSensor, opt.Line, fingerFaults, s.pack(7, []byte{0, 0, 0}), s.obey)
	if err != nil {
		return nil, err
	}
	s.plain = p
	return s, nil
}

var fingerSizes = map[int]byte{32: 0, 64: 1, 128: 2, 256: 3}

// PutFinger lays a finger down. Each time it has another grain.
func (s *FingerSensor) PutFinger(f Finger, p Press) {
	s.state.Lock()
	s.put++
	p.Grain += uint64(s.put)
	s.state.Unlock()
	// Not under the lock: the module answers meanwhile.
	plain := view{finger: &f, press: p}
	_, lies := s.draw(plain)
	spoilt, seen := plain, lies
	if v := plain.under(s.faults.has); v != plain {
		spoilt, seen = s.draw(v)
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.finger, s.press, s.lies, s.spoilt, s.seen = &f, p, lies, spoilt, seen
}

// Fault breaks the sensor; value "" takes the fault's default.
func (s *FingerSensor) Fault(name, value string) error {
	if err := s.plain.Fault(name, value); err != nil {
		return err
	}
	s.state.Lock()
	plain := view{finger: s.finger, press: s.press}
	s.state.Unlock()
	if v := plain.under(s.faults.has); v != plain {
		_, seen := s.draw(v)
		s.state.Lock()
		defer s.state.Unlock()
		s.spoilt, s.seen = v, seen
	}
	return nil
}

// view is what makes a picture.
type view struct {
	finger *Finger
	press  Press
	other  bool // somebody else's finger lies there
}

// under is the view under the faults that struck.
func (v view) under(struck func(fault string) bool) view {
	v.other = struck("other-finger")
	v.press.Wet = struck("wet") || v.press.Wet
	v.press.Dry = struck("dry") || v.press.Dry
	v.press.Smeared = struck("smeared") || v.press.Smeared
	v.press.Tip = struck("tip") || v.press.Tip
	return v
}

// draw draws a view.
func (s *FingerSensor) draw(v view) (view, []byte) {
	switch {
	case v.finger == nil:
		return v, nil
	case v.other:
		f := FingerOf("nobody", 1)
		return v, f.Picture(v.press, s.opt.Width, s.opt.Height)
	}
	return v, v.finger.Picture(v.press, s.opt.Width, s.opt.Height)
}

// LiftFinger takes it away.
func (s *FingerSensor) LiftFinger() {
	s.state.Lock()
	defer s.state.Unlock()
	s.finger = nil
}

// FingerSensorState is how a sensor looks.
type FingerSensorState struct {
	Finger bool `json:"finger"`
	Put    int  `json:"put"`   // fingers that were laid down; the number of the last is part of its grain
	Taken  int  `json:"taken"` // pictures
	Sent   int  `json:"sent"`  // pictures handed over, or begun to be
}

// State tells how the sensor is.
func (s *FingerSensor) State() FingerSensorState {
	s.state.Lock()
	defer s.state.Unlock()
	return FingerSensorState{s.finger != nil, s.put, s.taken, s.sent}
}

// pack makes a packet.
func (s *FingerSensor) pack(pid byte, content []byte) []byte {
	a, n := s.opt.Address, len(content)+2
	p := []byte{0xEF, 0x01, byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a), pid, byte(n >> 8), byte(n)}
	p = append(p, content...)
	check := 0
	for _, b := range p[6:] {
		check += int(b)
	}
	return append(p, byte(check>>8), byte(check))
}

// reply is an answer: a code and what belongs to it.
func (s *FingerSensor) reply(code byte, more ...byte) []byte {
	out := s.pack(7, append([]byte{code}, more...))
	if s.faults.once("answer-damaged") {
		out[len(out)-1] ^= 0x5A
	}
	return out
}

// obey takes one command off the start of what came.
func (s *FingerSensor) obey(in []byte) (int, []byte) {
	if len(in) == 0 {
		return 0, nil
	}
	head := s.pack(1, nil)[:7]
	for i := range min(len(in), len(head)) {
		if in[i] != head[i] {
			return 1, nil
		}
	}
	if len(in) < 9 {
		return 0, nil
	}
	n := int(in[7])<<8 | int(in[8])
	if n < 3 || n > 64 {
		return 1, nil
	}
	if len(in) < 9+n {
		return 0, nil
	}
	content := in[9 : 9+n-2]
	if string(s.pack(1, content)) != string(in[:9+n]) {
		return 9 + n, s.reply(0x01)
	}
	return 9 + n, s.command(content[0], content[1:])
}

func (s *FingerSensor) command(c byte, parameters []byte) []byte {
	s.state.Lock()
	defer s.state.Unlock()
	if code, on := s.faults.value("code"); on && c == 0x01 {
		return s.reply(byte(code))
	}
	if c == 0x13 {
		want := s.opt.Password
		s.let = string(parameters) == string([]byte{byte(want >> 24), byte(want >> 16), byte(want >> 8), byte(want)})
		if !s.let || s.faults.has("password") {
			s.let = false
			return s.reply(0x13)
		}
		return s.reply(0x00)
	}
	if s.opt.Password != 0 && !s.let {
		return s.reply(0x21)
	}
	switch c {
	case 0x0F:
		a := s.opt.Address
		return s.reply(0x00, 0, 4, 0, 0, 3, 0xE8, 0, 3, byte(a>>24), byte(a>>16), byte(a>>8), byte(a), 0, fingerSizes[s.opt.Packet], 0, byte(s.opt.Line.Baud/9600))
	case 0x3C:
		if s.opt.Product == "" {
			return s.reply(0xFC)
		}
		text := func(t string, n int) string { return (t + strings.Repeat("\x00", n))[:n] }
		info := text(s.opt.Product, 16) + text("SIM1", 4) + text(s.opt.Serial, 8) + "\x01\x02" + text("SIMULATE", 8)
		info += string([]byte{byte(s.opt.Width >> 8), byte(s.opt.Width), byte(s.opt.Height >> 8), byte(s.opt.Height), 6, 0, 0, 200})
		return s.reply(0x00, []byte(info)...)
	case 0x01:
		return s.take()
	case 0x0A:
		if s.picture == nil || s.faults.once("not-sent") {
			return s.reply(0x0F)
		}
		s.sent++
		return s.upload()
	}
	return s.reply(0xFC)
}

// take takes a picture into memory.
func (s *FingerSensor) take() []byte {
	if s.finger == nil || s.faults.has("no-finger") {
		return s.reply(0x02)
	}
	time.Sleep(s.opt.Taking)
	s.taken++
	plain := view{finger: s.finger, press: s.press}
	switch v := plain.under(s.faults.once); v {
	case plain:
		s.picture = s.lies
	case s.spoilt:
		s.picture = s.seen
	default: // of two faults one was over
		_, s.picture = s.draw(v)
	}
	return s.reply(0x00)
}

// upload is the answer and all packets of a picture, as the faults have them.
func (s *FingerSensor) upload() []byte {
	out := s.reply(0x00)
	data := make([]byte, 0, len(s.picture)/2)
	for i := 0; i < len(s.picture); i += 2 {
		data = append(data, s.picture[i]&0xF0|s.picture[i+1]>>4)
	}
	if s.faults.once("too-much") {
		data = append(data, data...)
	}
	if s.faults.once("too-little") {
		data = data[:len(data)-s.opt.Packet]
	}
	damaged, cut := -1, -1
	if s.faults.once("sum-wrong") {
		damaged = len(data) / 2
	}
	if s.faults.once("breaks-off") {
		cut = len(data) / 2
	}
	if s.faults.once("unplug-mid-picture") {
		cut = len(data) / 2
		s.cutAfter()
	}
	for at := 0; at < len(data); at += s.opt.Packet {
		end, pid := at+s.opt.Packet, byte(2)
		if end >= len(data) {
			end, pid = len(data), 8
		}
		p := s.pack(pid, data[at:end])
		if damaged >= at && damaged < end {
			p[12] ^= 0x01
		}
		if cut >= at && cut < end {
			return append(out, p[:len(p)/2]...)
		}
		out = append(out, p...)
	}
	return out
}

var fingerFaults = append([]FaultInfo{
	{Name: "no-finger", About: "the finger is not noticed"},
	{Name: "wet", Value: times, Default: 1, max: 1000, About: "the finger is wet: valleys are filled"},
	{Name: "dry", Value: times, Default: 1, max: 1000, About: "the finger is dry: ridges are broken"},
	{Name: "smeared", Value: times, Default: 1, max: 1000, About: "the finger moves while its picture is taken"},
	{Name: "tip", Value: times, Default: 1, max: 1000, About: "only the finger's tip lies there"},
	{Name: "other-finger", Value: times, Default: 1, max: 1000, About: "another person's finger lies there"},
	{Name: "code", Value: "code", Default: 0x06, max: 255, About: "a picture is answered with this code"},
	{Name: "password", About: "the password is refused"},
	{Name: "answer-damaged", Value: times, Default: 1, max: 1000, About: "an answer's sum is wrong"},
	{Name: "sum-wrong", Value: times, Default: 1, max: 1000, About: "one packet of a picture is damaged"},
	{Name: "too-much", Value: times, Default: 1, max: 1000, About: "twice as much comes as a picture has"},
	{Name: "too-little", Value: times, Default: 1, max: 1000, About: "a picture lacks a packet"},
	{Name: "not-sent", Value: times, Default: 1, max: 1000, About: "the module cannot hand the picture over"},
	{Name: "breaks-off", Value: times, Default: 1, max: 1000, About: "a picture stops coming in the middle of a packet"},
	{Name: "unplug-mid-picture", Value: times, Default: 1, max: 1000, About: "the cable is pulled while a picture comes; clear puts it back"},
}, plainFaults...)
