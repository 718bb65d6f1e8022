// The steps that ask for answers: choose, form, ink, review.

package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/budayang/kiosk/idnum"
)

// optionItem is an option in an item file.
type optionItem struct {
	ID     string `yaml:"id"`
	Label  Words  `yaml:"label"`
	Detail Words  `yaml:"detail"`
}

func checkOptions(opts []optionItem) error {
	seen := map[string]bool{}
	for _, o := range opts {
		if !idForm.MatchString(o.ID) || seen[o.ID] {
			return fmt.Errorf("option %q, expected a short word that no other option has", o.ID)
		}
		seen[o.ID] = true
		if err := o.Label.check("option label", true); err != nil {
			return err
		}
		if err := o.Detail.check("option detail", false); err != nil {
			return err
		}
	}
	return nil
}

func options(opts []optionItem) []Option {
	out := make([]Option, 0, len(opts))
	for _, o := range opts {
		out = append(out, Option{ID: o.ID, Label: o.Label.Text(), Detail: o.Detail.Text()})
	}
	return out
}

func label(opts []Option, id string) Text {
	for _, o := range opts {
		if o.ID == id {
			return o.Label
		}
	}
	return Text{}
}

// answered is a step whose answers a review repeats.
type answered interface {
	rows(j *Journey) []Row
}

// chooseStep asks for one of several: options of the item, or the platform's catalogue of hotline categories.
type chooseStep struct {
	Settings `yaml:",inline"`
	ID       string       `yaml:"id"`
	From     string       `yaml:"from"` // "hotline", or "" for Options
	Title    Words        `yaml:"title"`
	Hint     Words        `yaml:"hint"`
	Label    Words        `yaml:"label"` // in the review
	Options  []optionItem `yaml:"options"`
}

func (s *chooseStep) check() error {
	switch {
	case !idForm.MatchString(s.ID):
		return fmt.Errorf("id %q, expected a short word", s.ID)
	case s.From != "" && s.From != "hotline":
		return fmt.Errorf("from %q, expected hotline", s.From)
	case (s.From == "") == (len(s.Options) == 0):
		return errors.New("expected either options or from")
	}
	if err := s.Title.check("title", true); err != nil {
		return err
	}
	if err := s.Hint.check("hint", false); err != nil {
		return err
	}
	if err := s.Label.check("label", true); err != nil {
		return err
	}
	return checkOptions(s.Options)
}

func (s *chooseStep) options(c Catalogue) []Option {
	if s.From == "hotline" {
		return c.Hotline
	}
	return options(s.Options)
}

// Ready: there must be something to choose from.
func (s *chooseStep) Ready(sc Scene) Text {
	if len(s.options(sc.Catalogue)) == 0 {
		return T("svc.why.no-catalogue")
	}
	return Text{}
}

// Run asks and keeps the option's id.
func (s *chooseStep) Run(ctx context.Context, j *Journey) error {
	opts := s.options(j.e.cfg.Platform.Catalogue())
	a, err := ask[Chosen](ctx, j, Choose{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Options: opts})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(opts, func(o Option) bool { return o.ID == a.ID }) {
		return fmt.Errorf("%w: no option %q", ErrAnswer, a.ID)
	}
	j.answers[s.ID] = a.ID
	return nil
}

func (s *chooseStep) rows(j *Journey) []Row {
	return []Row{{Label: s.Label.Text(), Value: label(s.options(j.e.cfg.Platform.Catalogue()), j.answers[s.ID])}}
}

// fieldItem is a field in an item file.
type fieldItem struct {
	ID       string       `yaml:"id"`
	Kind     FieldKind    `yaml:"kind"`
	Label    Words        `yaml:"label"`
	Hint     Words        `yaml:"hint"`
	Required bool         `yaml:"required"`
	Max      int          `yaml:"max"`
	Private  bool         `yaml:"private"`
	Default  string       `yaml:"default"`
	Options  []optionItem `yaml:"options"`
}

// formStep asks for values.
type formStep struct {
	Settings `yaml:",inline"`
	Title    Words       `yaml:"title"`
	Hint     Words       `yaml:"hint"`
	Fields   []fieldItem `yaml:"fields"`
}

const (
	maxFields     = 8
	maxFieldRunes = 200
)

func (s *formStep) check() error {
	if len(s.Fields) == 0 || len(s.Fields) > maxFields {
		return fmt.Errorf("%d fields, expected 1 to %d", len(s.Fields), maxFields)
	}
	if err := s.Title.check("title", true); err != nil {
		return err
	}
	if err := s.Hint.check("hint", false); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range s.Fields {
		switch {
		case !idForm.MatchString(f.ID) || seen[f.ID]:
			return fmt.Errorf("field %q, expected a short word that no other field has", f.ID)
		case !slices.Contains([]FieldKind{FieldPhone, FieldDigits, FieldLatin, FieldHan, FieldChoice, FieldMonth, FieldIDNumber}, f.Kind):
			return fmt.Errorf("field %q: kind %q, expected phone, digits, latin, han, choice, month or id-number", f.ID, f.Kind)
		case (f.Kind == FieldChoice) != (len(f.Options) > 0):
			return fmt.Errorf("field %q: options belong to a choice, and a choice needs them", f.ID)
		case f.Max < 0 || f.Max > maxFieldRunes:
			return fmt.Errorf("field %q: max %d, expected up to %d", f.ID, f.Max, maxFieldRunes)
		}
		seen[f.ID] = true
		if err := f.Label.check("label", true); err != nil {
			return fmt.Errorf("field %q: %w", f.ID, err)
		}
		if err := f.Hint.check("hint", false); err != nil {
			return fmt.Errorf("field %q: %w", f.ID, err)
		}
		if err := checkOptions(f.Options); err != nil {
			return fmt.Errorf("field %q: %w", f.ID, err)
		}
		if f.Default != "" && !f.valid(f.Default, time.Time{}).IsZero() {
			return fmt.Errorf("field %q: default %q is not valid", f.ID, f.Default)
		}
	}
	return nil
}

// Ready: nothing can hinder a form.
func (s *formStep) Ready(Scene) Text { return Text{} }

// Run asks until every value is right. What was typed before is shown again.
func (s *formStep) Run(ctx context.Context, j *Journey) error {
	fields := make([]Field, 0, len(s.Fields))
	for _, f := range s.Fields {
		value, typed := j.answers[f.ID]
		if !typed {
			value = f.Default
		}
		fields = append(fields, Field{
			ID: f.ID, Kind: f.Kind, Label: f.Label.Text(), Hint: f.Hint.Text(), Required: f.Required, Max: f.length(),
			Options: options(f.Options), Value: value, Private: f.Private,
		})
	}
	for {
		a, err := ask[Filled](ctx, j, Form{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Fields: slices.Clone(fields)})
		if err != nil {
			return err
		}
		good := true
		for i, f := range s.Fields {
			v := a.Values[f.ID]
			fields[i].Value, fields[i].Problem = v, f.valid(v, j.e.now())
			good = good && fields[i].Problem.IsZero()
		}
		if !good {
			continue
		}
		for i, f := range s.Fields {
			if j.answers[f.ID] = fields[i].Value; fields[i].Value == "" {
				delete(j.answers, f.ID)
			}
		}
		return nil
	}
}

func (s *formStep) rows(j *Journey) []Row {
	var rows []Row
	for _, f := range s.Fields {
		v := j.answers[f.ID]
		switch {
		case v == "":
			rows = append(rows, Row{Label: f.Label.Text(), Value: T("svc.review.empty")})
		case f.Kind == FieldChoice:
			rows = append(rows, Row{Label: f.Label.Text(), Value: label(options(f.Options), v)})
		case f.Kind == FieldPhone:
			rows = append(rows, Row{Label: f.Label.Text(), Plain: v, Masked: idnum.MaskPhone(v), Private: true})
		default:
			rows = append(rows, Row{Label: f.Label.Text(), Plain: v, Masked: idnum.Mask(v), Private: f.Private})
		}
	}
	return rows
}

var (
	phoneForm  = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	digitsForm = regexp.MustCompile(`^[0-9]*$`)
	latinForm  = regexp.MustCompile(`^[ -~]*$`)
)

func (f fieldItem) length() int {
	switch f.Kind {
	case FieldPhone:
		return 11
	case FieldMonth:
		return 6
	case FieldIDNumber:
		return 18
	}
	return or(f.Max, 32)
}

// valid says what is wrong with a value, or the zero Text. A month must not lie in the future of now, unless now is zero.
func (f fieldItem) valid(v string, now time.Time) Text {
	if v == "" {
		if f.Required {
			return T("svc.field.required")
		}
		return Text{}
	}
	switch f.Kind {
	case FieldPhone:
		if !phoneForm.MatchString(v) {
			return T("svc.field.phone")
		}
		return Text{}
	case FieldChoice:
		if !slices.ContainsFunc(f.Options, func(o optionItem) bool { return o.ID == v }) {
			return T("svc.field.choice")
		}
		return Text{}
	case FieldMonth:
		m, err := time.Parse("200601", v)
		if err != nil || m.Year() < 1950 {
			return T("svc.field.month")
		}
		if !now.IsZero() && v > now.Format("200601") {
			return T("svc.field.month-future")
		}
		return Text{}
	case FieldIDNumber:
		if idnum.CheckAny(v) != nil {
			return T("svc.field.id-number")
		}
		return Text{}
	case FieldDigits:
		if !digitsForm.MatchString(v) {
			return T("svc.field.digits")
		}
	case FieldLatin:
		if !latinForm.MatchString(v) {
			return T("svc.field.latin")
		}
	case FieldHan:
		if strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
			return T("svc.field.han")
		}
	}
	if utf8.RuneCountInString(v) > f.length() {
		return T("svc.field.long")
	}
	return Text{}
}

// inkStep asks for handwriting.
type inkStep struct {
	Settings `yaml:",inline"`
	Title    Words `yaml:"title"`
	Hint     Words `yaml:"hint"`
	Label    Words `yaml:"label"` // in the review
}

// Limits of handwriting.
const (
	maxInkBytes  = 2 << 20
	maxInkPixels = 4096
)

func (s *inkStep) check() error {
	if err := s.Title.check("title", true); err != nil {
		return err
	}
	if err := s.Label.check("label", true); err != nil {
		return err
	}
	return s.Hint.check("hint", false)
}

// Ready: a finger is always there.
func (s *inkStep) Ready(Scene) Text { return Text{} }

// Run keeps the picture in memory until the commit point.
func (s *inkStep) Run(ctx context.Context, j *Journey) error {
	a, err := ask[Drawn](ctx, j, Ink{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text()})
	if err != nil {
		return err
	}
	if a.Strokes < 1 || len(a.PNG) == 0 || len(a.PNG) > maxInkBytes {
		return fmt.Errorf("%w: handwriting of %d bytes and %d strokes", ErrAnswer, len(a.PNG), a.Strokes)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(a.PNG)); err != nil || c.Width > maxInkPixels || c.Height > maxInkPixels {
		return fmt.Errorf("%w: handwriting is no picture of at most %d pixels a side", ErrAnswer, maxInkPixels)
	}
	clear(j.ink)
	j.ink = a.PNG
	return nil
}

func (s *inkStep) rows(*Journey) []Row {
	return []Row{{Label: s.Label.Text(), Value: T("svc.review.ink")}}
}

// reviewStep shows what will be done and asks for a yes: the last screen before the commit point.
type reviewStep struct {
	Settings `yaml:",inline"`
	Title    Words `yaml:"title"`
	Notice   Words `yaml:"notice"`
}

func (s *reviewStep) check() error {
	if err := s.Title.check("title", true); err != nil {
		return err
	}
	return s.Notice.check("notice", false)
}

// Ready: nothing can hinder a look.
func (s *reviewStep) Ready(Scene) Text { return Text{} }

// Run shows who is there, and every answer so far.
func (s *reviewStep) Run(ctx context.Context, j *Journey) error {
	rows := []Row{{Label: T("svc.review.item"), Value: j.item.Name.Text()}}
	if len(j.chance.Rows) == 0 { // else the register's rows say it
		rows = append(rows, j.personRows()...)
	}
	for _, n := range j.item.Steps[:j.step] {
		if a, ok := n.Step.(answered); ok {
			rows = append(rows, a.rows(j)...)
		}
	}
	_, err := ask[Next](ctx, j, Review{Page: j.page(), Title: s.Title.Text(), Rows: rows, Notice: s.Notice.Text()})
	return err
}

// personRows show who is there; the full values only behind a press.
func (j *Journey) personRows() []Row {
	if j.v.card == nil {
		return nil
	}
	name, number, _ := j.v.masked()
	return []Row{
		{Label: T("svc.row.name"), Plain: or(j.v.card.Name, j.v.card.NameEN), Masked: name, Private: true},
		{Label: T("svc.row.number"), Plain: j.v.card.Number, Masked: number, Private: true},
	}
}
