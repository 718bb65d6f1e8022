package receipt

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var kindNames = map[replyKind]string{
	replyRealTime: "real-time", replyFIFO: "queue", replyASB: "automatic", replyBlock: "block", replyFull: "full", replyFlow: "flow",
}

func words(all []reply) string {
	var w []string
	for _, r := range all {
		w = append(w, fmt.Sprintf("%s %X", kindNames[r.kind], r.data))
	}
	return strings.Join(w, ", ")
}

func TestRepliesAreToldApartByTheirFirstByte(t *testing.T) {
	for _, tt := range []struct {
		name, bytes, want string
	}{
		{"all well, in real time", "12 12 12 12", "real-time 12, real-time 12, real-time 12, real-time 12"},
		{"near end, in real time", "12 12 12 1E", "real-time 12, real-time 12, real-time 12, real-time 1E"},
		{"paper out, in real time", "1A 32 12 7E", "real-time 1A, real-time 32, real-time 12, real-time 7E"},
		{"paper out without the near-end bits", "72", "real-time 72"},
		{"drawer pin high", "16", "real-time 16"},
		{"paper there, from the queue", "00", "queue 00"},
		{"near end, from the queue", "03", "queue 03"},
		{"paper end, from the queue", "0F", "queue 0F"},
		{"all well, automatic", "10 00 00 00", "automatic 10000000"},
		{"drawer pin high, automatic", "14 00 00 0F", "automatic 1400000F"},
		{"paper out, automatic", "18 00 0F 00", "automatic 18000F00"},
		{"cover, automatic", "38 00 00 00", "automatic 38000000"},
		{"a reserved byte that some set", "14 00 00 6F", "automatic 1400006F"},
		{"process id", "37 22 61 62 63 64 00", "block 372261626364"},
		{"buffers cleared", "37 25 00", "block 3725"},
		{"maker", "5F 45 50 53 4F 4E 00", "block 5F4550534F4E"},
		{"automatic status of ink has no end mark", "35 00 00 00 12", "block 35000000, real-time 12"},
		{"extended automatic status has no end mark", "39 00 40 00 00", "block 39004000, queue 00"},
		{"full status", "10 0F 20 00 00 00", "full 20000000"},
		{"full status with the bytes of others in it", "10 0F 12 00 12 00 12", "full 12001200, real-time 12"},
		{"flow control", "13 11", "flow 13, flow 11"},

		{"flow control inside an automatic status", "10 00 13 03 11 00", "flow 13, flow 11, automatic 10000300"},
		{"flow control after the first byte", "10 13 11 00 00 00", "flow 13, flow 11, automatic 10000000"},
		{"flow control inside a block", "37 22 61 13 62 63 11 64 00", "flow 13, flow 11, block 372261626364"},
		{"flow control inside a full status", "10 0F 20 13 00 11 00 00", "flow 13, flow 11, full 20000000"},

		{"an automatic status that breaks off", "18 00 12 00", "real-time 12, queue 00"},
		{"the first byte alone, then a whole one", "10 10 00 00 00", "automatic 10000000"},
		{"an automatic status between two others", "12 38 00 00 00 1E", "real-time 12, automatic 38000000, real-time 1E"},
		{"paper out is no answer from the queue", "18 00 0F 00 03", "automatic 18000F00, queue 03"},
		{"bytes that no head sends", "FF 80 B0 F1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := unhex(t, tt.bytes)
			for cut := range len(in) + 1 {
				var r replies
				if got := words(append(r.push(in[:cut]), r.push(in[cut:])...)); got != tt.want {
					t.Errorf("cut after %d bytes: %s\nexpected %s", cut, got, tt.want)
				}
			}
		})
	}
}

func TestBit7IsTheMouthOnHeadsThatSaySo(t *testing.T) {
	r := replies{mouth7: true}
	if got, want := words(r.push(unhex(t, "92 12 9A 00"))), "real-time 92, real-time 12, real-time 9A, queue 00"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	r = replies{}
	if got := words(r.push(unhex(t, "92"))); got != "" {
		t.Errorf("on other heads it is noise, got %s", got)
	}
}

func TestABlockWithoutEndIsDropped(t *testing.T) {
	var r replies
	if got := r.push(append([]byte{0x5F}, bytes.Repeat([]byte{'A'}, maxBlock-1)...)); len(got) != 0 {
		t.Fatalf("%s", words(got))
	}
	if got, want := words(r.push([]byte{0x12})), "real-time 12"; got != want {
		t.Errorf("afterwards: %s, expected %s", got, want)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"", "12121212", "1A32127E", "10000000", "18000F00", "37226162636400", "5F4550534F4E00", "100F20000000",
		"1311", "92", "101010101010", "35000000", "39004000", "14130000110F", "ff0090"} {
		f.Add(unhex(f, s), uint8(3), false)
		f.Add(unhex(f, s), uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8, mouth7 bool) {
		whole := replies{mouth7: mouth7}
		all := whole.push(in)
		got := words(all)

		cut := replies{mouth7: mouth7}
		var parts []reply
		for p := range slices.Chunk(in, int(piece)+1) {
			parts = append(parts, cut.push(p)...)
		}
		if words(parts) != got {
			t.Fatalf("in pieces of %d: %s\nwhole: %s", int(piece)+1, words(parts), got)
		}

		said := func(all []reply) string {
			return words(slices.DeleteFunc(slices.Clone(all), func(r reply) bool { return r.kind == replyFlow }))
		}
		flow := replies{mouth7: mouth7}
		var stopped []reply
		for i, b := range in {
			stopped = append(stopped, flow.push([]byte{b, []byte{0x11, 0x13}[i&1]})...)
		}
		if said(stopped) != said(all) {
			t.Fatalf("with flow control: %s\nwithout: %s", said(stopped), said(all))
		}

		total := 0
		for _, r := range all {
			total += len(r.data)
			b := r.data[0]
			ok := false
			switch r.kind {
			case replyRealTime:
				ok = len(r.data) == 1 && b&0x13 == 0x12 && (mouth7 || b&0x80 == 0)
			case replyFIFO:
				ok = len(r.data) == 1 && b&0x90 == 0
			case replyASB:
				ok = len(r.data) == 4 && b&0x93 == 0x10 && (r.data[1]|r.data[2]|r.data[3])&0x90 == 0
			case replyBlock:
				ok = len(r.data) <= maxBlock
			case replyFull:
				ok = len(r.data) == 4
			case replyFlow:
				ok = len(r.data) == 1 && (b == 0x11 || b == 0x13)
			}
			if !ok {
				t.Fatalf("%s is no such reply", words([]reply{r}))
			}
		}
		if total > len(in) {
			t.Fatalf("%d bytes of replies from %d", total, len(in))
		}
		if held := len(whole.asb) + len(whole.block) + len(whole.full); held > maxBlock+8 {
			t.Fatalf("%d bytes are held back", held)
		}

		// Whatever came before, what a head says after enough silence of sense is understood again.
		whole.push(bytes.Repeat([]byte{0xFF}, maxBlock+8))
		if after := words(whole.push([]byte{0x12})); after != "real-time 12" {
			t.Fatalf("afterwards a real-time status is read as %q", after)
		}
	})
}
