package idcard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
)

// vector is the synthetic record of the id-readers reference, 3.6: no real person.
var vector = sync.OnceValue(func() []byte {
	sp := func(n int) string { return strings.Repeat("2000", n) }
	h := "205f094e" + sp(13) + "3200" + "30003100" + "31003900340039003100320033003100" +
		"3a798b4f01773a798b4f025e3a798b4f3a533a798b4fef8d3100f753" + sp(21) +
		"310031003000310030003500310039003400390031003200330031003000300032005800" +
		"3a798b4f025e6c51895b405c3a798b4f0652405c" + sp(5) +
		"32003000320030003000310030003100" + "7f951f67" + sp(6) + sp(18)
	b, err := hex.DecodeString(h)
	if err != nil {
		panic(err)
	}
	return b
})

func photo() []byte {
	p := make([]byte, photoLen)
	copy(p, []byte{0x57, 0x4C, 0x66, 0, 0x7E, 0, 0x32, 0})
	return p
}

// answerFrame is a module's frame.
func answerFrame(sw3 byte, data ...byte) []byte {
	n := 4 + len(data)
	f := append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, byte(n >> 8), byte(n), 0, 0, sw3}, data...)
	return append(f, xor(f[5:]))
}

func readData(text, picture []byte) []byte {
	d := []byte{byte(len(text) >> 8), byte(len(text)), byte(len(picture) >> 8), byte(len(picture))}
	return append(append(d, text...), picture...)
}

func TestVectorsOfTheReference(t *testing.T) {
	if sum := sha256.Sum256(vector()); hex.EncodeToString(sum[:]) != "48ff1f1de3c2edfcb6b7899726f730717a271231acb7b24b905ef683ad476e69" {
		t.Fatalf("the vector is %x", sum)
	}
	frame := answerFrame(0x90, readData(vector(), photo())...)
	if sum := sha256.Sum256(frame); len(frame) != 1295 || frame[1294] != 0x2D || hex.EncodeToString(sum[:]) != "235fcca6c2626e457f571b0e6a048a47f190c577ecd7467b0c064e68012a16cf" {
		t.Fatalf("frame of %d bytes, CHK %02X, %x", len(frame), frame[len(frame)-1], sum)
	}
	for c, want := range map[command]string{
		cmdStatus: "aaaaaa96690003" + "11ffed", cmdSAMID: "aaaaaa96690003" + "12ffee", cmdFind: "aaaaaa96690003" + "200122",
		cmdSelect: "aaaaaa96690003" + "200221", cmdRead: "aaaaaa96690003" + "300132", cmdReadFull: "aaaaaa96690003" + "301023",
		cmdAddress: "aaaaaa96690003" + "300330"} {
		if got := hex.EncodeToString(encode(c)); got != want {
			t.Errorf("%v encodes as %s, expected %s", c, got, want)
		}
	}
	if got := hex.EncodeToString(encode(cmdSetRFSize, 0x50)); got != "aaaaaa9669000461ff50ca" {
		t.Errorf("RF size encodes as %s", got)
	}
	id, _ := hex.DecodeString("0500010009b8320105be1200adc5b111")
	if got := samID(id); got != "05.01-20101129-0001228293-0296863149" {
		t.Errorf("SAM id %s", got)
	}
}

func TestRecordOfAResident(t *testing.T) {
	c, err := parseRecord(vector(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != devices.CardResident || c.Name != "张三" || c.Sex != '2' || Nation(c.Nation) != "汉" || c.Number != "11010519491231002X" ||
		c.Address != "示例省示例市示例区示例路1号" || c.Issuer != "示例市公安局示例分局" || !c.LongTerm || c.Birth.Format("20060102") != "19491231" || len(c.Warnings) != 0 {
		t.Errorf("fields are wrong: kind %s, warnings %v", c.Kind, c.Warnings)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %d", c, *c, *c, c, *c); strings.Contains(s, "张三") || strings.Contains(s, "1101") {
		t.Errorf("a card formats as %s", s)
	}
}

// put writes text into a record.
func put(rec []byte, at, n int, s string) {
	u := []byte{}
	for _, r := range s {
		if r > 0xFFFF {
			r -= 0x10000
			hi, lo := 0xD800+r>>10, 0xDC00+r&0x3FF
			u = append(u, byte(hi), byte(hi>>8), byte(lo), byte(lo>>8))
			continue
		}
		u = append(u, byte(r), byte(r>>8))
	}
	for len(u) < n {
		u = append(u, 0x20, 0)
	}
	copy(rec[at:at+n], u)
}

func blank() []byte {
	r := make([]byte, textLen)
	put(r, 0, textLen, "")
	return r
}

func TestAllFourLayouts(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hmt := blank()
	for _, f := range []struct {
		at, n int
		s     string
	}{{0, 30, "何示例"}, {30, 2, "1"}, {36, 16, "19900101"}, {52, 70, "示例路"}, {122, 36, "810000199001010010"}, {158, 30, "示例局"},
		{188, 16, "20200101"}, {204, 16, "20250101"}, {220, 18, "H12345678"}, {238, 4, "01"}, {248, 2, "J"}} {
		put(hmt, f.at, f.n, f.s)
	}
	c, err := parseRecord(hmt, now)
	if err != nil || c.Kind != devices.CardHMT || c.Nation != "" || c.TravelPermit != "H12345678" || c.IssueCount != "01" {
		t.Errorf("J: %v %v", c, err)
	}
	if fmt.Sprint(c.Warnings) != "[check-digit expired]" {
		t.Errorf("J: warnings %v", c.Warnings)
	}
	old := blank()
	for _, f := range []struct {
		at, n int
		s     string
	}{{0, 120, "EXAMPLE, ALICE"}, {120, 2, "2"}, {122, 30, "KAZ110090123105"}, {152, 6, "KAZ"}, {158, 30, "阿赛"}, {188, 16, "20200101"},
		{204, 16, "20300101"}, {220, 16, "19900123"}, {236, 4, "01"}, {240, 8, "1100"}, {248, 2, "I"}} {
		put(old, f.at, f.n, f.s)
	}
	c, err = parseRecord(old, now)
	if err != nil || c.Kind != devices.CardForeignPR2017 || c.NameEN != "EXAMPLE, ALICE" || c.Number != "KAZ110090123105" || c.Nationality != "KAZ" || len(c.Warnings) != 0 {
		t.Errorf("I: %v %v warnings %v", c, err, c.Warnings)
	}
	y := blank()
	for _, f := range []struct {
		at, n int
		s     string
	}{{0, 30, "安娜"}, {30, 2, "2"}, {32, 4, "02"}, {36, 16, "19900123"}, {52, 70, "A VERY LONG ENGLISH NAME THAT GOES "}, {122, 36, "900398199001230021"},
		{188, 16, "20240101"}, {204, 16, "20340101"}, {220, 22, "ON HERE"}, {242, 6, "KAZ"}, {248, 2, "Y"}} {
		put(y, f.at, f.n, f.s)
	}
	c, err = parseRecord(y, now)
	if err != nil || c.Kind != devices.CardForeignPR2023 || !strings.HasSuffix(c.NameEN, "GOES ON HERE") || c.IssueCount != "02" || c.Nationality != "KAZ" {
		t.Errorf("Y: %v %v", c, err)
	}
	rare := append([]byte(nil), vector()...)
	put(rare, 0, 30, "𠮷田美")
	if c, err = parseRecord(rare, now); err != nil || c.Name != "𠮷田美" {
		t.Errorf("a name outside the BMP was not read: %v", err)
	}
	zero := append([]byte(nil), vector()...)
	put(zero, 36, 16, "00000000")
	put(zero, 188, 16, "00000000")
	if _, err := parseRecord(zero, now); !errors.Is(err, errEmptyRecord) {
		t.Errorf("all-zero dates: %v", err)
	}
}

func TestReadAnswerForms(t *testing.T) {
	two := readData(vector(), photo())
	if text, pic, fp, err := parseRead(two); err != nil || len(text) != 256 || len(pic) != 1024 || len(fp) != 0 {
		t.Errorf("two lengths: %v", err)
	}
	for _, n := range []int{0, 512, 1024} {
		three := append([]byte{1, 0, 4, 0, byte(n >> 8), byte(n)}, append(append(append([]byte(nil), vector()...), photo()...), make([]byte, n)...)...)
		if text, pic, fp, err := parseRead(three); err != nil || len(text) != 256 || len(pic) != 1024 || len(fp) != n {
			t.Errorf("three lengths with %d: %v", n, err)
		}
	}
	for _, bad := range [][]byte{nil, two[:100], append(two, 0), make([]byte, 1284)} {
		if _, _, _, err := parseRead(bad); err == nil {
			t.Errorf("%d bytes were accepted", len(bad))
		}
	}
}

func TestDecoderFindsFramesInNoise(t *testing.T) {
	good := answerFrame(0x90, 1, 2, 3)
	broken := append([]byte(nil), good...)
	broken[8] ^= 1
	for name, stream := range map[string][]byte{
		"clean":          good,
		"noise before":   append([]byte{1, 2, 0xAA, 0x96}, good...),
		"extra AA":       append([]byte{0xAA, 0xAA}, good...),
		"wrong XOR":      append(append([]byte(nil), broken...), good...),
		"giant length":   append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0xFF, 0xFF}, good...),
		"length zero":    append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0, 0}, good...),
		"preamble twice": append([]byte{0xAA, 0xAA, 0xAA, 0x96}, good...),
	} {
		for _, piece := range []int{1, 3, len(stream)} {
			var d decoder
			var got *answer
			for i := 0; i < len(stream); i += piece {
				d.push(stream[i:min(len(stream), i+piece)])
				if a, ok := d.next(); ok {
					got = &a
				}
			}
			if got == nil || got.sw3 != 0x90 || string(got.data) != "\x01\x02\x03" {
				t.Errorf("%s in pieces of %d: %+v", name, piece, got)
			}
		}
	}
}

// A beginning that promises bytes that never come must not cost the answer that stands behind it.
func TestAnswerBehindABeginningThatNeverEnds(t *testing.T) {
	m := healthy()
	good := answerFrame(0x9F, 0, 0, 0, 0)
	m.answers[cmdFind] = [][]byte{append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0x0F, 0xFF, 0, 0, 0x90}, good...)}
	r, err := opened(t, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	events := []devices.ReadEvent{}
	c, err := r.Read(within(t, 10*time.Second), func(e devices.ReadEvent) { events = append(events, e) })
	if err != nil || c.Name != "张三" || len(events) != 1 {
		t.Errorf("%v, events %v", err, events)
	}
}

// Noise that comes now and then while nobody is there is not the end of the waiting.
func TestScatteredNoiseDoesNotEndTheWaiting(t *testing.T) {
	m := healthy()
	none, odd := answerFrame(0x80), answerFrame(0x24)
	var answers [][]byte
	for range 20 {
		answers = append(answers, odd, none, none)
	}
	m.answers[cmdFind] = append(answers, answerFrame(0x9F, 0, 0, 0, 0))
	r, err := opened(t, m, Options{Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(within(t, 20*time.Second), nil); err != nil {
		t.Errorf("after scattered faults: %v", err)
	}
	m.mu.Lock()
	m.answers[cmdFind] = [][]byte{odd}
	m.mu.Unlock()
	if _, err := r.Read(within(t, 20*time.Second), nil); !errors.Is(err, errAgain) {
		t.Errorf("faults without end: %v", err)
	}
}

// Nothing of a card stays in the buffer that its answer came through.
func TestBufferForgetsTheCard(t *testing.T) {
	r, err := opened(t, healthy(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(within(t, 10*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	for i, b := range r.dec.buf[:cap(r.dec.buf)] {
		if b != 0 {
			t.Fatalf("byte %d of %d is left", i, cap(r.dec.buf))
		}
	}
}

func TestValidityIsByTheCalendarOnTheWall(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	text := append([]byte(nil), vector()...)
	put(text, 204, 16, "20300101")
	for _, c := range []struct {
		now  time.Time
		want bool
	}{
		{time.Date(2030, 1, 1, 23, 59, 0, 0, zone), false},
		{time.Date(2030, 1, 2, 0, 1, 0, 0, zone), true},
	} {
		card, err := parseRecord(text, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(card.Warnings, "expired"); got != c.want {
			t.Errorf("at %s: expired is %t", c.now, got)
		}
	}
	for day, early := range map[int]bool{31: true, 1: false} {
		now := time.Date(2020, 1, 1, 0, 1, 0, 0, zone)
		if day == 31 {
			now = now.Add(-2 * time.Minute)
		}
		card, err := parseRecord(text, now)
		if err != nil || slices.Contains(card.Warnings, "not-yet-valid") != early {
			t.Errorf("at %s: %v", now, err)
		}
	}
}

// pipeBus is a net.Pipe as a bus.
type pipeBus struct{ net.Conn }

func (p pipeBus) Read(ctx context.Context, b []byte) (int, error) {
	if d, ok := ctx.Deadline(); ok {
		_ = p.SetReadDeadline(d)
	} else {
		_ = p.SetReadDeadline(time.Time{})
	}
	stop := context.AfterFunc(ctx, func() { _ = p.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := p.Conn.Read(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, devices.ErrSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return n, devices.ErrNoDevice
	}
	return n, err
}

func (p pipeBus) Write(ctx context.Context, b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(2 * time.Second))
	n, err := p.Conn.Write(b)
	if err != nil {
		return n, devices.ErrNoDevice
	}
	return n, nil
}

func (pipeBus) Drain() {}

// module is a fake SAM: it answers each request by what its table says for the command, in turn.
type module struct {
	mu      sync.Mutex
	answers map[command][][]byte // the last one repeats
	asked   []command
	delay   map[command]time.Duration
	pace    func(n int) time.Duration
}

func (m *module) serve(c net.Conn) {
	buf := make([]byte, 64)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if n < 9 {
			continue
		}
		cmd := command{buf[7], buf[8]}
		m.mu.Lock()
		m.asked = append(m.asked, cmd)
		all := m.answers[cmd]
		var a []byte
		if len(all) > 0 {
			a = all[0]
			if len(all) > 1 {
				m.answers[cmd] = all[1:]
			}
		}
		wait, pace := m.delay[cmd], m.pace
		m.mu.Unlock()
		if pace != nil {
			time.Sleep(pace(n))
		}
		time.Sleep(wait)
		if a == nil {
			continue
		}
		if string(a) == "hang up" {
			_ = c.Close()
			return
		}
		if pace != nil {
			time.Sleep(pace(len(a)))
		}
		if _, err := c.Write(a); err != nil {
			return
		}
	}
}

func healthy() *module {
	id, _ := hex.DecodeString("0500010009b8320105be1200adc5b111")
	return &module{answers: map[command][][]byte{
		cmdStatus: {answerFrame(0x90)}, cmdSAMID: {answerFrame(0x90, id...)}, cmdSetRFSize: {answerFrame(0x90)},
		cmdFind: {answerFrame(0x9F, 0, 0, 0, 0)}, cmdSelect: {answerFrame(0x90, 0, 0, 0, 0, 0, 0, 0, 0)},
		cmdRead: {answerFrame(0x90, readData(vector(), photo())...)}, cmdAddress: {answerFrame(0x91)},
	}, delay: map[command]time.Duration{}}
}

func opened(t testing.TB, m *module, opt Options) (*Reader, error) {
	t.Helper()
	near, far := net.Pipe()
	go m.serve(far)
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	if opt.Poll == 0 {
		opt.Poll = 5 * time.Millisecond
	}
	return Open(context.Background(), pipeBus{near}, opt)
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestReadingACard(t *testing.T) {
	m := healthy()
	r, err := opened(t, m, Options{Address: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.id.Serial != "05.01-20101129-0001228293-0296863149" {
		t.Errorf("identity %+v", r.id)
	}
	c, err := r.Read(within(t, 5*time.Second), nil)
	if err != nil || c.Name != "张三" || len(c.WLT) != 1024 || len(c.AddedAddress) != 0 {
		t.Fatalf("%v", err)
	}
	c.Wipe()
	if c.Name != "" || c.WLT != nil {
		t.Error("wiping left something")
	}
}

func TestWhatTheFieldTaught(t *testing.T) {
	none, found := answerFrame(0x80), answerFrame(0x9F, 0, 0, 0, 0)
	good := answerFrame(0x90, readData(vector(), photo())...)
	broken := append([]byte(nil), good...)
	broken[700] ^= 0xFF
	for _, tt := range []struct {
		name  string
		set   func(*module)
		err   error
		again bool
	}{
		{"card comes late", func(m *module) { m.answers[cmdFind] = [][]byte{none, none, none, none, found} }, nil, false},
		{"one none between", func(m *module) { m.answers[cmdFind] = [][]byte{none, found} }, nil, false},
		{"select fails once", func(m *module) { m.answers[cmdSelect] = [][]byte{answerFrame(0x81), answerFrame(0x90)} }, nil, false},
		{"card moved during the read", func(m *module) { m.answers[cmdRead] = [][]byte{answerFrame(0x41), good} }, nil, true},
		{"wrong XOR once", func(m *module) { m.answers[cmdRead] = [][]byte{broken, good} }, nil, true},
		{"cut off once", func(m *module) { m.answers[cmdRead] = [][]byte{good[:600], good} }, nil, true},
		{"noise and extra AA", func(m *module) { m.answers[cmdRead] = [][]byte{append([]byte{9, 0xAA, 0xAA}, good...)} }, nil, false},
		{"module saw a bad checksum", func(m *module) { m.answers[cmdRead] = [][]byte{answerFrame(0x10), good} }, nil, false},
		{"moves three times", func(m *module) { m.answers[cmdRead] = [][]byte{answerFrame(0x41)} }, devices.ErrCardUnreadable, true},
		{"not an id card", func(m *module) { m.answers[cmdSelect] = [][]byte{answerFrame(0x40)} }, devices.ErrNotIDCard, false},
		{"refused", func(m *module) { m.answers[cmdRead] = [][]byte{answerFrame(0x32)} }, devices.ErrCardRejected, true},
		{"module breaks", func(m *module) { m.answers[cmdFind] = [][]byte{answerFrame(0x60)} }, devices.ErrUnusable, false},
		{"unplugged", func(m *module) { m.answers[cmdRead] = [][]byte{[]byte("hang up")} }, devices.ErrNoDevice, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := healthy()
			r, err := opened(t, m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			m.mu.Lock()
			tt.set(m)
			m.mu.Unlock()
			again := false
			c, err := r.Read(within(t, 20*time.Second), func(e devices.ReadEvent) { again = again || e == devices.ReadAgain })
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, expected %v", err, tt.err)
			}
			if err == nil && c.Name != "张三" {
				t.Error("wrong card")
			}
			if again != tt.again {
				t.Errorf("told to put the card down again: %v", again)
			}
		})
	}
}

func TestModuleThatRefusesToWork(t *testing.T) {
	for sw3, want := range map[byte]error{0x60: devices.ErrUnusable, 0x66: devices.ErrUnusable} {
		m := healthy()
		m.answers[cmdStatus] = [][]byte{answerFrame(sw3)}
		if _, err := opened(t, m, Options{}); !errors.Is(err, want) {
			t.Errorf("%02X: %v", sw3, err)
		}
	}
}

func TestRemovalIsBelievedOnlyAfterSeveralLooks(t *testing.T) {
	m := healthy()
	r, err := opened(t, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(within(t, 5*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.answers[cmdFind] = [][]byte{answerFrame(0x80), answerFrame(0x80), answerFrame(0x9F, 0, 0, 0, 0)}
	m.mu.Unlock()
	if media, err := r.Present(within(t, 20*time.Second)); err != nil || media != devices.MediaPresent {
		t.Errorf("one none in between reads as %s, %v", media, err)
	}
	m.mu.Lock()
	m.answers[cmdFind] = [][]byte{answerFrame(0x80)}
	m.mu.Unlock()
	if err := r.AwaitRemoval(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	m := healthy()
	m.answers[cmdFind] = [][]byte{answerFrame(0x80)}
	r, err := opened(t, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("left")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := r.Read(ctx, nil); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

func TestHelperNeverHidesTheText(t *testing.T) {
	for name, h := range map[string]Helper{
		"hangs":   {Command: []string{"sleep", "30"}, Timeout: 100 * time.Millisecond},
		"dies":    {Command: []string{"false"}},
		"floods":  {Command: []string{"yes"}, Timeout: time.Second},
		"missing": {Command: []string{"/no/such/helper"}},
		"rubbish": {Command: []string{"echo", "hello"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := opened(t, healthy(), Options{Photo: h})
			if err != nil {
				t.Fatal(err)
			}
			c, err := r.Read(within(t, 10*time.Second), nil)
			if err != nil || c.Name != "张三" || c.Photo != nil || fmt.Sprint(c.Warnings) != "[photo]" {
				t.Errorf("%v", err)
			}
		})
	}
	// A program that ends and leaves a child behind with its output open: bounded, and the child goes too.
	pid := filepath.Join(t.TempDir(), "pid")
	_, err := Helper{Command: []string{"sh", "-c", "sleep 600 & echo $! >" + pid + "; printf BMpicture"}}.Decode(within(t, 10*time.Second), photo())
	if err == nil {
		t.Error("a picture whose end nobody saw was taken")
	}
	number, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	for gone := within(t, 30*time.Second); ; {
		if gone.Err() != nil {
			t.Fatal("the helper's child lives on")
		}
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(number)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r, err := opened(t, healthy(), Options{Photo: Helper{Command: []string{"sh", "-c", "cat >/dev/null; printf BMpicture"}}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := r.Read(within(t, 10*time.Second), nil); err != nil || string(c.Photo) != "BMpicture" {
		t.Errorf("%v", err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(answerFrame(0x90, 1, 2, 3))
	f.Add(answerFrame(0x90, readData(vector(), photo())...))
	f.Add([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0xFF, 0xFF, 0xAA, 0xAA})
	f.Add([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, cut decoder
		whole.push(b)
		n := 0
		for {
			a, ok := whole.next()
			if !ok {
				break
			}
			n++
			_, _, _, _ = parseRead(a.data)
		}
		m := 0
		for i := range b {
			cut.push(b[i : i+1])
			for {
				if _, ok := cut.next(); !ok {
					break
				}
				m++
			}
		}
		if n != m {
			t.Errorf("%d frames at once, %d byte by byte", n, m)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(vector())
	for _, flag := range "JIY?" {
		r := append([]byte(nil), vector()...)
		put(r, 248, 2, string(flag))
		f.Add(r)
	}
	f.Add(make([]byte, 256))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseRecord(b, time.Now())
		if err == nil && (c.Birth.IsZero() || c.ValidFrom.IsZero()) {
			t.Error("a card without dates was accepted")
		}
	})
}

// uart is how long bytes take at 115200 baud.
func uart(n int) time.Duration { return time.Duration(n*10) * time.Second / 115200 }

// BenchmarkReadCard compares the time from the first successful find to parsed fields with what wire and module need.
func BenchmarkReadCard(b *testing.B) {
	m := healthy()
	m.pace = uart
	m.delay = map[command]time.Duration{cmdFind: 30 * time.Millisecond, cmdSelect: 60 * time.Millisecond, cmdRead: 500 * time.Millisecond}
	r, err := opened(b, m, Options{Poll: 200 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	limit := 560*time.Millisecond + uart(9+19+9+1295)
	var took time.Duration
	for b.Loop() {
		var found time.Time
		if _, err := r.Read(context.Background(), func(devices.ReadEvent) { found = time.Now() }); err != nil {
			b.Fatal(err)
		}
		took += time.Since(found)
	}
	b.ReportMetric(float64(took)/float64(b.N)/float64(limit), "of-wire-and-module")
	b.ReportMetric(1.10, "limit")
}

// BenchmarkNotice is how soon a card that was put down is noticed.
func BenchmarkNotice(b *testing.B) {
	m := healthy()
	m.pace = uart
	m.delay = map[command]time.Duration{cmdFind: 30 * time.Millisecond}
	r, err := opened(b, m, Options{Poll: 200 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	var worst time.Duration
	i := 0
	for b.Loop() {
		m.mu.Lock()
		m.answers[cmdFind] = [][]byte{answerFrame(0x80)}
		m.mu.Unlock()
		noticed, over := make(chan time.Time, 8), make(chan error, 1)
		go func() {
			_, err := r.Read(context.Background(), func(devices.ReadEvent) { noticed <- time.Now() })
			over <- err
		}()
		time.Sleep(time.Duration(37*i%200) * time.Millisecond)
		i++
		put := time.Now()
		m.mu.Lock()
		m.answers[cmdFind] = [][]byte{answerFrame(0x9F, 0, 0, 0, 0)}
		m.mu.Unlock()
		worst = max(worst, (<-noticed).Sub(put))
		if err := <-over; err != nil { // to its end: a line is not left in the middle of an answer
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(worst.Milliseconds()), "ms-worst")
	b.ReportMetric(float64(worst)/float64(300*time.Millisecond), "of-limit")
}
