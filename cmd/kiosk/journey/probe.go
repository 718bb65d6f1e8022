//go:build !release

package journey

// The probe: where the terminal says what is on its screen, over a UNIX socket, one JSON line a question.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// ProbeEnv names the socket on which `kiosk run` answers; it is not read by release builds.
const ProbeEnv = "BUDAYANG_PROBE"

// CrashEnv names the point, and after a colon the how-manieth passing of it, at which `kiosk run` kills itself. Passings
// count from [Arm] on, so that what a terminal does at its start is not taken for what a journey does.
const CrashEnv = "BUDAYANG_CRASH"

// Screen is what is on the terminal's screen.
type Screen struct {
	Screen   string    `json:"screen"`
	Seq      uint64    `json:"seq"` // grows with every prompt and view
	Lang     string    `json:"lang"`
	Large    bool      `json:"large"`
	Controls []Control `json:"controls"`
	Pictures uint64    `json:"pictures"` // of the camera, drawn since the start
	Looked   uint64    `json:"looked"`   // how many of this page's were looked at
	Judged   int64     `json:"judged"`   // milliseconds from the last shutter to the page that says what became of it
	Number   string    `json:"number"`   // that staff read off the screen
	Preview  []int     `json:"preview"`  // see ui.Probe
}

// Control is something that can be touched, in window pixels.
type Control struct {
	ID      string  `json:"id"`
	Label   string  `json:"label"`
	X       float32 `json:"x"`
	Y       float32 `json:"y"`
	W       float32 `json:"w"`
	H       float32 `json:"h"`
	Enabled bool    `json:"enabled"`
}

// Find returns the control with an id.
func (s Screen) Find(id string) (Control, bool) {
	for _, c := range s.Controls {
		if c.ID == id {
			return c, true
		}
	}
	return Control{}, false
}

// ServeProbe answers questions on a socket until it is closed. look is called for each; arm when a journey asks for it.
func ServeProbe(path string, look func() any, arm func()) (io.Closer, error) {
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewScanner(io.LimitReader(c, 1<<20)); in.Scan(); {
					if in.Text() == "arm" {
						arm()
					}
					if json.NewEncoder(c).Encode(look()) != nil {
						return
					}
				}
			}()
		}
	}()
	return l, nil
}

// Look asks the terminal behind a socket what is on its screen.
func Look(path string) (Screen, error) { return ask(path, "look") }

// Arm has the terminal behind a socket count its passings of the point that [CrashEnv] names.
func Arm(path string) error {
	_, err := ask(path, "arm")
	return err
}

func ask(path, question string) (Screen, error) {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return Screen{}, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, question+"\n"); err != nil {
		return Screen{}, err
	}
	var s Screen
	if err := json.NewDecoder(io.LimitReader(c, 1<<20)).Decode(&s); err != nil {
		return Screen{}, err
	}
	if s.Screen == "" {
		return s, errors.New("probe: nothing on the screen yet")
	}
	return s, nil
}
