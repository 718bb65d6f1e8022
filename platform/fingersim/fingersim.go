// Package fingersim is a SIMULATOR of a city's fingerprint server, for demonstrations and tests, and says so in its name and in every
// verdict. Unlike the one of faces it compares: it holds the pictures that were enrolled and lays what comes over them (match.go). Its
// comparison was made for synthetic fingers and proves nobody.
package fingersim

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/citysim"
)

// Name is what the simulator calls itself.
const Name = "fingerprint-server SIMULATOR, for synthetic fingers"

// Bounds of a comparison.
const (
	sameFrom   = 0.64 // of [score], from which on two pictures are of one finger
	leastArea  = 0.2  // of a picture that is finger
	leastMarks = 8    // minutiae
)

// Seen is a comparison that was asked for.
type Seen struct {
	Number string
	Score  float64
	Same   bool
	Poor   bool // the picture was too poor to compare
}

// Server is the simulator. Its methods may be called while it runs.
type Server struct {
	*citysim.Server

	mu     sync.Mutex
	prints map[string][]print
	broken bool
	seen   []Seen
}

// Start listens on the loopback. Nobody's finger is known yet.
func Start(now func() time.Time) (s *Server, err error) {
	s = &Server{prints: map[string][]print{}}
	s.Server, err = citysim.Start(Name, platform.ServiceFingers, now, s.compare)
	return s, err
}

// Backend is how a platform finds it.
func (s *Server) Backend() (platform.BackendConfig, error) {
	return s.Server.Backend("fingerprint-simulator")
}

// Enrol keeps what a picture of a person's finger tells. pixels are width×height, 0 is a ridge.
func (s *Server) Enrol(number string, pixels []byte, width, height, dpi int) {
	p := extract(pixels, width, height, dpi)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prints[number] = append(s.prints[number], p)
}

// Break makes the server fail, or not.
func (s *Server) Break(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = on
}

// Seen are the comparisons so far.
func (s *Server) Seen() []Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Seen(nil), s.seen...)
}

func (s *Server) compare(body []byte) (int, map[string]any) {
	var q struct {
		Service string `json:"service"`
		Number  string `json:"number"`
		Width   int    `json:"width"`
		Height  int    `json:"height"`
		DPI     int    `json:"dpi"`
		Pixels  []byte `json:"pixels"`
	}
	if json.Unmarshal(body, &q) != nil || q.Service != platform.ServiceFingers || q.Number == "" || q.Width < 64 || q.Width > 512 ||
		q.Height < 64 || q.Height > 512 || q.DPI < 250 || q.DPI > 1000 || len(q.Pixels) != q.Width*q.Height {
		return http.StatusBadRequest, map[string]any{}
	}
	defer clear(q.Pixels)
	s.mu.Lock()
	known, broken := s.prints[q.Number], s.broken
	s.mu.Unlock()
	switch {
	case broken:
		return http.StatusInternalServerError, map[string]any{}
	case len(known) == 0:
		return http.StatusNotFound, map[string]any{}
	}
	live, x := extract(q.Pixels, q.Width, q.Height, q.DPI), Seen{Number: q.Number}
	if x.Poor = live.area < leastArea || len(live.points) < leastMarks; !x.Poor {
		for _, p := range known {
			x.Score = max(x.Score, score(live, p))
		}
		x.Same = x.Score >= sameFrom
	}
	s.mu.Lock()
	s.seen = append(s.seen, x)
	s.mu.Unlock()
	return http.StatusOK, map[string]any{"same": x.Same, "poor": x.Poor, "score": x.Score}
}
