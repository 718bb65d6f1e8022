package ioboard

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/budayang/kiosk/devices"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Frames as manuals of boards print them.
func TestFramesOfManuals(t *testing.T) {
	for _, c := range []struct {
		unit, function byte
		a, b           uint16
		want           string
	}{
		{1, writeCoil, 0, 0xFF00, "01050000ff008c3a"},
		{0xFE, writeCoil, 0, 0xFF00, "fe050000ff009835"},
		{0xFE, readDiscrete, 0, 8, "fe02000000086dc3"},
		{1, readDiscrete, 0, 8, "01020000000879cc"},
		{0x11, readHolding, 0x6B, 3, "1103006b00037687"}, // Modbus Application Protocol's example
	} {
		if got := question(c.unit, c.function, c.a, c.b); !bytes.Equal(got, unhex(c.want)) {
			t.Errorf("%x, want %s", got, c.want)
		}
	}
	data, more, err := parse(unhex("1103006b00037687"), unhex("110306ae415652434049ad"))
	if err != nil || more || !bytes.Equal(data, unhex("ae4156524340")) {
		t.Errorf("%x %v %v", data, more, err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, in := range []string{"110306ae415652434049ad", "118302c134", "1103", "0103020000b844", "11030600", "ff"} {
		f.Add(unhex(in), byte(readHolding), uint16(3))
	}
	f.Add(unhex("fe050000ff009835"), byte(writeCoil), uint16(0xFF00))
	f.Fuzz(func(t *testing.T, in []byte, function byte, b uint16) {
		function = function%6 + 1
		if function <= readInput {
			b = b%60 + 1
		}
		q := question(0x11, function, 0x6B, b)
		data, more, err := parse(q, in)
		var refused *Exception
		switch {
		case more && err != nil, more && data != nil:
			t.Fatalf("more, %x, %v", data, err)
		case more && len(in) >= mostFrame:
			t.Fatal("a whole frame is not enough")
		case err != nil && !errors.Is(err, devices.ErrProtocol) && !errors.As(err, &refused):
			t.Fatalf("error without a sentinel: %v", err)
		case err == nil && !more && function > readInput && !bytes.Equal(in, q):
			t.Fatal("another command was taken for the answer")
		case err == nil && !more && function >= readHolding && function <= readInput && len(data) != 2*int(b):
			t.Fatalf("%d bytes", len(data))
		case err == nil && !more && function < readHolding && len(data) != (int(b)+7)/8:
			t.Fatalf("%d bytes", len(data))
		}
	})
}
