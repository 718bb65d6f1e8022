package photo

import (
	"errors"
	"image"
	"image/color"
	"reflect"
	"slices"
	"testing"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/budayang/kiosk/service/photo/face"
	"github.com/budayang/kiosk/test/portraits"
)

func booth(t testing.TB, profile string) *Booth {
	t.Helper()
	p, err := LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBooth(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// studio makes pictures; all tests share it, and none runs beside another.
var theStudio *portraits.Studio

func studio(t testing.TB) *portraits.Studio {
	t.Helper()
	if theStudio == nil {
		var err error
		if theStudio, err = portraits.Open("testdata"); err != nil {
			t.Fatal(err)
		}
	}
	return theStudio
}

// judged is what became of a picture: the verdict with everything that refuses it or brings a person in, or the advice of
// [ErrNoPhoto].
func judged(t testing.TB, b *Booth, m *image.RGBA) (Verdict, []Finding) {
	t.Helper()
	defer b.Wipe()
	p, err := b.Take(m)
	defer p.Wipe()
	var none ErrNoPhoto
	if errors.As(err, &none) {
		return "", []Finding{{Advice: none.Advice}}
	} else if err != nil {
		t.Fatal(err)
	}
	return p.Verdict, slices.DeleteFunc(p.Findings, func(f Finding) bool { return f.Kind == Advise })
}

// right is whether a case got its verdict for its reason; what is sound must not be blamed for anything else.
func right(c portraits.Case, v Verdict, found []Finding) bool {
	said, more := c.Says == "", false
	for _, f := range found {
		said = said || string(f.Advice) == c.Says
		more = more || string(f.Advice) != c.Says
	}
	return string(v) == c.Verdict && said && !(c.Sound && more)
}

func TestTuningPicturesGetTheirVerdict(t *testing.T) {
	b := booth(t, "id-card")
	table := map[[2]Verdict]int{}
	for i, c := range studio(t).Tuning() {
		if i%every != 0 {
			continue
		}
		got, found := judged(t, b, c.Make().RGBA)
		table[[2]Verdict{Verdict(c.Verdict), got}]++
		if !right(c, got, found) {
			t.Errorf("%s: %q %v, expected %q for %q", c.Name, got, found, c.Verdict, c.Says)
		}
		t.Logf("%-28s %-11s %v", c.Name, got, found)
	}
	t.Logf("expected, got: %v", table)
}

// TestPicturesJudgedAtTheSameTime are judged as they are one after the other: the same verdict, findings, values and file for each.
func TestPicturesJudgedAtTheSameTime(t *testing.T) {
	p, err := LoadProfile("id-card")
	if err != nil {
		t.Fatal(err)
	}
	finders := make([]*face.Finder, 2)
	for i := range finders {
		if finders[i], err = face.New(); err != nil {
			t.Fatal(err)
		}
	}
	together := NewBoothWith(p, finders[0], finders[1]) // two, on a machine with one processor too
	alone := booth(t, "id-card")
	var names []string
	var all []*image.RGBA
	for i, c := range studio(t).Tuning() {
		if i%every == 0 {
			names, all = append(names, c.Name), append(all, c.Make().RGBA)
		}
	}
	g := studio(t).Good()
	for i := range uint32(6) { // both know how this person's eyes are open
		together.Watch(g.RGBA, i)
		alone.Watch(g.RGBA, i)
	}
	var (
		groups   [][]int
		whole    []int // more than there are finders
		photos   []Photo
		none     []error
		verdicts = map[Verdict]int{}
	)
	for i := range all {
		whole = append(whole, i)
		if i%2 == 0 {
			groups = append(groups, []int{i, (i + 1) % len(all)})
		}
		p, err := alone.Take(all[i])
		photos, none = append(photos, p), append(none, err)
		verdicts[p.Verdict]++
	}
	for _, group := range append(groups, whole, []int{0}, nil) {
		var pictures []*image.RGBA
		for _, i := range group {
			pictures = append(pictures, all[i])
		}
		got, errs := together.TakeAll(pictures)
		if len(got) != len(group) || len(errs) != len(group) {
			t.Fatalf("%d photos and %d errors of %d pictures", len(got), len(errs), len(group))
		}
		for k, i := range group {
			want, err := photos[i], none[i]
			if !errors.Is(errs[k], err) || !reflect.DeepEqual(got[k], want) {
				t.Errorf("%s in %v: %q %v %v, by itself %q %v %v", names[i], group, got[k].Verdict, got[k].Findings, errs[k], want.Verdict, want.Findings, err)
			}
		}
	}
	if every == 1 && (verdicts[Accepted] == 0 || verdicts[Refused] == 0 || verdicts[ForPerson] == 0 || verdicts[""] == 0) {
		t.Errorf("only %v", verdicts)
	}
	together.Wipe()
	for _, k := range together.more {
		if k.mask != (face.Mask{}) || k.mesh != (face.Mesh{}) || k.inside != (face.Mesh{}) {
			t.Error("mask or points of the second are left")
		}
	}
}

func TestGuidanceLeadsToAPhoto(t *testing.T) {
	g := studio(t).Good()
	b := booth(t, "id-card")
	watch := func(m portraits.Picture, sequence uint32, want Advice) {
		t.Helper()
		if got := b.Watch(m.RGBA, sequence); got != want {
			t.Errorf("picture %d: %q, expected %q", sequence, got, want)
		}
	}
	watch(g.Each(func(_, _ int, _ color.RGBA) color.RGBA { return portraits.White }), 1, AdviceNobody)
	watch(g.Moved(0.5, 0, 0), 2, AdviceCloser)
	watch(g.Moved(1, -220, 0), 3, AdviceLeft)
	watch(g.Turned(12, 350, 300, portraits.White), 4, "straighten")
	watch(g.Blurred(4), 5, "still")
	for i := range uint32(8) {
		watch(g, 6+i, AdviceHold)
	}
	got := b.Candidates([]uint32{4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 2)
	if len(got) != 2 || got[0] < 6 || got[1] < 6 || max(got[0], got[1])-min(got[0], got[1]) < 3 {
		t.Errorf("candidates %v", got)
	}
	if got := b.Candidates([]uint32{99}, 2); len(got) != 0 {
		t.Errorf("candidates that nobody keeps: %v", got)
	}
	for _, a := range []Advice{AdviceNobody, AdviceCloser, AdviceLeft, "straighten", "still", AdviceHold} {
		if a.Words("zh") == "" || a.Words("en") == "" {
			t.Errorf("%s has no words", a)
		}
	}
}

// TestEyesThatCloseAreSeen: by what they were when they were open, whoever has them.
func TestEyesThatCloseAreSeen(t *testing.T) {
	g := studio(t).Good()
	b := booth(t, "id-card")
	closed := studio(t).Closed(g)
	for i := range uint32(6) {
		if got := b.Watch(g.RGBA, i); got != AdviceHold {
			t.Fatalf("picture %d: %q", i, got)
		}
	}
	if got := b.Watch(closed.RGBA, 6); got != "eyes" {
		t.Errorf("closed: %q", got)
	}
	p, err := b.Take(closed.RGBA)
	if err != nil || p.Verdict != Refused || !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Advice == "eyes" }) {
		t.Errorf("a photo with closed eyes: %s %v %v", p.Verdict, p.Findings, err)
	}
	if p, err = b.Take(g.RGBA); err != nil || p.Verdict != Accepted {
		t.Errorf("open again: %s %v %v", p.Verdict, p.Findings, err)
	}
	b.Wipe()
	if b.gaps != nil {
		t.Error("the eyes are remembered")
	}
}

// TestCutIsTheLibrarys: the same kernel as x/image/draw has, of which it is a quicker way, enlarged and shrunk, in the middle and at the edges.
func TestCutIsTheLibrarys(t *testing.T) {
	m := studio(t).Good().RGBA
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	for _, f := range []frame{{120.3, 60.7, 0.7}, {100, 50, 1}, {90.25, 1.5, 1.21}, {0, 0, 1}, {w - 358*1.1, h - 441*1.1, 1.1}, {3.3, 1.1, 1.2}} {
		got, want := image.NewRGBA(image.Rect(0, 0, 358, 441)), image.NewRGBA(image.Rect(0, 0, 358, 441))
		cutFinely(got, m, f)
		xdraw.CatmullRom.Transform(want, f64.Aff3{1 / f.scale, 0, -f.x / f.scale, 0, 1 / f.scale, -f.y / f.scale}, m, m.Rect, xdraw.Src, nil)
		unlike, worst := 0, 0
		for i, v := range want.Pix {
			if d := max(int(v), int(got.Pix[i])) - min(int(v), int(got.Pix[i])); d > 0 {
				unlike, worst = unlike+1, max(worst, d)
			}
		}
		if worst > 1 || unlike > len(want.Pix)/1000 {
			t.Errorf("%+v: %d of %d bytes differ, by up to %d", f, unlike, len(want.Pix), worst)
		}
	}
}

// TestBetterPicturesAreWorthMore: open eyes, a closed mouth, a straight head and a sharp picture.
func TestBetterPicturesAreWorthMore(t *testing.T) {
	best := Values{"ofiq-eyes-open": 99, "ofiq-mouth-closed": 97, "ofiq-yaw": 100, "ofiq-pitch": 99, "ofiq-roll": 100, "sharpness": 400}
	for _, m := range []Measure{"ofiq-eyes-open", "ofiq-mouth-closed", "ofiq-yaw", "ofiq-pitch", "ofiq-roll", "sharpness"} {
		v := Values{}
		for k, x := range best {
			v[k] = x
		}
		v[m] /= 3
		if value(v) >= value(best) {
			t.Errorf("a worse %s is worth %.1f, the best %.1f", m, value(v), value(best))
		}
	}
}

func TestNothingOfAFaceIsLeft(t *testing.T) {
	g := studio(t).Good()
	b := booth(t, "id-card")
	for i := range uint32(12) {
		b.Watch(g.RGBA, i)
	}
	p, err := b.Take(g.RGBA)
	if err != nil || len(p.JPEG) == 0 {
		t.Fatal(err)
	}
	file, remembered := p.JPEG, b.worth
	p.Wipe()
	b.Wipe()
	if slices.ContainsFunc(file, func(c byte) bool { return c != 0 }) || p.JPEG != nil {
		t.Error("the file is left")
	}
	if slices.ContainsFunc(b.photo.Pix, func(c byte) bool { return c != 0 }) {
		t.Error("the preview's photo is left")
	}
	if slices.ContainsFunc(b.mask[:], func(c float32) bool { return c != 0 }) {
		t.Error("the mask is left")
	}
	if slices.ContainsFunc(remembered, func(w worth) bool { return w != worth{} }) || b.worth != nil || b.hair != hairAbove {
		t.Error("what was seen of the person is left")
	}
	if got := b.Watch(g.RGBA, 1); got != AdviceHold {
		t.Errorf("the next person: %q", got)
	}
}

func BenchmarkWatch(b *testing.B) {
	g, booth := studio(b).Good(), booth(b, "id-card")
	n := uint32(0)
	for b.Loop() {
		booth.Watch(g.RGBA, n)
		n++
	}
}

func BenchmarkTake(b *testing.B) {
	g, booth := studio(b).Good(), booth(b, "id-card")
	for b.Loop() {
		if _, err := booth.Take(g.RGBA); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTakeTwo judges two at the same time where there are two processors.
func BenchmarkTakeTwo(b *testing.B) {
	g, booth := studio(b).Good(), booth(b, "id-card")
	two := []*image.RGBA{g.RGBA, studio(b).Good().Mirrored().RGBA}
	for b.Loop() {
		if _, errs := booth.TakeAll(two); errs[0] != nil || errs[1] != nil {
			b.Fatal(errs)
		}
	}
}

// BenchmarkFile cuts the photo out of a picture of 1280 by 720 and finds its quality.
func BenchmarkFile(b *testing.B) {
	p, err := LoadProfile("id-card")
	if err != nil {
		b.Fatal(err)
	}
	m := studio(b).Good().Larger(1.34).RGBA
	f := frame{x: 120, y: 60, scale: 1.3}
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for b.Loop() {
		cutFinely(out, m, f)
		if _, _, err := encode(out, p); err != nil {
			b.Fatal(err)
		}
	}
}
