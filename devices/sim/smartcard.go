package sim

// Social-security cards, and two ways to a host: pcscd's socket as we know it, and the port of vsmartcard's virtual reader, behind
// which Debian's own pcscd stands.

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// DeviceSmartCard is the reader's name. It stands beside the [Bench].
const DeviceSmartCard = "smart-card"

// SocialCard is a simulated social-security card.
type SocialCard struct {
	Name, Number string
	Region       string // six digits
	Expires      string // YYYYMMDD
	FromOne      bool   // records are numbered from 1, not by their tag
	P1Zero       bool   // files are selected with P1 00
	ShortOnly    bool   // files are known by their short number only
	P2Zero       bool   // records are read with P2 00
	Protected    bool   // EF06 wants a secret
	Correcting   bool   // T=0: wrong lengths are corrected, answers are fetched
	Other        bool   // another kind of card
}

// SampleSocialCard is a synthetic person's.
func SampleSocialCard() SocialCard {
	return SocialCard{Name: "李晓雯", Number: "990000199003070021", Region: "990000", Expires: "20991231"}
}

// record makes tag, length, value.
func (c SocialCard) record(tag byte) []byte {
	pad := func(s []byte, n int) []byte {
		out := make([]byte, n)
		copy(out, s)
		return out
	}
	digits := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	var v []byte
	switch tag {
	case 1:
		v = pad(digits(c.Region+"00000000"), 16)
	case 2:
		v = []byte("1")
	case 3:
		v = []byte("2.00")
	case 4:
		v = pad(digits("91560000023"+"0"), 12)
	case 5:
		v = digits("20150401")
	case 6:
		v = digits(c.Expires)
	case 7:
		v = []byte("A12345678")
	case 8:
		v = []byte(c.Number)
	case 9:
		name, _ := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(c.Name))
		v = pad(name, 30)
	case 10:
		v = []byte{'2'}
		if (c.Number[16]-'0')%2 == 1 {
			v = []byte{'1'}
		}
	case 11:
		v = []byte{0x01}
	case 12:
		v = digits(c.Region)
	case 13:
		v = digits(c.Number[6:14])
	default:
		return nil
	}
	return append([]byte{tag, byte(len(v))}, v...)
}

// icc is a card with power.
type icc struct {
	card    SocialCard
	app     bool
	file    byte
	pending []byte
}

var ssseName = []byte("sx1.sh.\xC9\xE7\xBB\xE1\xB1\xA3\xD5\xCF")

// answer executes an APDU.
func (k *icc) answer(a []byte) []byte {
	sw := func(n int) []byte { return []byte{byte(n >> 8), byte(n)} }
	if len(a) < 4 {
		return sw(0x6700)
	}
	if a[0] != 0 {
		return sw(0x6E00)
	}
	var data []byte
	if len(a) > 5 && len(a) >= 5+int(a[4]) {
		data = a[5 : 5+int(a[4])]
	}
	switch a[1] {
	case 0xA4:
		switch {
		case a[2] == 4:
			k.app = string(data) == string(ssseName) && !k.card.Other
			if !k.app {
				return sw(0x6A82)
			}
			return sw(0x9000)
		case !k.app || k.card.ShortOnly || len(data) != 2 || data[0] != 0xEF || data[1] != 5 && data[1] != 6:
			return sw(0x6A82)
		case k.card.P1Zero != (a[2] == 0):
			return sw(0x6A86)
		}
		k.file = data[1]
		return sw(0x9000)
	case 0xB2:
		file, p2 := k.file, a[3]
		switch {
		case p2>>3 != 0:
			file = p2 >> 3
		case k.card.P2Zero != (p2 == 0):
			return sw(0x6A86)
		}
		if !k.app || file != 5 && file != 6 {
			return sw(0x6A82)
		}
		if file == 6 && k.card.Protected {
			return sw(0x6982)
		}
		first, last := byte(1), byte(7)
		if file == 6 {
			first, last = 8, 13
		}
		tag := a[2]
		if k.card.FromOne {
			tag = first + a[2] - 1
		}
		if tag < first || tag > last {
			return sw(0x6A83)
		}
		r := k.card.record(tag)
		if k.card.Correcting {
			if tag%2 == 0 { // half of them by GET RESPONSE, half by a corrected length
				k.pending = r
				return []byte{0x61, byte(len(r))}
			}
			if len(a) != 5 || int(a[4]) != len(r) {
				return []byte{0x6C, byte(len(r))}
			}
		}
		return append(r, sw(0x9000)...)
	case 0xC0:
		r := k.pending
		k.pending = nil
		if len(r) == 0 {
			return sw(0x6985)
		}
		return append(r, sw(0x9000)...)
	}
	return sw(0x6D00)
}

var sampleATR = []byte{0x3B, 0x6D, 0x00, 0x00, 0x00, 0x81, 0x54, 0x44, 0x38, 0x86, 0x99, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}

var smartCardFaults = []FaultInfo{
	{Name: "silent", About: "the daemon takes requests and never answers"},
	{Name: "unplug", About: "the daemon is stopped; clear starts it"},
	{Name: "no-reader", About: "the reader is unplugged, the daemon runs"},
	{Name: "card-mute", About: "the card does not answer"},
	{Name: "pulled", Value: times, Default: 1, max: 1000, About: "the card is pulled while it is read, and put back"},
	{Name: "garbage", About: "the card answers nonsense"},
	{Name: "endless", About: "the card always says that there is more"},
	{Name: "long-answer", About: "the daemon announces an answer of 64 MiB"},
	{Name: "half-answer", About: "the daemon breaks off in the middle of an answer"},
	{Name: "bad-entry", About: "the daemon's table of readers makes no sense"},
	{Name: "version", Value: "minor", Default: 9, max: 1000, About: "the daemon speaks another version"},
	{Name: "in-use", About: "another program holds the card for itself"},
}

// SmartCardReader is a simulated pcscd with one reader.
type SmartCardReader struct {
	path, own string
	faults    *faults

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	card     *SocialCard
	apdus    [][]byte
	wait     sync.WaitGroup
}

// StartSmartCardReader starts a daemon on a socket in dir; "" makes a directory.
func StartSmartCardReader(dir string) (r *SmartCardReader, err error) {
	r = &SmartCardReader{faults: newFaults(smartCardFaults), open: map[net.Conn]bool{}}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "budayang-sim-"); err != nil {
			return nil, fmt.Errorf("sim %s: %w", DeviceSmartCard, err)
		}
		r.own = dir
	}
	r.path = filepath.Join(dir, "pcscd.comm")
	return r, r.on()
}

func (r *SmartCardReader) on() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		return nil
	}
	_ = os.Remove(r.path)
	l, err := net.Listen("unix", r.path)
	if err != nil {
		return fmt.Errorf("sim %s: %w", DeviceSmartCard, err)
	}
	r.listener = l
	r.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.open[c] = true
			r.mu.Unlock()
			r.wait.Go(func() { r.serve(c) })
		}
	})
	return nil
}

func (r *SmartCardReader) off() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	for c := range r.open {
		_ = c.Close()
	}
}

// URI is how a driver opens the reader.
func (r *SmartCardReader) URI() string { return "pcsc:" + r.path }

// Close stops the daemon.
func (r *SmartCardReader) Close() error {
	r.faults.clear("")
	r.off()
	r.wait.Wait()
	if r.own != "" {
		return os.RemoveAll(r.own)
	}
	return nil
}

// Put puts a card in; nil takes it out.
func (r *SmartCardReader) Put(c *SocialCard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.card = c
}

// APDUs are all commands that came to a card.
func (r *SmartCardReader) APDUs() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte{}, r.apdus...)
}

// Fault breaks the reader; value "" takes the fault's default. See [Faults].
func (r *SmartCardReader) Fault(name, value string) error {
	n, err := r.faults.parse(name, value)
	if err != nil {
		return err
	}
	r.faults.set(name, n)
	if name == "unplug" {
		r.off()
	}
	return nil
}

// Clear mends one fault, or everything for "".
func (r *SmartCardReader) Clear(name string) error {
	if name != "" {
		if _, err := r.faults.parse(name, ""); err != nil {
			return err
		}
	}
	r.faults.clear(name)
	if !r.faults.has("unplug") {
		return r.on()
	}
	return nil
}

func (r *SmartCardReader) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		r.mu.Lock()
		delete(r.open, c)
		r.mu.Unlock()
	}()
	n := binary.NativeEndian
	var k *icc
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, min(n.Uint32(head), 1024))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		for r.faults.has("silent") {
			time.Sleep(10 * time.Millisecond)
		}
		put := func(at int, v uint32) {
			if at+4 <= len(body) {
				n.PutUint32(body[at:], v)
			}
		}
		r.mu.Lock()
		card := r.card
		r.mu.Unlock()
		var more []byte
		switch n.Uint32(head[4:]) {
		case 0x11: // version
			if len(body) != 12 {
				return
			}
			minor := uint32(4)
			if v, on := r.faults.value("version"); on {
				minor = uint32(v)
			}
			put(8, 0)
			if n.Uint32(body) != 4 || n.Uint32(body[4:]) != minor {
				put(8, 0x8010001D)
			}
			put(0, 4)
			put(4, minor)
		case 0x01:
			put(4, 77)
			put(8, 0)
		case 0x02, 0x06:
			put(len(body)-4, 0)
			k = nil
		case 0x04:
			rv := uint32(0)
			switch {
			case len(body) != 4+128+20:
				return
			case r.faults.has("in-use"):
				rv = 0x8010000B
			case card == nil:
				rv = 0x80100069
			case r.faults.has("card-mute"):
				rv = 0x80100066
			default:
				k = &icc{card: *card}
			}
			put(4+128+8, 5)
			put(4+128+12, 1)
			put(4+128+16, rv)
		case 0x12:
			body = r.table(card)
		case 0x09:
			if len(body) != 32 {
				return
			}
			apdu := make([]byte, min(n.Uint32(body[12:]), 1024))
			if _, err := io.ReadFull(c, apdu); err != nil {
				return
			}
			r.mu.Lock()
			r.apdus = append(r.apdus, apdu)
			r.mu.Unlock()
			put(28, 0)
			switch {
			case k == nil || card == nil:
				put(28, 0x80100069)
			case len(apdu) > 1 && apdu[1] == 0xB2 && r.faults.once("pulled"):
				put(28, 0x80100069)
				k = nil
			case r.faults.has("garbage"):
				more = []byte{0xDE, 0xAD, 0xBE, 0xEF, 0x90, 0x00}
			case r.faults.has("endless"):
				more = append(make([]byte, 100), 0x61, 0x64)
			default:
				more = k.answer(apdu)
			}
			put(24, uint32(len(more)))
			if r.faults.has("long-answer") {
				put(24, 64<<20)
			}
		default:
			return
		}
		out := append(body, more...)
		if r.faults.has("half-answer") {
			_, _ = c.Write(out[:len(out)/2])
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// table is what the daemon says of its readers.
func (r *SmartCardReader) table(card *SocialCard) []byte {
	b := make([]byte, 16*184)
	if r.faults.has("no-reader") {
		return b
	}
	copy(b, "Budayang Simulated Reader 00 00")
	n := binary.NativeEndian
	state := uint32(0x0002)
	if card != nil {
		state = 0x0034
		copy(b[140:], sampleATR)
		n.PutUint32(b[176:], uint32(len(sampleATR)))
	}
	n.PutUint32(b[132:], state)
	if r.faults.has("bad-entry") {
		n.PutUint32(b[176:], 4711)
	}
	return b
}

// ServeVirtualCard puts a card into vsmartcard's virtual reader at an address until ctx ends: lengths of two bytes, a single byte
// is power off, power on, reset, or the question for the ATR.
func ServeVirtualCard(ctx context.Context, addr string, card SocialCard) (err error) {
	defer func() {
		if ctx.Err() != nil {
			err = nil
		}
	}()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("sim %s: %w", DeviceSmartCard, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	k := &icc{card: card}
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(c, head); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		in := make([]byte, binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		out := []byte(nil)
		switch {
		case len(in) == 1 && in[0] == 4:
			out = sampleATR
		case len(in) == 1:
			k = &icc{card: card}
			continue
		default:
			out = k.answer(in)
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return err
		}
	}
}
