package pages

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/wire"
)

// register puts markup into a name.
type register struct{}

func (register) CardPerson(_ context.Context, number, _ string) (platform.RegisterEntry, error) {
	return platform.RegisterEntry{Number: number, Name: `李<script>alert(1)</script><img src=x onerror="window.stolen=1">`, Sex: "女", Nation: "汉", Born: "1992-11-05",
		Address: `"><script>window.stolen=1</script>`, Authority: "示例市公安局", Vouchers: []platform.RegisterVoucher{{Number: platform.SeedVoucher(1), Until: time.Now().Add(time.Hour), Signed: true}}}, nil
}

type pocket struct{ code string }

func (p *pocket) Send(_ context.Context, _, _, code string) error { p.code = code; return nil }

// TestReviewersInABrowser: two clerks, three applications, in Chromium.
func TestReviewersInABrowser(t *testing.T) {
	tools(t)
	dir, phone := t.TempDir(), &pocket{}
	s, base := city(t, dir, platform.Config{SMS: phone, Register: register{}})
	ctx, keys := t.Context(), applications(t, s, base, dir, phone)
	saw := drive(t, "review.mjs", base, "KEY="+keys[2])
	number := func(i int) any {
		for _, state := range []wire.CardState{wire.CardWaiting, wire.CardApproved, wire.CardRejected} {
			all, err := s.Cards(ctx, state, 9)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				if c.Key == keys[i] {
					return c.Number
				}
			}
		}
		return nil
	}
	saw.are(t, map[string]any{
		"waiting":      []any{number(0), number(1), number(2)},
		"pictures":     []any{[]any{"照片 photo", true, 358.0, 441.0}, []any{"签名 signature", true, 300.0, 100.0}},
		"markup":       []any{0.0, 0.0, true, true},
		"unsent":       []any{true, true},
		"left":         []any{number(2)},
		"another site": 401.0, // the browser does not even send the cookie
		"still left":   []any{number(2)},
	})
	if text := saw.text("second"); !strings.Contains(text, "chen") || !strings.Contains(text, "approved") {
		t.Errorf("the second is told: %q", text)
	}
	rejected, err := s.Cards(ctx, wire.CardRejected, 9)
	if err != nil || len(rejected) != 1 || rejected[0].Key != keys[1] || rejected[0].By != "wang" || rejected[0].Why["zh"] != "照片中闭眼，请重拍" {
		t.Errorf("%+v %v", rejected, err)
	}
	events, err := s.SecurityEvents(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range events {
		count[e.Event+" "+e.Who]++
	}
	if count["card.approved chen"] != 1 || count["card.rejected wang"] != 1 || count["personal.shown chen"] == 0 || count["personal.shown wang"] == 0 {
		t.Errorf("%v", count)
	}
}

// applications are three, of three people, from a real terminal's client.
func applications(t *testing.T, s *platform.Server, base, dir string, phone *pocket) (keys []string) {
	t.Helper()
	client, code := terminal(t, s, base, dir, "990000-0002")
	defer client.Close()
	if err := client.Enroll(t.Context(), "s", "n", code); err != nil {
		t.Fatal(err)
	}
	m, ink := image.NewRGBA(image.Rect(0, 0, 358, 441)), image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for y := range 441 {
		for x := range 358 {
			m.Set(x, y, color.RGBA{uint8(x / 2), uint8(y / 2), 160, 255})
		}
	}
	for x := range 200 {
		ink.Set(50+x, 50+x%17, color.Black)
	}
	var photo, signature bytes.Buffer
	if err := errors.Join(jpeg.Encode(&photo, m, nil), png.Encode(&signature, ink)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ name, first17 string }{{"王建国", "99000019850312011"}, {"李晓雯", "99000019921105022"}, {"赵䶮", "99000019780721033"}} {
		number, err := idnum.Complete(p.first17)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := client.SendCode(t.Context(), wire.CodeRequest{Person: wire.PersonRef{Name: p.name, Number: number}, Visit: "v"})
		if err != nil {
			t.Fatal(err)
		}
		ok, err := client.CheckCode(t.Context(), wire.CodeCheck{Challenge: sent.Challenge, Code: phone.code})
		if err != nil {
			t.Fatal(err)
		}
		a := wire.CardApplication{Key: uuid.NewString(), Kind: "TID", Token: ok.Token, Voucher: platform.SeedVoucher(1), Receipt: "01-" + p.first17[6:14], Photo: photo.Bytes(),
			Checks:  []wire.CardCheck{{Name: "eyes-open", Value: 0.31, OK: true}, {Name: "background", Value: 12.5}},
			Profile: "id-card", Signature: signature.Bytes(), Form: wire.Hash{1}, FaceAgreed: true}
		if _, err := client.Apply(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, a.Key)
		time.Sleep(2 * time.Millisecond) // the page lists by time
	}
	return keys
}
