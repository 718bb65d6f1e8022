// Package facesim is a SIMULATOR of a city's face server, for demonstrations and tests. It compares nothing: it decides by rules that
// are steered from outside, and says so in its name and in every verdict.
package facesim

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/citysim"
)

// Name is what the simulator calls itself.
const Name = "face-server SIMULATOR, compares nothing"

// Rule decides about one comparison. picture is the SHA-256 of the JPEG; the picture itself is not kept.
type Rule func(number string, picture [32]byte) Verdict

// Verdict is what the simulator answers.
type Verdict int

// Verdicts.
const (
	Same    Verdict = iota // the picture shows the person
	Other                  // it shows somebody else
	Unknown                // there is no picture of the person
	Broken                 // the server fails
)

// Seen is a comparison that was asked for.
type Seen struct {
	Number  string
	Picture [32]byte
	Verdict Verdict
}

// Server is the simulator. Its methods may be called while it runs.
type Server struct {
	*citysim.Server

	mu   sync.Mutex
	rule Rule
	seen []Seen
}

// Start listens on the loopback. Until it is steered everybody is who they say.
func Start(now func() time.Time) (s *Server, err error) {
	s = &Server{rule: func(string, [32]byte) Verdict { return Same }}
	s.Server, err = citysim.Start(Name, platform.ServiceFaces, now, s.compare)
	return s, err
}

// Backend is how a platform finds it.
func (s *Server) Backend() (platform.BackendConfig, error) { return s.Server.Backend("face-simulator") }

// Steer sets the rule.
func (s *Server) Steer(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rule = r
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
		Picture []byte `json:"picture"`
	}
	if json.Unmarshal(body, &q) != nil || q.Service != platform.ServiceFaces || q.Number == "" || len(q.Picture) == 0 {
		return http.StatusBadRequest, map[string]any{}
	}
	s.mu.Lock()
	rule := s.rule
	s.mu.Unlock()
	x := Seen{Number: q.Number, Picture: sha256.Sum256(q.Picture)}
	x.Verdict = rule(x.Number, x.Picture)
	s.mu.Lock()
	s.seen = append(s.seen, x)
	s.mu.Unlock()
	switch x.Verdict {
	case Unknown:
		return http.StatusNotFound, map[string]any{}
	case Broken:
		return http.StatusInternalServerError, map[string]any{}
	}
	return http.StatusOK, map[string]any{"same": x.Verdict == Same}
}
