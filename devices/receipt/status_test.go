package receipt

import (
	"slices"
	"strings"
	"testing"

	"github.com/budayang/kiosk/devices"
)

func TestRealTimeBytesBecomeStatusWords(t *testing.T) {
	for _, tt := range []struct {
		name, bytes string
		mouth       string
		connection  devices.Connection
		paper       devices.Supply
		cover       devices.Cover
		media       devices.Media
		reasons     string
		why         devices.Unready
	}{
		{name: "all well", bytes: "12 12 12 12"},
		{name: "drawer pin high", bytes: "16 12 12 12"},
		{name: "near end", bytes: "12 12 12 1E", paper: devices.SupplyLow},
		{name: "near end by one of its sensors", bytes: "12 12 12 16", paper: devices.SupplyLow},
		{name: "paper out", bytes: "1A 32 12 7E", connection: devices.ConnectionOffline, paper: devices.SupplyOut, reasons: "paper-out",
			why: devices.UnreadyPaperOut},
		{name: "paper out without the near-end bits", bytes: "1A 12 12 72", connection: devices.ConnectionOffline,
			paper: devices.SupplyOut, reasons: "paper-out", why: devices.UnreadyPaperOut},
		{name: "stopped by paper end", bytes: "1A 32 12 12", connection: devices.ConnectionOffline, paper: devices.SupplyOut,
			reasons: "paper-out", why: devices.UnreadyPaperOut},
		{name: "cover", bytes: "1A 16 12 12", connection: devices.ConnectionUserError, cover: devices.CoverOpen, reasons: "cover-open",
			why: devices.UnreadyCoverOpen},
		{name: "cover, no paper", bytes: "1A 36 12 7E", connection: devices.ConnectionUserError, cover: devices.CoverOpen,
			paper: devices.SupplyOut, reasons: "cover-open paper-out", why: devices.UnreadyCoverOpen},
		{name: "off line", bytes: "1A 12 12 12", connection: devices.ConnectionOffline, why: devices.UnreadyOffline},
		{name: "mechanical error", bytes: "1A 52 16 12", connection: devices.ConnectionHardwareError, reasons: "mechanical",
			why: devices.UnreadyBroken},
		{name: "cutter", bytes: "1A 52 1A 12", connection: devices.ConnectionHardwareError, reasons: "cutter", why: devices.UnreadyBroken},
		{name: "unrecoverable", bytes: "1A 52 32 12", connection: devices.ConnectionHardwareError, reasons: "unrecoverable",
			why: devices.UnreadyBroken},
		{name: "hot", bytes: "1A 52 52 12", connection: devices.ConnectionHardwareError, reasons: "overheated", why: devices.UnreadyBroken},
		{name: "hot and cutter", bytes: "1A 52 5A 12", connection: devices.ConnectionHardwareError, reasons: "cutter overheated",
			why: devices.UnreadyBroken},
		{name: "an error without its kind", bytes: "12 52 12 12", connection: devices.ConnectionHardwareError, reasons: "error",
			why: devices.UnreadyBroken},
		{name: "KP-628E: ticket in the mouth", bytes: "92 12 12 12", mouth: "dle-eot-1-bit-7", media: devices.MediaPresent},
		{name: "KP-628E: ticket torn off", bytes: "12 12 12 12", mouth: "dle-eot-1-bit-7", media: devices.MediaNotPresent},
		{name: "KP-628E: no paper, the last ticket in the mouth", bytes: "9A 32 12 7E", mouth: "dle-eot-1-bit-7",
			connection: devices.ConnectionOffline, paper: devices.SupplyOut, media: devices.MediaPresent, reasons: "paper-out",
			why: devices.UnreadyPaperOut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := (&Printer{}).fresh()
			translate(&s, Profile{Mouth: tt.mouth}, [5]byte(append([]byte{0}, unhex(t, tt.bytes)...)))
			want := s
			want.Connection, want.Paper, want.Cover, want.Media = devices.ConnectionOnline, devices.SupplyFull, devices.CoverClosed, devices.MediaNotSupported
			if tt.connection != "" {
				want.Connection = tt.connection
			}
			if tt.paper != "" {
				want.Paper = tt.paper
			}
			if tt.cover != "" {
				want.Cover = tt.cover
			}
			if tt.media != "" {
				want.Media = tt.media
			}
			want.Reasons = strings.Fields(tt.reasons)
			if s.Connection != want.Connection || s.Paper != want.Paper || s.Cover != want.Cover || s.Media != want.Media ||
				!slices.Equal(s.Reasons, want.Reasons) {
				t.Errorf("%+v\nexpected %+v", s, want)
			}
			if why := s.Unready(); why != tt.why {
				t.Errorf("cannot work because %q, expected %q", why, tt.why)
			}
		})
	}
}

func TestFullStatusTellsMouthAndJam(t *testing.T) {
	for _, tt := range []struct {
		name, bytes string
		media       devices.Media
		why         devices.Unready
	}{
		{"nothing at the output", "00 00 00 00", devices.MediaNotPresent, devices.UnreadyNot},
		{"ticket at the output", "20 00 00 00", devices.MediaPresent, devices.UnreadyNot},
		{"near end, ticket at the output", "24 00 00 00", devices.MediaPresent, devices.UnreadyNot},
		{"paper jam", "00 00 40 00", devices.MediaNotPresent, devices.UnreadyJammed},
		{"paper jam, ticket at the output", "20 00 40 00", devices.MediaPresent, devices.UnreadyJammed},
		{"FF key pressed is no jam", "00 40 00 00", devices.MediaNotPresent, devices.UnreadyNot},
		{"virtual end is no jam", "40 00 00 00", devices.MediaNotPresent, devices.UnreadyNot},
	} {
		s := (&Printer{}).fresh()
		translate(&s, Profile{}, [5]byte{0, 0x12, 0x12, 0x12, 0x12})
		translateFull(&s, [4]byte(unhex(t, tt.bytes)))
		if s.Media != tt.media || s.Unready() != tt.why {
			t.Errorf("%s: media %s, %q", tt.name, s.Media, s.Unready())
		}
	}
}
