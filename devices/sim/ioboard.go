package sim

// The I/O board: a Modbus slave on a serial line, with inputs that a hand sets and coils that a hand looks at.

import (
	"encoding/binary"
	"sync"
	"time"
)

// DeviceIOBoard is the board's name: that of the role that it is there for.
const DeviceIOBoard = "door"

// IOBoardOptions of [StartIOBoard].
type IOBoardOptions struct {
	Line LineOptions // 9600 baud is usual; 0 means that
	Unit byte        // 0 means 1
	Size int         // how many of each table there are; 0 means 8
	// Door closes the switch on input 0, as a closed door does; the faults door-open and tampered act on inputs 0 and 1.
	Door bool
}

// IOBoard is a simulated board.
type IOBoard struct {
	*plain
	unit byte

	state   sync.Mutex
	inputs  []bool
	coils   []bool
	holding []uint16
	writes  int
	asked   int
	chatter bool
}

var ioBoardFaults = append([]FaultInfo{
	{Name: "door-open", About: "the cabinet's door is open: input 0 is off"},
	{Name: "tampered", About: "the cabinet is moved: input 1 is on"},
	{Name: "late", Value: "ms", Default: 600, max: 60000, About: "every answer comes late"},
	{Name: "bad-crc", Value: times, Default: 0, max: 1000, About: "answers with a wrong checksum"},
	{Name: "exception", Value: "code", Default: 4, max: 255, About: "every request is refused"},
	{Name: "other-unit", Value: times, Default: 0, max: 1000, About: "answers in another board's name"},
	{Name: "wrong-count", Value: times, Default: 0, max: 1000, About: "answers with more data than was asked for"},
	{Name: "chatters", About: "the first input goes to and fro with every question"},
	{Name: "deaf-outputs", About: "it confirms what it is told and switches nothing"},
}, plainFaults...)

// StartIOBoard plugs a board in; all inputs are off.
func StartIOBoard(opt IOBoardOptions) (*IOBoard, error) {
	if opt.Line.Baud == 0 {
		opt.Line.Baud = 9600
	}
	if opt.Unit == 0 {
		opt.Unit = 1
	}
	if opt.Size == 0 {
		opt.Size = 8
	}
	b := &IOBoard{unit: opt.Unit, inputs: make([]bool, opt.Size), coils: make([]bool, opt.Size), holding: make([]uint16, opt.Size)}
	b.inputs[0] = opt.Door
	p, err := startPlain(DeviceIOBoard, opt.Line, ioBoardFaults, withCRC([]byte{opt.Unit, 6, 0, 0, 0, 0}), b.reply)
	if err != nil {
		return nil, err
	}
	b.plain = p
	return b, nil
}

// IOBoardState is what a board looks like from outside.
type IOBoardState struct {
	Inputs []bool   `json:"inputs"`
	Coils  []bool   `json:"coils"`
	Faults []string `json:"faults,omitempty"`
	URI    string   `json:"uri"`
}

// State tells how the board is.
func (b *IOBoard) State() IOBoardState {
	s := IOBoardState{Faults: b.faults.names(), URI: b.URI()}
	b.state.Lock()
	defer b.state.Unlock()
	s.Inputs, s.Coils = append([]bool{}, b.inputs...), append([]bool{}, b.coils...)
	return s
}

// Input sets an input.
func (b *IOBoard) Input(n int, on bool) {
	b.state.Lock()
	defer b.state.Unlock()
	b.inputs[n] = on
}

// Holding sets a register, which is read as an input register too.
func (b *IOBoard) Holding(n int, v uint16) {
	b.state.Lock()
	defer b.state.Unlock()
	b.holding[n] = v
}

// Coil tells whether a relay is on.
func (b *IOBoard) Coil(n int) bool {
	b.state.Lock()
	defer b.state.Unlock()
	return b.coils[n]
}

// Register is a register's value.
func (b *IOBoard) Register(n int) uint16 {
	b.state.Lock()
	defer b.state.Unlock()
	return b.holding[n]
}

// Writes counts the writes that were carried out.
func (b *IOBoard) Writes() int {
	b.state.Lock()
	defer b.state.Unlock()
	return b.writes
}

// crcTable is CRC-16/MODBUS by bytes, as the appendix of the serial line's guide makes it.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			carry := c & 1
			if c >>= 1; carry != 0 {
				c ^= 0xA001
			}
		}
		t[i] = c
	}
	return t
}()

func withCRC(b []byte) []byte {
	c := uint16(0xFFFF)
	for _, x := range b {
		c = c>>8 ^ crcTable[byte(c)^x]
	}
	return append(b, byte(c), byte(c>>8))
}

// reply takes one request of eight bytes; a frame whose checksum does not fit is not answered.
func (b *IOBoard) reply(in []byte) (int, []byte) {
	if len(in) < 8 {
		return 0, nil
	}
	q := in[:8]
	if sealed := withCRC(append([]byte{}, q[:6]...)); string(sealed) != string(q) || q[0] != b.unit {
		return 8, nil
	}
	if ms, on := b.faults.value("late"); on {
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	out := b.carryOut(q)
	if code, on := b.faults.value("exception"); on {
		out = []byte{q[0], q[1] | 0x80, byte(code)}
	}
	if b.faults.once("wrong-count") && len(out) > 3 && q[1] <= 4 {
		out[2] += 2
		out = append(out, 0, 0)
	}
	if b.faults.once("other-unit") {
		out[0]++
	}
	out = withCRC(out)
	if b.faults.once("bad-crc") {
		out[len(out)-1] ^= 0x55
	}
	return 8, out
}

func (b *IOBoard) carryOut(q []byte) []byte {
	b.state.Lock()
	defer b.state.Unlock()
	b.asked++
	first, second := int(binary.BigEndian.Uint16(q[2:])), int(binary.BigEndian.Uint16(q[4:]))
	refuse := func(code byte) []byte { return []byte{q[0], q[1] | 0x80, code} }
	size := len(b.inputs)
	deaf := b.faults.has("deaf-outputs")
	switch q[1] {
	case 1, 2:
		if second < 1 || first+second > size {
			return refuse(2)
		}
		if b.faults.has("chatters") {
			b.chatter = !b.chatter
			b.inputs[0] = b.chatter
		}
		table := b.coils
		if q[1] == 2 {
			table = append([]bool{}, b.inputs...)
			table[0] = table[0] && !b.faults.has("door-open")
			table[1] = table[1] || b.faults.has("tampered")
		}
		out := append([]byte{q[0], q[1], byte((second + 7) / 8)}, make([]byte, (second+7)/8)...)
		for i := range second {
			if table[first+i] {
				out[3+i/8] |= 1 << (i % 8)
			}
		}
		return out
	case 3, 4:
		if second < 1 || first+second > size {
			return refuse(2)
		}
		out := []byte{q[0], q[1], byte(2 * second)}
		for _, v := range b.holding[first : first+second] {
			out = binary.BigEndian.AppendUint16(out, v)
		}
		return out
	case 5:
		if first >= size {
			return refuse(2)
		}
		if second != 0 && second != 0xFF00 {
			return refuse(3)
		}
		if !deaf {
			b.coils[first] = second != 0
			b.writes++
		}
	case 6:
		if first >= size {
			return refuse(2)
		}
		if !deaf {
			b.holding[first] = uint16(second)
			b.writes++
		}
	default:
		return refuse(1)
	}
	return append([]byte{}, q[:6]...)
}
