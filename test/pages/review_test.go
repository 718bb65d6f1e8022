package pages

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// playwright is the last version that runs on the Node.js of Debian 12 (18).
const playwright = "playwright-core@1.60.0"

// tools are browser and driver; the driver is installed once and kept. On a developer's machine what is missing skips the test.
func tools(t *testing.T) (chromium, from string) {
	t.Helper()
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	for _, tool := range []string{"chromium", "node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing("%s is not installed (deploy/setup/install.sh test)", tool)
		}
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "budayang-peers", playwright)
	if _, err := os.Stat(filepath.Join(dir, "installed")); err == nil {
		return chromium, dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", playwright).CombinedOutput(); err != nil {
		missing("%s cannot be installed: %v\n%s", playwright, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "installed"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return chromium, dir
}

// register puts markup into a name.
type register struct{}

func (register) CardPerson(_ context.Context, number, _ string) (platform.RegisterEntry, error) {
	return platform.RegisterEntry{Number: number, Name: `李<script>alert(1)</script><img src=x onerror="window.stolen=1">`, Sex: "女", Nation: "汉", Born: "1992-11-05",
		Address: `"><script>window.stolen=1</script>`, Authority: "示例市公安局", Vouchers: []platform.RegisterVoucher{{Number: platform.SeedVoucher(1), Until: time.Now().Add(time.Hour), Signed: true}}}, nil
}

type pocket struct{ code string }

func (p *pocket) Send(_ context.Context, _, _, code string) error { p.code = code; return nil }

const password = "晴天去江边散步看白鹭飞过大桥"

// TestReviewersInABrowser: two clerks, three applications, in Chromium.
func TestReviewersInABrowser(t *testing.T) {
	chromium, from := tools(t)
	dir, phone := t.TempDir(), &pocket{}
	// The address is a name, as browsers see another site in another name only.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "https://localhost:" + l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':')+1:]
	store, err := platform.OpenSQLite(t.Context(), filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := platform.New(t.Context(), platform.Config{Dir: filepath.Join(dir, "platform"), Store: store, SMS: phone, Register: register{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; _ = s.Close() })
	for _, name := range []string{"chen", "wang"} {
		by := platform.Operator{Who: "shell:test"}
		if err := platform.AddAccount(ctx, store, platform.NewAccount{Name: name, Role: staff.Clerk, Password: password}, time.Now(), by); err != nil {
			t.Fatal(err)
		}
	}
	keys := applications(t, s, base, dir, phone)
	pictures := os.Getenv("BUDAYANG_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	run, stop := context.WithTimeout(ctx, 3*time.Minute)
	defer stop()
	cmd := exec.CommandContext(run, "node", "review.mjs", base, pictures, "chen="+password, "wang="+password)
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "PLAYWRIGHT_FROM="+from+"/", "KEY="+keys[2])
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, trouble.Bytes())
	}
	seen := map[string][]any{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var x struct {
			What string
			Is   any
		}
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatalf("%s", lines.Bytes())
		}
		seen[x.What] = append(seen[x.What], x.Is)
	}
	for _, what := range []string{"dialog", "script error"} {
		if len(seen[what]) > 0 {
			t.Errorf("%s: %v", what, seen[what])
		}
	}
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
	want := map[string]any{
		"waiting":      []any{number(0), number(1), number(2)},
		"pictures":     []any{[]any{"照片 photo", true, 358.0, 441.0}, []any{"签名 signature", true, 300.0, 100.0}},
		"markup":       []any{0.0, 0.0, true, true},
		"unsent":       []any{true, true},
		"left":         []any{number(2)},
		"another site": 401.0, // the browser does not even send the cookie
		"still left":   []any{number(2)},
	}
	for what, is := range want {
		if len(seen[what]) != 1 || !reflect.DeepEqual(seen[what][0], is) {
			t.Errorf("%s: %v, want %v", what, seen[what], is)
		}
	}
	if text, _ := seen["second"][0].(string); !strings.Contains(text, "chen") || !strings.Contains(text, "approved") {
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
	ca := filepath.Join(dir, "ca.pem")
	code, _, err := s.IssueCode(t.Context(), "990000-0001", 0, platform.Operator{Who: "test"})
	if err = errors.Join(err, os.WriteFile(ca, s.CA(), 0o600)); err != nil {
		t.Fatal(err)
	}
	id, err := uplink.LoadIdentity(dir, "990000-0001")
	if err != nil {
		t.Fatal(err)
	}
	client, err := uplink.NewClient(base, ca, id)
	if err != nil {
		t.Fatal(err)
	}
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
