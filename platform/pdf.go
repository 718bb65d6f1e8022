package platform

// Certificates as PDF: A4, Chinese beyond the BMP, an e-seal that says that it is a specimen, a verification code, and a
// PDF signature over the whole file.

import (
	"bytes"
	"crypto"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/boombuler/barcode/qr"
	pdfread "github.com/digitorus/pdf"
	"github.com/digitorus/pdfsign/sign"
	"github.com/tdewolff/canvas"
	"github.com/tdewolff/canvas/renderers/pdf"
	"golang.org/x/image/font/sfnt"

	"github.com/budayang/kiosk/assets"
)

// certificate is what is printed.
type certificate struct {
	Number, Verify, Purpose string
	Citizen                 CitizenRow
	Issued                  time.Time
	Insurances              []insurance
	Months                  int // of history to list; 0 lists the kinds only
}

const (
	pageW, pageH = 210.0, 297.0 // mm
	margin       = 22.0
	lineMM       = 8.2
)

var (
	black = color.RGBA{0x1a, 0x1a, 0x1a, 0xff}
	grey  = color.RGBA{0x66, 0x66, 0x66, 0xff}
	seal  = color.RGBA{0xc8, 0x1e, 0x1e, 0xff}
)

// typefaces are parsed once: one in regular with every Han character we have, one in bold for headings.
var typefaces = sync.OnceValues(func() (f faces, err error) {
	f.family = canvas.NewFontFamily("certificate")
	if err = f.family.LoadFont(assets.Font("wide-regular.ttf"), 0, canvas.FontRegular); err != nil {
		return f, err
	}
	if err = f.family.LoadFont(assets.Font("print-bold.ttf"), 0, canvas.FontBold); err != nil {
		return f, err
	}
	f.glyphs, err = sfnt.Parse(assets.Font("wide-regular.ttf"))
	return f, err
})

type faces struct {
	family *canvas.FontFamily
	glyphs *sfnt.Font
}

// drawing is serialised: the PDF writer subsets the shared faces while it writes.
var drawing sync.Mutex

// covers says whether every character has a glyph: nothing is ever printed with a box in it.
func (f faces) covers(text string) bool {
	var b sfnt.Buffer
	for _, r := range text {
		if i, err := f.glyphs.GlyphIndex(&b, r); err != nil || i == 0 {
			return false
		}
	}
	return true
}

// render draws and signs a certificate and returns its bytes and pages.
func (k *keys) render(c certificate) ([]byte, int, error) {
	f, err := typefaces()
	if err != nil {
		return nil, 0, fmt.Errorf("certificate: fonts: %w", err)
	}
	if !f.covers(c.Citizen.Name) {
		return nil, 0, errGlyph
	}
	drawing.Lock()
	defer drawing.Unlock()
	rows := history(c)
	const first, more = 30, 96 // history rows on the first page and on each further one
	pages := 1
	if len(rows) > first {
		pages += (len(rows) - first + more - 1) / more
	}
	var out bytes.Buffer
	w := pdf.New(&out, pageW, pageH, &pdf.Options{Compress: true, SubsetFonts: true})
	w.SetInfo("社会保险参保证明 "+c.Number, "", "", "Budayang platform (SPECIMEN)", "Budayang")
	w.SetLang("zh-CN")
	for p := range pages {
		if p > 0 {
			w.NewPage(pageW, pageH)
		}
		page := &sheet{canvas.New(pageW, pageH), nil, f}
		page.ctx = canvas.NewContext(page.c)
		page.header(c)
		if p == 0 {
			page.first(c, rows[:min(first, len(rows))])
		} else {
			from := first + (p-1)*more
			page.table(pageH-62, rows[from:min(from+more, len(rows))])
		}
		page.footer(c, p+1, pages)
		page.c.RenderTo(w)
	}
	if err := w.Close(); err != nil {
		return nil, 0, fmt.Errorf("certificate: %w", err)
	}
	signed, err := k.signPDF(out.Bytes(), c.Issued)
	return signed, pages, err
}

// history are the months to list, newest first.
func history(c certificate) []string {
	if c.Months == 0 || len(c.Insurances) == 0 {
		return nil
	}
	main := c.Insurances[0]
	last := main.from.AddDate(0, main.months-1, 0)
	var rows []string
	for i := range min(c.Months, main.months) {
		rows = append(rows, last.AddDate(0, -i, 0).Format("2006-01"))
	}
	return rows
}

// sheet is one page.
type sheet struct {
	c   *canvas.Canvas
	ctx *canvas.Context
	faces
}

func (s *sheet) text(x, y, pt float64, style canvas.FontStyle, col color.RGBA, align canvas.TextAlign, t string) {
	face := s.family.Face(pt, col, style, canvas.FontNormal)
	// A line of mixed scripts is laid from its left end: the library puts its parts over each other otherwise.
	switch align {
	case canvas.Right:
		x -= face.TextWidth(t)
	case canvas.Center:
		x -= face.TextWidth(t) / 2
	}
	s.ctx.DrawText(x, y, canvas.NewTextLine(face, t, canvas.Left))
}

func (s *sheet) rule(y, width float64) {
	s.ctx.SetStrokeColor(color.RGBA{0x99, 0x99, 0x99, 0xff})
	s.ctx.SetFillColor(canvas.Transparent)
	s.ctx.SetStrokeWidth(width)
	s.ctx.DrawPath(margin, y, canvas.Line(pageW-2*margin, 0))
	s.ctx.SetStrokeColor(canvas.Transparent)
}

func (s *sheet) header(c certificate) {
	s.text(pageW/2, pageH-34, 24, canvas.FontBold, black, canvas.Center, "社会保险参保证明")
	s.text(pageW-margin, pageH-46, 9.5, canvas.FontRegular, grey, canvas.Right, "证明编号 "+c.Number)
	s.text(margin, pageH-46, 9.5, canvas.FontRegular, grey, canvas.Left, "示例市社会保险事业中心")
	s.rule(pageH-49, 0.4)
}

func (s *sheet) footer(c certificate, page, pages int) {
	s.rule(20, 0.2)
	s.text(margin, 14, 8, canvas.FontRegular, grey, canvas.Left, "扫码或访问以下网址核验:"+c.Verify)
	s.text(pageW-margin, 14, 8, canvas.FontRegular, grey, canvas.Right, fmt.Sprintf("第 %d 页 / 共 %d 页", page, pages))
}

// first is the first page: who, what, since when, the code and the seal.
func (s *sheet) first(c certificate, rows []string) {
	y := pageH - 62.0
	id := c.Citizen
	for _, r := range [][2]string{{"姓名", id.Name}, {"社会保障号码", id.Number}, {"参保地", "示例市本级(990000)"}, {"用途", purposes[c.Purpose]}} {
		s.text(margin, y, 12, canvas.FontRegular, grey, canvas.Left, r[0])
		s.text(margin+38, y, 12, canvas.FontRegular, black, canvas.Left, r[1])
		y -= lineMM
	}
	y -= 3
	columns := []float64{margin + 2, margin + 78, margin + 116, margin + 146}
	for i, h := range []string{"险种", "参保时间", "累计月数", "状态"} {
		s.text(columns[i], y, 11, canvas.FontBold, black, canvas.Left, h)
	}
	s.rule(y-2.4, 0.3)
	for _, in := range c.Insurances {
		y -= lineMM
		for i, v := range []string{in.zh, in.from.Format("2006-01"), strconv.Itoa(in.months), "正常参保"} {
			s.text(columns[i], y, 11, canvas.FontRegular, black, canvas.Left, v)
		}
	}
	y -= 4
	s.rule(y, 0.3)
	if len(rows) > 0 {
		s.table(y-9, rows)
	}
	s.text(margin, 74, 11, canvas.FontRegular, black, canvas.Left, "特此证明。")
	s.text(pageW-margin, 58, 11, canvas.FontRegular, black, canvas.Right, "示例市社会保险事业中心")
	s.text(pageW-margin, 50, 11, canvas.FontRegular, black, canvas.Right, c.Issued.Format("2006年1月2日"))
	s.text(margin, 26, 8.5, canvas.FontRegular, grey, canvas.Left, "本件为演示样张,人员与数据均为虚构,不具法律效力。 SPECIMEN — no legal force.")
	s.code(margin, 32, 34, c.Verify)
	s.seal(pageW-margin-26, 58)
}

var purposes = map[string]string{"": "本人使用", "loan": "贷款", "housing": "购房或落户", "school": "子女入学", "job": "求职或投标", "other": "其他"}

// table lists months in three columns.
func (s *sheet) table(y float64, rows []string) {
	s.text(margin+2, y, 10, canvas.FontBold, black, canvas.Left, "企业职工基本养老保险缴费明细(月份:已缴)")
	per := (len(rows) + 2) / 3
	for i, r := range rows {
		x := margin + 2 + float64(i/per)*56
		s.text(x, y-6-float64(i%per)*6, 9.5, canvas.FontRegular, black, canvas.Left, r+"  已缴")
	}
}

// code draws the verification QR as one path of squares.
func (s *sheet) code(x, y, size float64, data string) {
	m, err := qr.Encode(data, qr.M, qr.Auto)
	if err != nil {
		return
	}
	n := m.Bounds().Dx()
	step := size / float64(n)
	p := &canvas.Path{}
	for row := range n {
		for col := range n {
			if r, _, _, _ := m.At(col, row).RGBA(); r == 0 {
				p = p.Append(canvas.Rectangle(step*1.01, step*1.01).Translate(float64(col)*step, size-float64(row+1)*step))
			}
		}
	}
	s.ctx.SetFillColor(canvas.Black)
	s.ctx.DrawPath(x, y, p)
}

// seal draws a round red seal around a centre, with a star and words along the upper arc, marked as a specimen.
func (s *sheet) seal(x, y float64) {
	const radius = 19.0
	s.ctx.SetFillColor(canvas.Transparent)
	s.ctx.SetStrokeColor(seal)
	s.ctx.SetStrokeWidth(1.1)
	s.ctx.DrawPath(x, y, canvas.Circle(radius))
	s.ctx.SetStrokeColor(canvas.Transparent)
	s.ctx.SetFillColor(seal)
	s.ctx.DrawPath(x, y, canvas.StarPolygon(5, 5.4, 2.1, true))
	words := []rune("示例市社会保险事业中心")
	for i, r := range words {
		angle := 220.0 - 260.0*float64(i)/float64(len(words)-1)
		rad := angle * math.Pi / 180
		s.ctx.Push()
		s.ctx.ComposeView(canvas.Identity.Translate(x+math.Cos(rad)*(radius-4.6), y+math.Sin(rad)*(radius-4.6)).Rotate(angle - 90))
		s.text(0, -1.5, 9.5, canvas.FontBold, seal, canvas.Center, string(r))
		s.ctx.Pop()
	}
	s.text(x, y-11, 9, canvas.FontBold, seal, canvas.Center, "样章 SPECIMEN")
}

// signPDF puts a PDF signature over the whole file.
func (k *keys) signPDF(plain []byte, at time.Time) ([]byte, error) {
	in := bytes.NewReader(plain)
	r, err := pdfread.NewReader(in, int64(len(plain)))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	var out bytes.Buffer
	err = sign.Sign(in, &out, r, int64(len(plain)), sign.SignData{
		Signature: sign.SignDataSignature{
			Info:       sign.SignDataSignatureInfo{Name: "Budayang e-seal SPECIMEN", Reason: "issued", Date: at},
			CertType:   sign.CertificationSignature,
			DocMDPPerm: sign.DoNotAllowAnyChangesPerms,
		},
		Signer: k.sign, DigestAlgorithm: crypto.SHA256, Certificate: k.pdf,
	})
	if err != nil {
		return nil, fmt.Errorf("certificate: signature: %w", err)
	}
	return out.Bytes(), nil
}
