package ui

// What a citizen typed, chose or drew since the standing prompt came. It is wiped with the prompt.

import (
	"image"

	"github.com/budayang/kiosk/service"
)

type state struct {
	note    string            // of the card on the reader
	values  map[string]string // form fields, and the code under "code"
	field   string            // the field that is being typed
	chosen  string
	reveal  map[string]bool // private values shown
	page    int
	strokes [][]image.Point
	late    bool // a wait grew long
	shift   bool
	signs   bool         // the keyboard shows signs
	script  script       // what the keys of a field for Chinese make
	typed   string       // letters that wait to become characters
	offer   int          // the page of candidates
	advice  service.Text // what the person before the camera should do
	good    bool
}

// script is what letters of a field for Chinese become.
type script int

const (
	scriptUsual script = iota // that of the screen's language
	scriptHan
	scriptLatin
)

func newState(p service.Prompt) state {
	s := state{values: map[string]string{}, reveal: map[string]bool{}}
	if f, ok := p.(service.Form); ok {
		for _, x := range f.Fields {
			s.values[x.ID] = x.Value
			if s.field == "" && (x.Kind != service.FieldChoice) {
				s.field = x.ID
			}
		}
		for _, x := range f.Fields {
			if !x.Problem.IsZero() && x.Kind != service.FieldChoice {
				s.field = x.ID
				break
			}
		}
	}
	return s
}

func (s *state) wipe() {
	clear(s.values)
	clear(s.reveal)
	for _, stroke := range s.strokes {
		clear(stroke)
	}
	s.strokes, s.field, s.chosen, s.typed = nil, "", "", ""
}
