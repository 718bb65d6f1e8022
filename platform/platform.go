// Package platform is the city's central platform, small but whole: it knows its terminals, takes their records exactly
// once, answers their queries, issues signed certificates, and shows on one page what happens.
//
// [New] makes a [Server] over a [Store]; [Server.Serve] speaks HTTPS with a certificate of its own authority, whose PEM the
// terminals are given. The interface is described in openapi.yaml and docs/protocol.md. The package has no cgo and no
// window, and its embedded store is one SQLite file.
//
// Citizens in it are synthetic: district code 990000.
package platform

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// Config of [New].
type Config struct {
	Dir      string // keys, blobs, and the store unless one is given
	Store    Store  // nil opens platform.db in Dir
	Blobs    Blobs  // nil keeps them in Dir
	Backends []BackendConfig
	Pay      PayConfig
	Register Register      // nil: a back end of the service "card-register", or the synthetic one
	Faces    FaceMatcher   // nil: a back end of the service "face-match" compares, or nobody does
	Fingers  FingerMatcher // nil: a back end of the service "finger-match" compares, or nobody does
	Queue    QueueConfig   // of our own; without windows there is none
	Hall     QueueSystem   // the hall's, in place of our own; nil: our own
	BaseURL  string        // in verification codes, "https://platform.example"
	Hosts    []string
	Places   int           // hellos, pushes and uploads worked on at once; 0 means 64
	SMS      SMS           // nil sends nothing: codes cannot be received
	CertLife time.Duration // of client certificates; 0 is 90 days
	// How long security events are kept, 0 is 400 days, and how many refusals and how many others, 0 is 1,000,000 of each.
	EventsFor  time.Duration
	EventsMost int
	// Gateway says that TLS ends before the platform, which then sees no client certificate: the gateway asks for it, and the
	// signature in each request says who it is from.
	Gateway bool
	Now     func() time.Time
	Log     *slog.Logger
}

// SMS carries one-time codes to phones.
type SMS interface {
	Send(ctx context.Context, phone, text, code string) error
}

// Server is the platform.
type Server struct {
	cfg    Config
	store  Store
	keys   *keys
	mux    *http.ServeMux
	verify limiter
	// vouchers that terminals look up
	vouchers limiter
	tickets  limiter // numbers that terminals give
	mail     *mailroom
	bells    *mailroom // of answers that are held back, by bill number and application key
	faults   faults

	enrolments limiter

	crossOrigin *http.CrossOriginProtection
	hashers     chan struct{} // a token for each password that is looked at
	nobody      func() string // the hash that stands for an account that is not there

	watch watch

	looked   looked
	backends []*backend
	doubt    chan struct{} // a token when a back end did not answer a query
	gate     gate
	settler  *pay.Settler

	life    context.Context // ends when Close begins
	stop    context.CancelFunc
	working sync.WaitGroup // what runs until Close
}

// New opens the platform. The caller closes it.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://platform.invalid"
	}
	if cfg.EventsFor == 0 {
		cfg.EventsFor = eventsFor
	}
	if cfg.EventsMost == 0 {
		cfg.EventsMost = eventsMost
	}
	if cfg.CertLife == 0 {
		cfg.CertLife = certLife
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("platform: %w", err)
	}
	if cfg.Blobs == nil {
		var err error
		if cfg.Blobs, err = OpenBlobDir(filepath.Join(cfg.Dir, "blobs")); err != nil {
			return nil, fmt.Errorf("platform: %w", err)
		}
	}
	k, err := openKeys(cfg.Dir, cfg.Hosts, cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("platform: keys: %w", err)
	}
	if cfg.Places <= 0 {
		cfg.Places = gatePlaces
	}
	s := &Server{gate: gate{places: cfg.Places, now: time.Now}, cfg: cfg, store: cfg.Store, keys: k, mail: newMailroom(), bells: newMailroom(), doubt: make(chan struct{}, 1),
		crossOrigin: http.NewCrossOriginProtection(), hashers: make(chan struct{}, hashersMost), nobody: sync.OnceValue(nobodysPassword)}
	for _, c := range cfg.Backends {
		b, err := newBackend(c, cfg.Now)
		if err != nil {
			return nil, fmt.Errorf("platform: %w", err)
		}
		s.backends = append(s.backends, b)
	}
	if s.store == nil {
		if s.store, err = OpenSQLite(ctx, filepath.Join(cfg.Dir, "platform.db")); err != nil {
			return nil, err
		}
	}
	if err := s.seed(ctx); err != nil {
		_ = s.store.Close()
		return nil, fmt.Errorf("platform: seed: %w", err)
	}
	if err := s.sameKeys(ctx); err != nil {
		_ = s.store.Close()
		return nil, fmt.Errorf("platform: %w", err)
	}
	if err := errors.Join(s.openPay(), cfg.Queue.check()); err != nil {
		_ = s.store.Close()
		return nil, fmt.Errorf("platform: %w", err)
	}
	s.mux = s.routes()
	s.life, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.working.Go(func() { s.watchMail(s.life) })
	s.working.Go(func() { s.sweep(s.life) })
	s.working.Go(func() { s.sweepEvents(s.life) })
	if len(cfg.Pay.Channels) > 0 {
		s.working.Go(func() { s.settle(s.life) })
		s.working.Go(func() { s.compareStatements(s.life) })
	}
	if len(s.backends) > 0 {
		s.working.Go(func() { s.watchBackends(s.life) })
	}
	return s, nil
}

// Close ends what runs beside requests, writes what was summed up, and closes the store.
func (s *Server) Close() error {
	s.stop()
	s.working.Wait()
	s.watch.mu.Lock()
	events := s.watch.sumUp(s.now())
	s.watch.mu.Unlock()
	s.keep(context.Background(), events...)
	return s.store.Close()
}

// CA is the PEM of the authority that terminals trust.
func (s *Server) CA() []byte { return s.keys.caPEM }

// Handler is the whole interface.
func (s *Server) Handler() http.Handler { return s.faults.wrap(s.secure(s.mux)) }

// How long a request may come in, and how long it may take altogether; a long poll is within it.
const (
	readTime  = 60 * time.Second
	writeTime = wire.MaxInboxWait + 60*time.Second
)

// Serve speaks HTTPS on a listener until ctx ends; requests in hand get five seconds to finish.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         s.tls(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
	}()
	err := srv.ServeTLS(l, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return fmt.Errorf("platform: %w", err)
}

// tls asks for a client certificate and lets everybody in: enrolment, the page and the public look-up need none, and an
// expired one must reach its answer. Whoever shows one has proven its key; what it is worth is judged for each request.
func (s *Server) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, ClientCAs: s.keys.roots, Time: s.cfg.Now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.keys.server(s.cfg.Now()) }}
}

// now at the resolution of the wire.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// token is 128 random bits in hex.
func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Cases are the newest cases.
func (s *Server) Cases(ctx context.Context, newest int) (all []CaseRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.Cases(newest); return err })
	return all, err
}

// Terminals are all terminals.
func (s *Server) Terminals(ctx context.Context) (all []Terminal, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.Terminals(); return err })
	return all, err
}

// Received counts what came.
func (s *Server) Received(ctx context.Context) (c Counts, err error) {
	err = s.store.View(ctx, func(tx Tx) error { c, err = tx.Count(); return err })
	return c, err
}

// faults make the platform misbehave for demonstrations and tests.
type faults struct {
	delay atomic.Int64 // nanoseconds before every answer
	fail  atomic.Pointer[string]
}

// Slow delays every answer.
func (s *Server) Slow(d time.Duration) { s.faults.delay.Store(int64(d)) }

// Misbehave answers every request wrongly: "500", "html", "half", "busy"; "" ends it.
func (s *Server) Misbehave(how string) { s.faults.fail.Store(&how) }

func (f *faults) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d := time.Duration(f.delay.Load()); d > 0 {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
				return
			}
		}
		how := ""
		if p := f.fail.Load(); p != nil {
			how = *p
		}
		switch how {
		case "500":
			http.Error(w, "internal", http.StatusInternalServerError)
		case "html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html><body>Web gateway: please log in</body></html>"))
		case "half":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "4096")
			_, _ = w.Write([]byte(`{"terminal":"`))
		case "busy":
			w.Header().Set("Retry-After", "2")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
