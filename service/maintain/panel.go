package maintain

// Panel: what a page of the console is made of.

import (
	"time"

	"github.com/budayang/kiosk/service"
)

// Grade is how good or bad something is.
type Grade string

// Grades.
const (
	GradeNone Grade = ""
	GradeOK   Grade = "ok"
	GradeWarn Grade = "warn"
	GradeBad  Grade = "bad"
)

// A Panel is one page. Answered by service.Chosen with the id of a row, a button of the grid or the footer; Back goes back.
type Panel struct {
	service.Page
	ID      string // the prompt's name is "tech-" and this
	Title   service.Text
	Hint    service.Text
	Who     string    // who came in, as the page says it; "" says nothing
	Until   time.Time // when they are sent out unless they touch something
	Figures []Figure
	Rows    []Row
	Grid    []Button
	// GridFirst puts the grid above the rows, which may go on over many pages.
	GridFirst bool
	Left      Button // of the footer; the zero Button is none
	Next      Button // the primary one
}

// Name implements service.Prompt.
func (p Panel) Name() string { return "tech-" + p.ID }

// A Figure is a number with its name.
type Figure struct {
	Label service.Text
	Value string
}

// A Row is a line with a state, and perhaps something that can be done about it.
type Row struct {
	ID     string // answered, when Action is something
	Label  service.Text
	Detail service.Text
	Pill   service.Text
	Grade  Grade
	Action service.Text
}

// A Button does something.
type Button struct {
	ID    string
	Label service.Text
}

// literal is a text that is the same in every language: a path, a number, a device's own word.
func literal(s string) service.Text {
	if s == "" {
		return service.Text{}
	}
	return service.Worded(map[string]string{"zh": s, "en": s})
}
