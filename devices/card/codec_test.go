package card

// Frames of both families, against the bytes of the reference.

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
)

func TestFramesOfTheReference(t *testing.T) {
	k, c := &k720{line{opt: Options{Profile: profiles[0]}}}, &crt{line{opt: Options{Profile: profiles[2]}}}
	d1000 := &k720{line{opt: Options{Profile: profiles[1]}}}
	for _, f := range []struct {
		got  []byte
		want string
	}{
		{k.frame("AP"), "02303000024150" + "0312"}, {k.frame("FC7"), "0230300003464337" + "0330"}, {k.frame("FC0"), "0230300003464330" + "0337"},
		{d1000.frame("FC7"), "02" + "3030" + "464337" + "0333"},
		{c.frame(crtInit, crtKeep), "f20000034330330" + "3b2"}, {c.frame(crtStatus, crtFirst), "f200000343313003b0"},
	} {
		if hex.EncodeToString(f.got) != f.want {
			t.Errorf("%x, expected %s", f.got, f.want)
		}
	}
	answer, _ := hex.DecodeString("02303000065346303030330311")
	text, used, err := parseK720(answer, []byte("00"), false)
	if err != nil || used != len(answer) || string(text) != "SF0003" {
		t.Fatalf("%q %d %v", text, used, err)
	}
	s, err := k.status("0003")
	if err != nil || s.At != devices.CardReader || s.jam || s.busy {
		t.Errorf("%+v %v", s, err)
	}
	for i := range answer {
		if _, used, err := parseK720(answer[:i+1], []byte("00"), false); i < len(answer)-1 && (used != 0 || err != nil) {
			t.Errorf("%d bytes: %d %v", i+1, used, err)
		}
		bad := bytes.Clone(answer)
		bad[i] ^= 0x10
		if text, used, err := parseK720(bad, []byte("00"), false); err == nil && used > 0 {
			t.Errorf("byte %d disturbed gives %q", i, text)
		}
	}
}

func TestStatesThatNoSourceLists(t *testing.T) {
	k := &k720{line{opt: Options{Profile: profiles[0]}}}
	for _, text := range []string{"", "000", "00000", "000G", "+003"} {
		if _, err := k.status(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	for _, state := range []string{"030", "022", "0\x000"} {
		if _, err := crtSensed([3]byte([]byte(state))); err == nil {
			t.Errorf("%q is taken", state)
		}
	}
	if s, err := crtSensed([3]byte{'9', '2', '0'}); err != nil || s.At != devices.CardBetween {
		t.Errorf("%+v %v", s, err)
	}
}

// A reel plays bytes as they came over a line.
type reel struct{ pieces [][]byte }

func (r *reel) Read(ctx context.Context, p []byte) (int, error) {
	if len(r.pieces) == 0 {
		<-ctx.Done()
		return 0, devices.ErrSilent
	}
	n := copy(p, r.pieces[0])
	r.pieces = r.pieces[1:]
	return n, nil
}
func (r *reel) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }
func (r *reel) Drain()                                         {}
func (r *reel) Close() error                                   { return nil }

// The byte of a NAK also stands in answers that come late: a bin with 21 cards, for one. Only a NAK that comes alone says
// that a command was not taken.
func TestANakAmongOtherBytesRefusesNothing(t *testing.T) {
	late := (&crt{line{opt: Options{Profile: profiles[2]}}}).frame(crtBin, crtFirst, 0x15, 0, 0, 0)
	late[4] = 'P'
	for name, c := range map[string]struct {
		suffix string
		pieces [][]byte
		want   error
	}{
		"alone":                  {"", [][]byte{{nak}}, errNotAcked},
		"in a late answer":       {"", [][]byte{late}, errNoise},
		"after a late answer":    {"", [][]byte{late[:9], late[9:], {nak}}, errNoise},
		"acknowledged":           {"", [][]byte{{ack}}, nil},
		"with its address":       {"00", [][]byte{{nak, '0'}, {'0'}}, errNotAcked},
		"with another's address": {"00", [][]byte{{nak, '0', '7', nak, '0', '0'}}, errNoise},
		"nothing":                {"", nil, devices.ErrSilent},
	} {
		t.Run(name, func(t *testing.T) {
			l := line{bus: &reel{c.pieces}, opt: Options{Ack: 50 * time.Millisecond}}
			if err := l.acked(t.Context(), []byte(c.suffix)); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%v, expected %v", err, c.want)
			}
		})
	}
}

// FuzzAnswer: whatever comes, a parser takes what is there or waits, and never both.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		for _, short := range []bool{false, true} {
			text, used, err := parseK720(b, []byte("00"), short)
			if used > len(b) || (err != nil && used != 1) || (used == 0 && text != nil) {
				t.Fatalf("%d of %d, %q, %v", used, len(b), text, err)
			}
			if err == nil && used > 0 {
				k := &k720{line{opt: Options{Profile: Profile{NoLength: short}}}}
				if again := k.frame(string(text)); !bytes.Equal(again, b[:used]) {
					t.Fatalf("%x became %x", b[:used], again)
				}
			}
		}
		a, used, err := parseCRT(b, 0)
		if used > len(b) || (err != nil && used != 1) || (used == 0 && a.kind != 0) {
			t.Fatalf("%d of %d, %+v, %v", used, len(b), a, err)
		}
	})
}
