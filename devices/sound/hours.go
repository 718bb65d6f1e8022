package sound

// The quiet hours of a hall.

import (
	"errors"
	"time"
)

// Hours are a part of every day, perhaps over midnight. The zero Hours is none.
type Hours struct{ from, until time.Duration } // since midnight

// ErrHours is the error of [ParseHours].
var ErrHours = errors.New(`two times of the day such as "21:00-07:30"`)

// ParseHours reads "21:00-07:30"; "" is none.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	if len(text) != len("21:00-07:30") || text[5] != '-' {
		return Hours{}, ErrHours
	}
	from, err := time.Parse("15:04", text[:5])
	until, uerr := time.Parse("15:04", text[6:])
	if err != nil || uerr != nil || from.Equal(until) {
		return Hours{}, ErrHours
	}
	of := func(t time.Time) time.Duration {
		return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return Hours{of(from), of(until)}, nil
}

// Within tells whether a moment lies in the hours, by its own clock.
func (h Hours) Within(t time.Time) bool {
	if h == (Hours{}) {
		return false
	}
	hour, minute, second := t.Clock()
	at := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	if h.from < h.until {
		return at >= h.from && at < h.until
	}
	return at >= h.from || at < h.until
}
