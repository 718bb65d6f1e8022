// Package facesim is a SIMULATOR of a city's face server, for demonstrations and tests. It compares nothing: it decides by rules that
// are steered from outside, and says so in its name and in every verdict. It speaks the wire of a back end in the profile "canonical"
// (docs/integrator.md), with checks of its own: who asks is known by the signature, and a request counts once.
package facesim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/platform"
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
	id     string
	own    *ecdsa.PrivateKey
	caller *ecdsa.PrivateKey
	now    func() time.Time

	mu     sync.Mutex
	rule   Rule
	nonces map[string]bool
	seen   []Seen

	http *http.Server
	url  string
}

// Start listens on the loopback. Until it is steered everybody is who they say.
func Start(now func() time.Time) (*Server, error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	caller, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("face simulator: %w", err)
	}
	s := &Server{id: "kiosk-platform", own: own, caller: caller, now: now, nonces: map[string]bool{}, url: "http://" + l.Addr().String() + "/faces",
		rule: func(string, [32]byte) Verdict { return Same }}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Close ends it.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

// Backend is how a platform finds it.
func (s *Server) Backend() (platform.BackendConfig, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.caller)
	if err != nil {
		return platform.BackendConfig{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&s.own.PublicKey)
	return platform.BackendConfig{Name: "face-simulator", URL: s.url, Services: []string{platform.ServiceFaces}, Profile: platform.ProfileCanonical, ID: s.id, Serial: "1",
		Key:     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}, err
}

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

var authorization = regexp.MustCompile(`^BUDAYANG2-ECDSA-WITH-SHA256 mchid="([^"]+)",nonce_str="([^"]+)",timestamp="(\d{1,12})",serial_no="([^"]*)",signature="([^"]+)"$`)

// mostBody bounds a request.
const mostBody = 1 << 20

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil || r.Method != http.MethodPost || !s.asked(r, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/probe") {
		s.reply(w, http.StatusOK, map[string]any{"ok": true, "by": Name})
		return
	}
	var q struct {
		Service string `json:"service"`
		Number  string `json:"number"`
		Picture []byte `json:"picture"`
	}
	if json.Unmarshal(body, &q) != nil || q.Service != platform.ServiceFaces || q.Number == "" || len(q.Picture) == 0 {
		s.reply(w, http.StatusBadRequest, map[string]any{"by": Name})
		return
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
		s.reply(w, http.StatusNotFound, map[string]any{"by": Name})
	case Broken:
		s.reply(w, http.StatusInternalServerError, map[string]any{"by": Name})
	default:
		s.reply(w, http.StatusOK, map[string]any{"same": x.Verdict == Same, "by": Name})
	}
}

// asked says whether the platform signed the request, now and for the first time.
func (s *Server) asked(r *http.Request, body []byte) bool {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || m[1] != s.id {
		return false
	}
	seconds, err := strconv.ParseInt(m[3], 10, 64)
	signature, serr := base64.StdEncoding.DecodeString(m[5])
	if err != nil || serr != nil || s.now().Sub(time.Unix(seconds, 0)).Abs() > 3*time.Minute {
		return false
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), m[3], m[2], body))
	if !ecdsa.VerifyASN1(&s.caller.PublicKey, sum[:], signature) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nonces[m[2]] {
		return false
	}
	s.nonces[m[2]] = true
	return true
}

func (s *Server) reply(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v)
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	stamp, n := strconv.FormatInt(s.now().Unix(), 10), hex.EncodeToString(nonce[:])
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", stamp, n, body))
	signature, err := ecdsa.SignASN1(rand.Reader, s.own, sum[:])
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Server", Name)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Budayang-Timestamp", stamp)
	w.Header().Set("Budayang-Nonce", n)
	w.Header().Set("Budayang-Signature", base64.StdEncoding.EncodeToString(signature))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
