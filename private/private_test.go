package private

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/idnum"
)

func id(t testing.TB) string {
	t.Helper()
	n, err := idnum.Complete("99000019900101123")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTextHides(t *testing.T) {
	x := Hide("李晓雯")
	for _, s := range []string{fmt.Sprint(x), fmt.Sprintf("%v %+v %#v %s", x, x, x, x), x.LogValue().String()} {
		if strings.Contains(s, "李") {
			t.Errorf("%q", s)
		}
	}
	if _, err := json.Marshal(x); err == nil {
		t.Error("marshalled")
	}
	if x.Reveal() != "李晓雯" {
		t.Error("lost")
	}
}

func TestScrub(t *testing.T) {
	n := id(t)
	wrong := n[:17] + string('0'+(n[17]-'0'+1)%10)
	for in, want := range map[string]string{
		"number " + n + " read":                    "number [id number] read",
		"x" + n[:6] + " " + n[6:14] + " " + n[14:]: "x[id number]",
		"7" + n:                                        "[id number]",
		"2026-11-25 13800000002":                       "2026-11-25 [phone]",
		"2026-11-25 " + n + "-138 0000 0002":           "2026-11-25 [id number]-[phone]",
		strings.Repeat("1", 30) + n + "22":             "[id number]",
		"1380000 0002x":                                "[phone]",
		"call 13800000002 or +86 138-0000-0002":        "call [phone] or +[phone]",
		"8613800000002":                                "[phone]",
		"李晓雯 came":                                     "[name] came",
		"case 0198a0b2-7c41-7d0e-9a51-138000000021 ok": "case 0198a0b2-7c41-7d0e-9a51-138000000021 ok",
		"receipt 03-20261122-000138":                   "receipt 03-20261122-000138",
		"took 1700000000123 ms":                        "took 1700000000123 ms",
		"not a number " + wrong:                        "not a number " + wrong,
		"":                                             "",
		"12345":                                        "12345",
		"sha " + strings.Repeat("ab13800000002", 5):    "sha " + strings.Repeat("ab13800000002", 5),
	} {
		if got := Scrub(in, []string{"李晓雯", ""}); got != want {
			t.Errorf("%q became %q, expected %q", in, got, want)
		}
	}
}

type secretStruct struct{ Name string }

type panics struct{}

func (*panics) Error() string { panic("nil") }

func TestHandler(t *testing.T) {
	n := id(t)
	var out bytes.Buffer
	h := NewHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	forget := h.Know("李晓雯", n, "滨江区幸福路1号", "x")
	log := slog.New(h).With("who", "李晓雯").WithGroup("g")
	type lane string
	log.Info("read 李晓雯", "n", n, "s", secretStruct{"李晓雯"}, "p", &secretStruct{"李晓雯"}, "b", []byte("李晓雯"),
		"m", map[string]string{"k": "李晓雯"}, "err", fmt.Errorf("card of 李晓雯: %w", errors.New("13800000002")), "any", any("滨江区幸福路1号"),
		slog.Group("in", "phone", 13800000002, "l", []lane{"tx", "李晓雯"}, "t", Hide("李晓雯")), "李晓雯", 1, "nil", (*panics)(nil), "f", 1.5,
		"lanes", []lane{"pay", "tx"}, "no", nil)
	said := out.String()
	for _, bad := range []string{"李晓雯", n, "13800000002", "幸福路"} {
		if strings.Contains(said, bad) {
			t.Errorf("%q in %s", bad, said)
		}
	}
	for _, good := range []string{"[private.secretStruct]", "[*private.secretStruct]", "[[]uint8]", "g.in.phone=[phone]", "[pay tx]", "[panic]", "f=1.5", "who=[name]"} {
		if !strings.Contains(said, good) {
			t.Errorf("no %q in %s", good, said)
		}
	}
	forget()
	out.Reset()
	slog.New(h).Info("滨江区幸福路1号")
	if !strings.Contains(out.String(), "幸福路") || len(h.known.names) != 0 {
		t.Error("names of a visit that ended are still kept")
	}
	forget()
}

// Wherever a number stands in a text, and however it is broken up, it does not come out.
func TestNoNumberPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		birth := rapid.SampledFrom([]string{"19900101", "20010228", "19491001", "20200229"}).Draw(t, "birth")
		n, err := idnum.Complete("990000" + birth + rapid.StringMatching(`[0-9]{3}`).Draw(t, "seq"))
		if err != nil {
			t.Fatal(err)
		}
		before, after := rapid.StringMatching(`[^0-9a-fA-FxX-]{0,12}`).Draw(t, "before"), rapid.StringMatching(`[^0-9a-fA-FxX-]{0,12}`).Draw(t, "after")
		if got := Scrub(before+n+after, nil); strings.Contains(got, n) {
			t.Errorf("%q", got)
		}
		if got := Scrub(before+strings.ToLower(n)+after, nil); strings.Contains(got, strings.ToLower(n)) {
			t.Errorf("%q", got)
		}
	})
}

// Whatever stands around a number, the number does not come out.
func FuzzScrub(f *testing.F) {
	n := id(f)
	f.Add("card of ", "138 0000 0002")
	f.Add(strings.Repeat("1-", 100), "1")
	f.Add("\xff\xfe13800000002", strings.Repeat("ab", 20))
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := Scrub(before+" ; "+n+" ; "+after, []string{"李晓雯"}); strings.Contains(got, " ; "+n+" ; ") || strings.Contains(got, "李晓雯") {
			t.Errorf("%q", got)
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	h := NewHandler(slog.NewTextHandler(discard{}, nil))
	defer h.Know("李晓雯", "990000199001011232")()
	log := slog.New(h)
	for b.Loop() {
		log.Info("case state", "case", "0198a0b2-7c41-7d0e-9a51-138000000021", "to", "PRINTED", "tries", 2)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
