package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Requests as the protocol's description prints them.
var (
	askReset   = unhex("AAAAAA9669000310FFEC")
	askStatus  = unhex("AAAAAA9669000311FFED")
	askID      = unhex("AAAAAA9669000312FFEE")
	askFind    = unhex("AAAAAA96690003200122")
	askSelect  = unhex("AAAAAA96690003200221")
	askRead    = unhex("AAAAAA96690003300132")
	askPrints  = unhex("AAAAAA96690003301023")
	askAddress = unhex("AAAAAA96690003300330")
	askNumbers = unhex("AAAAAA96690003300536")
	askSlow    = unhex("AAAAAA96690003600467")
	askRF      = unhex("AAAAAA9669000461FF50CA")

	saysOK      = unhex("AAAAAA9669000400009094")
	saysFound   = unhex("AAAAAA9669000800009F0000000097")
	saysChosen  = unhex("AAAAAA9669000C00009000000000000000009C")
	saysNoCard  = unhex("AAAAAA9669000400008084")
	saysRefused = unhex("AAAAAA9669000400008185")
	saysFailed  = unhex("AAAAAA9669000400004145")
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// quickReader answers at once.
func quickReader(t *testing.T, line LineOptions) (*IDReader, *wire) {
	t.Helper()
	line.Unpaced = true
	r, err := StartIDReader(ReaderOptions{Line: line, Find: -1, Select: -1, Read: -1})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r, dial(t, r.URI())
}

func card(t *testing.T, name string) Card {
	t.Helper()
	c, err := FindCard(SampleCards(), name)
	must(t, err)
	return c
}

// choose brings the card to where it can be read.
func (w *wire) choose() {
	w.t.Helper()
	w.send(askFind...)
	w.expect(saysFound...)
	w.send(askSelect...)
	w.expect(saysChosen...)
}

func TestModuleAnswersLikeTheDescription(t *testing.T) {
	for _, line := range []LineOptions{{}, {TCP: "127.0.0.1:0"}} {
		_, w := quickReader(t, line)
		for _, x := range []struct{ ask, says []byte }{
			{askReset, saysOK}, {askStatus, saysOK}, {askRF, saysOK},
			{askID, unhex("AAAAAA966900140000900500010009B8320105BE1200ADC5B11163")},
			{askFind, saysNoCard}, {askSelect, saysRefused}, {askRead, saysFailed}, {askNumbers, saysFailed},
			{unhex("AAAAAA96690003200123"), unhex("AAAAAA9669000400001014")}, // wrong checksum
			{unhex("AAAAAA9669FFFF"), unhex("AAAAAA9669000400001115")},       // wrong length
			{unhex("AAAAAA96690003770074"), unhex("AAAAAA9669000400002125")}, // no command
		} {
			w.send(x.ask...)
			w.expect(x.says...)
		}
		w.nothing()
	}
}

func TestRecordAndReadAnswerOfTheStandardsExample(t *testing.T) {
	c := card(t, "张三")
	rec, err := c.Record()
	must(t, err)
	if got := hash(rec); got != "48ff1f1de3c2edfcb6b7899726f730717a271231acb7b24b905ef683ad476e69" {
		t.Errorf("record %s\n%x", got, rec)
	}
	r, w := quickReader(t, LineOptions{})
	must(t, r.PutCard(c))
	w.choose()
	w.send(askRead...)
	answer := w.take(1295)
	if got := hash(answer); got != "235fcca6c2626e457f571b0e6a048a47f190c577ecd7467b0c064e68012a16cf" || answer[1294] != 0x2D {
		t.Errorf("answer %s, checksum %02X", got, answer[1294])
	}
	if r.State().Reads != 1 {
		t.Error("the read was not counted")
	}
}

func hash(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestReadWithFingerprintHasThreeLengths(t *testing.T) {
	r, w := quickReader(t, LineOptions{})
	for name, n := range map[string]int{"张三": 1297, "赵䶮": 2321} {
		must(t, r.PutCard(card(t, name)))
		w.choose()
		w.send(askPrints...)
		a := w.take(n)
		if got := int(a[14])<<8 | int(a[15]); got != n-1297 || xor(a[5:]) != 0 {
			t.Errorf("fingerprint of %d bytes, checksum %02X", got, xor(a[5:]))
		}
	}
}

func TestAddedAddresses(t *testing.T) {
	r, w := quickReader(t, LineOptions{})
	must(t, r.PutCard(card(t, "张三")))
	w.choose()
	w.send(askAddress...)
	w.expect(unhex("AAAAAA9669000400009195")...)
	must(t, r.PutCard(card(t, "陈桂芳")))
	w.choose()
	w.send(askAddress...)
	a := w.take(11 + 70)
	if !bytes.Equal(a[10:14], []byte{0x3A, 0x79, 0x8B, 0x4F}) {
		t.Errorf("address begins % X", a[10:14])
	}
}

func TestEveryLayoutHasItsFieldsInPlace(t *testing.T) {
	for _, c := range SampleCards() {
		must(t, c.check())
		rec, err := c.Record()
		must(t, err)
		if len(rec) != 256 || rec[248] != byte(c.Kind) || rec[249] != 0 {
			t.Errorf("%c: flag % X", c.Kind, rec[248:250])
		}
		at := map[Kind]int{Resident: 122, HMT: 122, ForeignPR2017: 122, ForeignPR2023: 122}[c.Kind]
		if rec[at] != c.Number[0] || rec[at+2] != c.Number[1] {
			t.Errorf("%c: the number is not at %d", c.Kind, at)
		}
	}
	c := card(t, "𠮷田美")
	rec, err := c.Record()
	must(t, err)
	if !bytes.Equal(rec[:4], []byte{0x42, 0xD8, 0xB7, 0xDF}) {
		t.Errorf("a character beyond the BMP is % X", rec[:4])
	}
	if c.Name = "一二三四五六七八九十一二三四五六"; !errors.Is(c.check(), ErrValue) {
		t.Error("a name of 16 fits")
	}
}

func TestPeopleHaveValidNumbers(t *testing.T) {
	weights := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	for _, p := range People() {
		sum := 0
		for i, w := range weights {
			sum += w * int(p.Number[i]-'0')
		}
		if p.Number[17] != "10X98765432"[sum%11] || p.Number[6:14] != p.Birth || (p.Number[16]-'0')%2 != p.Sex%2 {
			t.Errorf("%s does not agree with itself", p.Name)
		}
	}
}

func TestReaderFaultsOnTheWire(t *testing.T) {
	c := Card{Kind: Resident, Name: "张三", Sex: '2'}
	good := samAnswer(swOK, c.answer(false, false))
	for _, x := range []struct {
		fault, value string
		ask          []byte
		want         []byte
		chosen       bool
	}{
		{"self-test-failed", "", askStatus, unhex("AAAAAA9669000400006064"), false},
		{"not-authorised", "", askFind, unhex("AAAAAA9669000400006662"), false},
		{"unknown-card", "", askFind, unhex("AAAAAA9669000400004044"), false},
		{"read-fails", "", askRead, saysFailed, true},
		{"pull-mid-read", "", askRead, saysFailed, true},
		{"noise-before", "3", askFind, append([]byte{0, 0xFF, 0xAA}, saysFound...), false},
		{"leading-aa", "2", askFind, append([]byte{0xAA, 0xAA}, saysFound...), false},
		{"wrong-xor", "", askFind, unhex("AAAAAA9669000800009F0000000068"), false},
		{"giant-length", "", askStatus, unhex("AAAAAA9669FFFF00009094"), false},
		{"noise-inside", "", askStatus, unhex("AAAAAA96695A0400009094"), false},
		{"stall-after", "600", askRead, good[:600], true},
		{"split", "400", askRead, good, true},
		{"three-lengths", "", askRead, samAnswer(swOK, c.answer(true, false)), true},
		{"silent", "", askStatus, nil, false},
	} {
		t.Run(x.fault, func(t *testing.T) {
			r, w := quickReader(t, LineOptions{})
			must(t, r.PutCard(c))
			if x.chosen {
				w.choose()
			}
			must(t, r.Fault(x.fault, x.value))
			w.send(x.ask...)
			w.expect(x.want...)
			w.nothing()
			must(t, r.Clear(""))
			must(t, r.PutCard(c))
			w.choose()
			w.send(askRead...)
			w.expect(good...)
		})
	}
}

func TestLimitedFaultsStrikeAsOftenAsSaid(t *testing.T) {
	r, w := quickReader(t, LineOptions{})
	must(t, r.PutCard(card(t, "李晓雯")))
	must(t, r.Fault("select-fails", "2"))
	for range 2 {
		w.send(askFind...)
		w.expect(saysFound...)
		w.send(askSelect...)
		w.expect(saysRefused...)
	}
	w.choose()
}

func TestACardThatWasReadIsNotFoundAtOnce(t *testing.T) {
	r, w := quickReader(t, LineOptions{})
	must(t, r.PutCard(card(t, "李晓雯")))
	w.choose()
	w.send(askRead...)
	w.take(1295)
	w.send(askFind...)
	w.expect(saysNoCard...)
	w.send(askFind...)
	w.expect(saysFound...)
	r.TakeCard()
	for range 3 {
		w.send(askFind...)
		w.expect(saysNoCard...)
	}
}

func TestACardTakenDuringTheReadFails(t *testing.T) {
	r, err := StartIDReader(ReaderOptions{Line: LineOptions{Unpaced: true}, Find: -1, Select: -1, Read: time.Minute})
	must(t, err)
	defer r.Close()
	w := dial(t, r.URI())
	must(t, r.PutCard(card(t, "李晓雯")))
	w.choose()
	w.send(askRead...)
	w.nothing()
	r.TakeCard()
	w.expect(saysFailed...)
}

func TestAnotherSpeedIsGarbage(t *testing.T) {
	r, w := quickReader(t, LineOptions{})
	must(t, r.Fault("baud-mismatch", "9600"))
	w.send(askStatus...)
	w.nothing()
	setSpeed(t, w, unix.B9600)
	w.send(askStatus...)
	w.expect(saysOK...)
	must(t, r.Clear("baud-mismatch"))
	setSpeed(t, w, unix.B115200)
	w.send(askStatus...)
	w.expect(saysOK...)
	w.send(askSlow...)
	w.expect(saysOK...)
	setSpeed(t, w, unix.B9600)
	w.send(askStatus...)
	w.expect(saysOK...)
}

func setSpeed(t *testing.T, w *wire, speed uint32) {
	t.Helper()
	fd := int(w.f.(interface{ Fd() uintptr }).Fd())
	must(t, unix.SetNonblock(fd, true)) // Fd made it blocking
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	must(t, err)
	tio.Cflag = tio.Cflag&^unix.CBAUD | speed
	must(t, unix.IoctlSetTermios(fd, unix.TCSETS, tio))
}

func TestThePlugComesOutAndGoesInUnderTheSameName(t *testing.T) {
	for _, line := range []LineOptions{{}, {TCP: "127.0.0.1:0"}} {
		r, w := quickReader(t, line)
		uri := r.URI()
		must(t, r.Fault("unplug", ""))
		w.hungUp()
		if r.State().Plugged {
			t.Error("it says that it is plugged in")
		}
		must(t, r.Clear(""))
		if r.URI() != uri {
			t.Errorf("URI %s became %s", uri, r.URI())
		}
		w = dial(t, uri)
		w.send(askStatus...)
		w.expect(saysOK...)
	}
}

func TestTheLineTakesItsTime(t *testing.T) {
	r, err := StartIDReader(ReaderOptions{Line: LineOptions{Baud: 9600}, Find: -1, Select: -1, Read: -1})
	must(t, err)
	defer r.Close()
	w := dial(t, r.URI())
	must(t, r.PutCard(card(t, "李晓雯")))
	w.choose()
	begin := time.Now()
	w.send(askRead...)
	w.take(1295)
	// 1295 bytes of ten bits at 9600 baud; a loaded machine takes longer, no machine takes less.
	if d := time.Since(begin); d < 1200*time.Millisecond {
		t.Errorf("1295 bytes at 9600 baud in %v", d)
	}
}

func FuzzSAMRequests(f *testing.F) {
	f.Add(askRead)
	f.Add(append([]byte{0xAA, 0xAA}, askFind...))
	f.Add(unhex("AAAAAA9669FFFF"))
	f.Add(unhex("AAAAAA96690000"))
	f.Add(append(unhex("AAAAAA96690008AAAAAA9669"), askStatus...))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, bytewise samParser
		a := whole.feed(in)
		var b []samRequest
		for i := range in {
			b = append(b, bytewise.feed(in[i:i+1])...)
		}
		if len(a) != len(b) {
			t.Fatalf("%d requests at once, %d byte by byte", len(a), len(b))
		}
		if len(whole.buf) > samHeader+samLongest {
			t.Fatalf("it holds %d bytes", len(whole.buf))
		}
		// Whatever came before, a sound request behind a gap is understood.
		whole.drop()
		if got := whole.feed(askStatus); len(got) != 1 || got[0].cmd != 0x11 || got[0].fault != 0 {
			t.Fatalf("after it: %+v", got)
		}
	})
}
