package conform_test

// The trial person's face and finger, and who compares them.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/facesim"
	"github.com/budayang/kiosk/platform/fingersim"
	"github.com/budayang/kiosk/sync/wire"
)

const (
	wang                              = "990000198503120115"
	fingerWide, fingerHigh, fingerDPI = 256, 288, 500
)

var (
	wangsFace   = aFace()
	wangsFinger = &image.Gray{Pix: finger(1), Stride: fingerWide, Rect: image.Rect(0, 0, fingerWide, fingerHigh)}
)

// finger is the person's forefinger on a sensor, each grain another time.
func finger(grain uint64) []byte {
	f := sim.FingerOf(wang, 1)
	return f.Picture(sim.Press{Grain: grain}, fingerWide, fingerHigh)
}

func aFace() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 358, 441)), nil)
	return b.Bytes()
}

// comparedBySimulators has simulators of the city's servers compare, over the line.
func comparedBySimulators(t *testing.T) func(*platform.Config) {
	t.Helper()
	faces, err := facesim.Start(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = faces.Close() })
	fingers, err := fingersim.Start(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fingers.Close() })
	faces.Steer(func(_ string, picture [32]byte) facesim.Verdict {
		if picture == sha256.Sum256(wangsFace) {
			return facesim.Same
		}
		return facesim.Other
	})
	fingers.Enrol(wang, finger(2), fingerWide, fingerHigh, fingerDPI)
	return func(c *platform.Config) {
		for _, backend := range []func() (platform.BackendConfig, error){faces.Backend, fingers.Backend} {
			b, err := backend()
			if err != nil {
				t.Fatal(err)
			}
			c.Backends = append(c.Backends, b)
		}
	}
}

// comparedHere has pictures compared where no socket may be: the person's own is theirs, and no other.
func comparedHere(c *platform.Config) { c.Faces, c.Fingers = sameFace{}, sameFinger{} }

type sameFace struct{}

func (sameFace) Match(_ context.Context, _ platform.CitizenRow, picture []byte) (bool, error) {
	return bytes.Equal(picture, wangsFace), nil
}

type sameFinger struct{}

func (sameFinger) Match(_ context.Context, _ platform.CitizenRow, f platform.Finger) (bool, error) {
	return bytes.Equal(f.Pixels, wangsFinger.Pix), nil
}

// refusing answers nothing but an error.
func refusing(path string, status int, code string) func(http.Handler) http.Handler {
	return answered(path, func(w *httptest.ResponseRecorder) { becomes(w, status, code) })
}

func becomes(w *httptest.ResponseRecorder, status int, code string) {
	w.Code, w.Body = status, bytes.NewBufferString(fmt.Sprintf(`{"code":%q,"message":"wrong on purpose"}`, code))
}

func says(w *httptest.ResponseRecorder, code string) bool {
	return strings.Contains(w.Body.String(), `"`+code+`"`)
}

// tokenInstead gives a token where a refusal was due.
func tokenInstead(path, code string) func(http.Handler) http.Handler {
	return answered(path, func(w *httptest.ResponseRecorder) {
		if says(w, code) {
			w.Code, w.Body = 200, bytes.NewBufferString(`{"token":"0123456789abcdef0123456789abcdef","until":"2099-01-01T00:00:00Z"}`)
		}
	})
}

const aTable = `{"title":{"zh":"表","en":"Table"},"as_of":"2026-01-01T00:00:00Z","sections":[]}`

// tableInstead answers a query with a table where a refusal was due.
func tableInstead(service, code string) func(http.Handler) http.Handler {
	return answered(wire.PathQuery+service, func(w *httptest.ResponseRecorder) {
		if says(w, code) {
			w.Code, w.Body = 200, bytes.NewBufferString(aTable)
		}
	})
}

// refusedCounts counts what was refused as a comparison.
func refusedCounts(path, code, locked string) func(http.Handler) http.Handler {
	n := 0
	return answered(path, func(w *httptest.ResponseRecorder) {
		if says(w, code) {
			n++
		} else if n > 0 && w.Code != 400 && w.Code != 404 {
			becomes(w, 429, locked)
		}
	})
}

// own gives each terminal as many tries as a person has: the second one's are not over.
func own(path, locked, other string) func(http.Handler) http.Handler {
	return byTerminal(path, func(terminal string, w *httptest.ResponseRecorder) {
		if strings.HasSuffix(terminal, "9002") && says(w, locked) {
			becomes(w, 403, other)
		}
	})
}

func byTerminal(path string, change func(terminal string, w *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, after, _ := strings.Cut(r.Header.Get("Authorization"), `terminal="`)
			terminal, _, _ := strings.Cut(after, `"`)
			answered(path, func(rec *httptest.ResponseRecorder) { change(terminal, rec) })(h).ServeHTTP(w, r)
		})
	}
}

// tokensOf remembers the tokens that a path gave.
type tokensOf struct {
	mu  sync.Mutex
	all []string
}

// given answers queries with a table whenever forgive says so of a refused one that has such a token.
func (k *tokensOf) given(path string, forgive func(terminal string, q wire.Query) bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		seen := answered(path, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.all = append(k.all, fmt.Sprint(m["token"]))
			})
		})(h)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, wire.PathQuery) {
				seen.ServeHTTP(w, r)
				return
			}
			var q wire.Query
			b, _ := io.ReadAll(r.Body)
			_ = json.Unmarshal(b, &q)
			r.Body = io.NopCloser(bytes.NewReader(b))
			byTerminal(r.URL.Path, func(terminal string, rec *httptest.ResponseRecorder) {
				k.mu.Lock()
				defer k.mu.Unlock()
				if says(rec, "E-TOKEN") && slices.Contains(k.all, q.Token) && forgive(terminal, q) {
					rec.Code, rec.Body = 200, bytes.NewBufferString(aTable)
				}
			})(h).ServeHTTP(w, r)
		})
	}
}

// everywhere lets a token of a path do at every terminal.
func everywhere(path string) func(http.Handler) http.Handler {
	k := &tokensOf{}
	return k.given(path, func(terminal string, _ wire.Query) bool { return strings.HasSuffix(terminal, "9002") })
}

// everyVisit lets it do for every visit at its own terminal.
func everyVisit(path string) func(http.Handler) http.Handler {
	k := &tokensOf{}
	return k.given(path, func(terminal string, _ wire.Query) bool { return strings.HasSuffix(terminal, "9001") })
}
