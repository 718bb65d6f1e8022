package sim

import "testing"

// The converter's divisors as FTDI's application note AN232B-05 lists them.
func TestFTDIDivisors(t *testing.T) {
	for _, c := range []struct {
		value, index uint16
		baud         int
	}{
		{0x2710, 0, 300}, {0x4138, 0, 9600}, {0x809C, 0, 19200}, {0xC04E, 0, 38400}, {0x0034, 0, 57600}, {0x001A, 0, 115200}, {0x000D, 0, 230400},
		{0x4006, 0, 460800}, {0x8003, 0, 921600}, {0x0000, 0, 3_000_000}, {0x0001, 0, 2_000_000},
	} {
		p := &usbPort{}
		p.baud.Store(int64(ftdiBaud(c.value, c.index)))
		if !p.agrees(c.baud) || p.agrees(c.baud*2) || p.agrees(c.baud/2) {
			t.Errorf("%#04x is %d baud, expected %d", c.value, p.baud.Load(), c.baud)
		}
	}
	if got := ftdiBaud(0, 1); got != 24_000_000/3 { // three eighths
		t.Errorf("%d", got)
	}
}
