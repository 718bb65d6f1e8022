// Package citysim is what SIMULATORS of a city's servers have in common: the wire of a back end in the profile "canonical"
// (docs/integrator.md), with checks of its own: who asks is known by the signature, and a request counts once.
package citysim

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

// Answer to one question: body is JSON. The body of a question may be kept no longer than the call.
type Answer func(body []byte) (status int, answer map[string]any)

// Server is one simulated server.
type Server struct {
	name    string
	service string
	answer  Answer
	id      string
	own     *ecdsa.PrivateKey
	caller  *ecdsa.PrivateKey
	now     func() time.Time

	mu     sync.Mutex
	nonces map[string]bool

	http *http.Server
	url  string
}

// Start listens on the loopback for questions to a service. name is in every answer.
func Start(name, service string, now func() time.Time, answer Answer) (*Server, error) {
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
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &Server{name: name, service: service, answer: answer, id: "kiosk-platform", own: own, caller: caller, now: now, nonces: map[string]bool{},
		url: "http://" + l.Addr().String() + "/" + service}
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

// Backend is how a platform finds it, under a name.
func (s *Server) Backend(name string) (platform.BackendConfig, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.caller)
	if err != nil {
		return platform.BackendConfig{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&s.own.PublicKey)
	return platform.BackendConfig{Name: name, URL: s.url, Services: []string{s.service}, Profile: platform.ProfileCanonical, ID: s.id, Serial: "1",
		Key:     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}, err
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
		s.reply(w, http.StatusOK, map[string]any{"ok": true, "by": s.name})
		return
	}
	status, out := s.answer(body)
	clear(body)
	out["by"] = s.name
	s.reply(w, status, out)
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
	w.Header().Set("Server", s.name)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Budayang-Timestamp", stamp)
	w.Header().Set("Budayang-Nonce", n)
	w.Header().Set("Budayang-Signature", base64.StdEncoding.EncodeToString(signature))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
