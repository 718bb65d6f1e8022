package service

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/finger"
	"github.com/budayang/kiosk/service/photo"
	"github.com/budayang/kiosk/sync/wire"
)

// usedTexts are all ids the package can say.
func usedTexts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`"(svc\.[a-z0-9.-]*[a-z0-9])"`)
	referral := regexp.MustCompile(`refer\("([a-z-]+)"`)
	made := regexp.MustCompile(`\.(?:(?:owed|desk)\("[^"]*", |told\()"([a-z-]+)"`)
	stage := regexp.MustCompile(`\badd\("([a-z-]+)"\)`)
	set := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(src), -1) {
			set[m[1]] = true
		}
		for _, m := range append(referral.FindAllStringSubmatch(string(src), -1), made.FindAllStringSubmatch(string(src), -1)...) {
			for _, part := range []string{"what", "means", "do"} {
				set["svc.trouble."+m[1]+"."+part] = true
			}
		}
		for _, m := range stage.FindAllStringSubmatch(string(src), -1) {
			set["svc.stage."+m[1]] = true
		}
	}
	for _, role := range []devices.Role{devices.RoleIDReader, devices.RoleDocumentPrinter, devices.RoleReceiptPrinter, devices.RoleCamera, devices.RoleCardPrinter, devices.RoleCardDispenser, devices.RoleCardCheck, devices.RoleFingerprint} {
		for _, why := range []devices.Unready{
			devices.UnreadyNoDevice, devices.UnreadyStarting, devices.UnreadyFraud, devices.UnreadyBroken, devices.UnreadyJammed,
			devices.UnreadyCoverOpen, devices.UnreadyPaperOut, devices.UnreadyTonerOut, devices.UnreadyOffline,
		} {
			set[deviceWhy(role, why).ID] = true
			if id := deviceWait(why).ID; id != "" {
				set[id] = true
			}
		}
	}
	for _, w := range ways {
		set["svc.way."+w.id], set["svc.way."+w.id+".about"] = true, true
	}
	for _, a := range photo.Advices() {
		set[adviceText(a).ID] = true
	}
	for _, a := range []finger.Advice{finger.AdviceSmall, finger.AdviceDry, finger.AdviceWet, finger.AdviceBlur} {
		set[adviceOfFinger(a).ID] = true
	}
	var ids []string
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func TestEveryTextIsWorded(t *testing.T) {
	m, err := LoadMessages(assets.FS)
	if err != nil {
		t.Fatal(err)
	}
	used := usedTexts(t)
	if len(used) < 100 {
		t.Fatalf("only %d ids found: the search is broken", len(used))
	}
	arg := regexp.MustCompile(`\{[a-z]+\}`)
	han := regexp.MustCompile(`\p{Han}`)
	for _, id := range used {
		zh, en := m["zh"][id], m["en"][id]
		if zh == "" || en == "" {
			t.Errorf("%s: zh %q, en %q", id, zh, en)
			continue
		}
		a, b := arg.FindAllString(zh, -1), arg.FindAllString(en, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: values %v in Chinese, %v in English", id, a, b)
		}
		if han.MatchString(en) {
			t.Errorf("%s: Chinese in the English wording %q", id, en)
		}
	}
	for _, l := range Languages {
		for id := range m[l] {
			if !slices.Contains(used, id) {
				t.Errorf("%s: %s is worded and never said", l, id)
			}
		}
	}
}

// TestPhotosAreAdvisedInTheSameWords: what a technician reads at the camera is what the citizen reads.
func TestPhotosAreAdvisedInTheSameWords(t *testing.T) {
	m, err := LoadMessages(assets.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range photo.Advices() {
		for _, l := range Languages {
			if got := m.Say(l, adviceText(a)); got != a.Words(l) {
				t.Errorf("%s in %s: %q, package photo says %q", a, l, got, a.Words(l))
			}
		}
	}
}

func TestSay(t *testing.T) {
	m := Messages{"zh": {"a": "{n} 分", "b": "只有中文"}, "en": {"a": "{n} min"}}
	for _, tc := range []struct {
		lang string
		text Text
		want string
	}{
		{"en", T("a", "n", "3"), "3 min"},
		{"zh", T("a", "n", "3"), "3 分"},
		{"en", T("b"), "只有中文"},
		{"en", T("unknown"), "unknown"},
		{"en", T("a", "n", "{n}"), "{n} min"},
		{"ug", Worded(map[string]string{"zh": "中", "en": "x"}), "中"},
		{"en", Text{}, ""},
	} {
		if got := m.Say(tc.lang, tc.text); got != tc.want {
			t.Errorf("%s %+v: %q, expected %q", tc.lang, tc.text, got, tc.want)
		}
	}
}

// TestWire holds this package's records against the contract with the platform.
func TestWire(t *testing.T) {
	at := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	hash := wire.Hash{1, 2, 3}
	if laneTx != wire.LaneTx || typeRating != wire.TypeRating || typeHotline != wire.TypeHotline {
		t.Error("lane or type differ from sync/wire")
	}
	var r wire.Rating
	reread(t, ratingBody{"SB-P", "2020-1", "5", at}, &r)
	if want := (wire.Rating{Item: "SB-P", Version: "2020-1", Level: "5", At: at}); r != want {
		t.Errorf("%+v, expected %+v", r, want)
	}
	var h wire.Hotline
	reread(t, hotlineBody{"03-1", "road", "13900000001", hash.String(), at}, &h)
	if want := (wire.Hotline{LocalNo: "03-1", Category: "road", Phone: "13900000001", Ink: hash, At: at}); h != want {
		t.Errorf("%+v, expected %+v", h, want)
	}
}

func reread(t *testing.T, from, into any) {
	t.Helper()
	b, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestWipe(t *testing.T) {
	photo := []byte{1, 2, 3}
	v := &visit{card: &devices.IDCard{Name: "张三", Number: "x", Photo: photo}, token: Token{Value: "t"}, consents: map[string]bool{"identity": true}}
	v.wipe()
	if v.card != nil || v.token != (Token{}) || len(v.consents) != 0 || !slices.Equal(photo, []byte{0, 0, 0}) {
		t.Errorf("left %v, photo %v", v, photo)
	}
	ink := []byte{4, 5}
	j := &Journey{answers: map[string]string{"phone": "1"}, ink: ink}
	j.wipe()
	if len(j.answers) != 0 || j.ink != nil || !slices.Equal(ink, []byte{0, 0}) || !reflect.DeepEqual(j.found, Found{}) {
		t.Error("answers are left")
	}
}

func TestFieldValues(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		field fieldItem
		value string
		want  string
	}{
		{fieldItem{Kind: FieldPhone}, "13900000001", ""},
		{fieldItem{Kind: FieldPhone}, "12900000001", "svc.field.phone"},
		{fieldItem{Kind: FieldPhone}, "1390000000", "svc.field.phone"},
		{fieldItem{Kind: FieldPhone}, "", ""},
		{fieldItem{Kind: FieldPhone, Required: true}, "", "svc.field.required"},
		{fieldItem{Kind: FieldMonth}, "202611", ""},
		{fieldItem{Kind: FieldMonth}, "202612", "svc.field.month-future"},
		{fieldItem{Kind: FieldMonth}, "202613", "svc.field.month"},
		{fieldItem{Kind: FieldDigits, Max: 3}, "1234", "svc.field.long"},
		{fieldItem{Kind: FieldDigits}, "12a", "svc.field.digits"},
		{fieldItem{Kind: FieldLatin}, "abc é", "svc.field.latin"},
		{fieldItem{Kind: FieldHan}, "和平街 12 号（三单元）A 座，𠮷", ""},
		{fieldItem{Kind: FieldHan}, "和平街\n12 号", "svc.field.han"},
		{fieldItem{Kind: FieldHan}, "和平街\x00", "svc.field.han"},
		{fieldItem{Kind: FieldHan}, "\xff", "svc.field.han"},
		{fieldItem{Kind: FieldHan, Max: 3}, "和平街道", "svc.field.long"},
		{fieldItem{Kind: FieldChoice, Options: []optionItem{{ID: "a"}}}, "b", "svc.field.choice"},
		{fieldItem{Kind: FieldChoice, Options: []optionItem{{ID: "a"}}}, "a", ""},
	} {
		if got := tc.field.valid(tc.value, now).ID; got != tc.want {
			t.Errorf("%s %q: %q, expected %q", tc.field.Kind, tc.value, got, tc.want)
		}
	}
}
