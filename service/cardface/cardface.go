// Package cardface draws what is printed on a card: a template's lines, texts and pictures, with one person's data, as grey dots
// for the card printer.
//
//	t, err := cardface.Load("temporary-id")
//	m, err := t.Draw(person)        // 1013 × 638 dots: 85.6 × 54 mm at 300 dpi
//	defer clear(m.Pix)
//
// A template is data under profiles. The one that is built in is a specimen, drawn by us and marked so across its face: the real
// layout belongs to whoever may make such cards, and comes as a template of theirs. A character that the typeface lacks is never
// printed as a box: a name comes as a picture then, or [ErrGlyph] says that the card cannot be made here.
//
// The package knows no printer, no platform and no citizen, keeps nothing, and logs nothing.
package cardface

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"sync"
	"time"

	"github.com/boombuler/barcode/qr"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices/profile"
)

// Errors of [Template.Draw].
var (
	// ErrGlyph: the typeface lacks a character, and there is no picture of it.
	ErrGlyph = errors.New("a character cannot be printed here")
	// ErrPicture: photo or name's picture is none, or not of its size.
	ErrPicture = errors.New("picture cannot be printed")
	// ErrRoom: a text is longer than its place.
	ErrRoom = errors.New("text does not fit on the card")
)

// Face is a drawn card. Clear its Pix when it was printed.
type Face = image.Gray

// Person is whose card it is, and what belongs to this one card. It hides itself when formatted.
type Person struct {
	Name                               string
	NameImage                          []byte // PNG, black on white; for a name that the typeface cannot write
	Sex, Nation, Born, Address, Number string // Born: 2006-01-02
	From, Until                        time.Time
	Authority                          string
	Photo                              []byte // JPEG, upright
	Verify                             string // text of the code
	Blank                              string // number of the blank
}

// String hides everything.
func (Person) String() string { return "[card]" }

// GoString hides everything.
func (Person) GoString() string { return "[card]" }

// Template is how a card is laid out. Lengths are dots.
type Template struct {
	Title  string `toml:"title"`
	Source string `toml:"source"`
	Width  int    `toml:"width"`
	Height int    `toml:"height"`
	// Specimen is written across the whole face, grey; "" only where the layout's owner says so.
	Specimen string    `toml:"specimen"`
	Lines    []Line    `toml:"line"`
	Texts    []Words   `toml:"text"`
	Pictures []Picture `toml:"picture"`
	Codes    []Code    `toml:"code"`
}

// Line is a filled rectangle.
type Line struct {
	X    int `toml:"x"`
	Y    int `toml:"y"`
	W    int `toml:"w"`
	H    int `toml:"h"`
	Grey int `toml:"grey"` // 0 black to 255 white
}

// Words are a text at a place: Text, in which {name} and the like stand for the person's.
type Words struct {
	Text  string  `toml:"text"`
	X     int     `toml:"x"`
	Y     int     `toml:"y"` // of the first line's upper edge
	W     int     `toml:"w"`
	Size  float64 `toml:"size"`  // of an em
	Rows  int     `toml:"rows"`  // lines at most; 0 means 1
	Align string  `toml:"align"` // left, centre, right
	Grey  int     `toml:"grey"`
}

// Picture is the portrait's place.
type Picture struct {
	X int `toml:"x"`
	Y int `toml:"y"`
	W int `toml:"w"`
	H int `toml:"h"`
}

// Code is the QR code's place.
type Code struct {
	X    int `toml:"x"`
	Y    int `toml:"y"`
	Side int `toml:"side"`
}

//go:embed profiles/*.toml
var built embed.FS

// Names are the templates that are built in.
func Names() []string { return profile.Names(built) }

// Load returns a built-in template.
func Load(name string) (*Template, error) {
	t, err := profile.Load(built, "card face", name, Template.check)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// Parse reads and checks a template; its errors name the file.
func Parse(file string, text []byte) (*Template, error) {
	t, err := profile.Parse(file, text, Template.check)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// Bounds of a template: no printer prints larger cards.
const (
	mostDots  = 2048
	mostParts = 100
)

var fields = []string{"{name}", "{sex}", "{nation}", "{born}", "{year}", "{month}", "{day}", "{address}", "{number}", "{from}", "{until}", "{authority}", "{blank}"}

func (t Template) check(file string) error {
	within := func(what string, x, y, w, h int) error {
		if x < 0 || y < 0 || w < 1 || h < 1 || x+w > t.Width || y+h > t.Height {
			return fmt.Errorf("%s: %s at %d, %d of %d × %d lies outside the card", file, what, x, y, w, h)
		}
		return nil
	}
	switch {
	case t.Width < 1 || t.Width > mostDots || t.Height < 1 || t.Height > mostDots:
		return fmt.Errorf("%s: %d × %d dots, expected 1 to %d", file, t.Width, t.Height, mostDots)
	case t.Title == "" || t.Source == "":
		return fmt.Errorf("%s: no title or no source", file)
	case len(t.Lines)+len(t.Texts)+len(t.Pictures)+len(t.Codes) > mostParts:
		return fmt.Errorf("%s: more than %d parts", file, mostParts)
	}
	var errs []error
	for _, l := range t.Lines {
		errs = append(errs, within("a line", l.X, l.Y, l.W, l.H), profile.Within(file, "grey", l.Grey, 0, 255))
	}
	for _, p := range t.Pictures {
		errs = append(errs, within("a picture", p.X, p.Y, p.W, p.H))
	}
	for _, c := range t.Codes {
		errs = append(errs, within("a code", c.X, c.Y, c.Side, c.Side))
	}
	for _, w := range t.Texts {
		errs = append(errs, within("a text", w.X, w.Y, w.W, 1), profile.Within(file, "grey", w.Grey, 0, 255),
			profile.Within(file, "rows", w.Rows, 0, 10), profile.OneOf(file, "align", w.Align, "", "left", "centre", "right"))
		if w.Size < 8 || w.Size > 200 {
			errs = append(errs, fmt.Errorf("%s: size %g, expected 8 to 200", file, w.Size))
		}
		rest := w.Text
		for _, f := range fields {
			rest = strings.ReplaceAll(rest, f, "")
		}
		if strings.ContainsAny(rest, "{}") || w.Text == "" {
			errs = append(errs, fmt.Errorf("%s: text %q, expected words with %s", file, w.Text, strings.Join(fields, " ")))
		}
	}
	return errors.Join(errs...)
}

// chinaTime is the one time of the country, in which a card is dated.
var chinaTime = time.FixedZone("CST", 8*60*60)

// Day is a day as it stands on a card.
func Day(t time.Time) string { return t.In(chinaTime).Format("2006.01.02") }

var typeface = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(assets.Font("wide-regular.ttf")) })

// Covers says whether every character of a text can be printed.
func Covers(s string) bool {
	f, err := typeface()
	return err == nil && covers(f, s)
}

func covers(f *opentype.Font, s string) bool {
	var b sfnt.Buffer
	for _, r := range s {
		if i, err := f.GlyphIndex(&b, r); err != nil || i == 0 {
			return false
		}
	}
	return true
}

// Draw lays a person's data out. Whatever cannot be printed as it is, is an error: nothing is left out or replaced.
func (t *Template) Draw(p Person) (m *Face, err error) {
	f, err := typeface()
	if err != nil {
		return nil, err
	}
	m = image.NewGray(image.Rect(0, 0, t.Width, t.Height))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	defer func() {
		if err != nil {
			clear(m.Pix)
			m = nil
		}
	}()
	for _, l := range t.Lines {
		xdraw.Draw(m, image.Rect(l.X, l.Y, l.X+l.W, l.Y+l.H), image.NewUniform(color.Gray{Y: uint8(l.Grey)}), image.Point{}, xdraw.Src)
	}
	if err := t.mark(m, f); err != nil {
		return m, err
	}
	for _, pic := range t.Pictures {
		if err := portrait(m, pic, p.Photo); err != nil {
			return m, err
		}
	}
	for _, w := range t.Texts {
		if err := t.words(m, f, w, p); err != nil {
			return m, err
		}
	}
	for _, c := range t.Codes {
		if err := code(m, c, p.Verify); err != nil {
			return m, err
		}
	}
	return m, nil
}

// mark writes what a specimen is, across all of it.
func (t *Template) mark(m *Face, f *opentype.Font) error {
	if t.Specimen == "" {
		return nil
	}
	const size, grey = 58, 205
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		return err
	}
	defer face.Close()
	step := font.MeasureString(face, t.Specimen).Ceil() + size
	d := font.Drawer{Dst: m, Src: image.NewUniform(color.Gray{Y: grey}), Face: face}
	for i, y := 0, size*2; y < t.Height; i, y = i+1, y+size*5/2 {
		for x := -(i % 2) * step / 2; x < t.Width; x += step {
			d.Dot = fixed.P(x, y)
			d.DrawString(t.Specimen)
		}
	}
	return nil
}

// mostPixels bounds the sides of a picture before it is decoded.
const mostPixels = 2000

// portrait draws the photo in grey, filling its place.
func portrait(m *Face, at Picture, jpg []byte) error {
	c, err := jpeg.DecodeConfig(bytes.NewReader(jpg))
	if err != nil || c.Width > mostPixels || c.Height > mostPixels {
		return fmt.Errorf("photo: %w", ErrPicture)
	}
	src, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		return fmt.Errorf("photo: %w", ErrPicture)
	}
	defer forget(src)
	xdraw.CatmullRom.Scale(m, image.Rect(at.X, at.Y, at.X+at.W, at.Y+at.H), src, src.Bounds(), xdraw.Src, nil)
	return nil
}

// forget blackens a decoded picture.
func forget(m image.Image) {
	switch m := m.(type) {
	case *image.YCbCr:
		clear(m.Y)
		clear(m.Cb)
		clear(m.Cr)
	case *image.Gray:
		clear(m.Pix)
	case *image.RGBA:
		clear(m.Pix)
	case *image.NRGBA:
		clear(m.Pix)
	}
}

// words draws a text. A name that cannot be written comes as its picture.
func (t *Template) words(m *Face, f *opentype.Font, w Words, p Person) error {
	born, err := time.Parse(time.DateOnly, p.Born)
	if err != nil && strings.Contains(w.Text, "{year}") {
		return fmt.Errorf("date of birth: %w", ErrRoom)
	}
	if w.Text == "{name}" && !covers(f, p.Name) {
		return name(m, w, p.NameImage)
	}
	s := strings.NewReplacer("{name}", p.Name, "{sex}", p.Sex, "{nation}", p.Nation, "{born}", p.Born, "{address}", p.Address, "{number}", p.Number,
		"{year}", born.Format("2006"), "{month}", born.Format("1"), "{day}", born.Format("2"),
		"{from}", Day(p.From), "{until}", Day(p.Until), "{authority}", p.Authority, "{blank}", p.Blank).Replace(w.Text)
	if !covers(f, s) {
		return fmt.Errorf("%s: %w", w.Text, ErrGlyph)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: w.Size, DPI: 72})
	if err != nil {
		return err
	}
	defer face.Close()
	rows, err := broken(face, s, w.W, max(1, w.Rows))
	if err != nil {
		return fmt.Errorf("%s: %w", w.Text, err)
	}
	for i, row := range rows {
		x := w.X
		switch wide := font.MeasureString(face, row).Ceil(); w.Align {
		case "centre":
			x += (w.W - wide) / 2
		case "right":
			x += w.W - wide
		}
		d := font.Drawer{Dst: m, Src: image.NewUniform(color.Gray{Y: uint8(w.Grey)}), Face: face, Dot: fixed.P(x, w.Y+int(w.Size*(0.9+1.3*float64(i))))}
		d.DrawString(row)
	}
	return nil
}

// broken breaks a text into lines that fit.
func broken(face font.Face, s string, width, most int) (rows []string, err error) {
	row := ""
	for _, r := range s {
		if font.MeasureString(face, row+string(r)).Ceil() > width && row != "" {
			rows, row = append(rows, row), ""
		}
		row += string(r)
	}
	if rows = append(rows, row); len(rows) > most || font.MeasureString(face, row).Ceil() > width {
		return nil, ErrRoom
	}
	return rows, nil
}

// name draws a name's picture as high as its text would be.
func name(m *Face, w Words, pic []byte) error {
	c, err := png.DecodeConfig(bytes.NewReader(pic))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > mostPixels || c.Height > mostPixels {
		return fmt.Errorf("name: %w", ErrGlyph)
	}
	src, err := png.Decode(bytes.NewReader(pic))
	if err != nil {
		return fmt.Errorf("name: %w", ErrGlyph)
	}
	defer forget(src)
	h := int(w.Size * 1.2)
	wide := c.Width * h / c.Height
	if wide > w.W {
		wide, h = w.W, c.Height*w.W/c.Width
	}
	xdraw.CatmullRom.Scale(m, image.Rect(w.X, w.Y, w.X+max(1, wide), w.Y+max(1, h)), src, src.Bounds(), xdraw.Over, nil)
	return nil
}

// code draws the QR code with whole dots for each module.
func code(m *Face, at Code, text string) error {
	c, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("code: %w", ErrRoom)
	}
	n := c.Bounds().Dx()
	step := at.Side / (n + 4) // two light modules around
	if step < 3 {
		return fmt.Errorf("code of %d modules: %w", n, ErrRoom)
	}
	xdraw.Draw(m, image.Rect(at.X, at.Y, at.X+at.Side, at.Y+at.Side), image.White, image.Point{}, xdraw.Src)
	off := (at.Side - n*step) / 2
	for y := range n {
		for x := range n {
			if r, _, _, _ := c.At(x, y).RGBA(); r == 0 {
				px, py := at.X+off+x*step, at.Y+off+y*step
				xdraw.Draw(m, image.Rect(px, py, px+step, py+step), image.Black, image.Point{}, xdraw.Src)
			}
		}
	}
	return nil
}
