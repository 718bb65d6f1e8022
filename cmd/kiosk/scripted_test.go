//go:build !release

package main

// The journeys without a screen: the whole terminal in this process, with its real drivers, journal and uplink, in front of
// it a citizen that follows a script, around it the platform and the peripherals on the wire.

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// hall is one terminal in its world.
type hall struct {
	*journey.World
	t    *testing.T
	dir  string
	cfg  config.Config
	used int // one-time codes
	log  lines
}

// lines keeps what the terminal said, for a test that failed.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) says(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), what)
}

func newHall(t *testing.T) *hall {
	t.Helper()
	return hallWith(t, journey.WorldOptions{})
}

// hallWith makes a hall with devices on other lines.
func hallWith(t *testing.T, opt journey.WorldOptions) *hall {
	t.Helper()
	h := &hall{t: t, dir: t.TempDir()}
	opt.Dir, opt.Papers, opt.PageTime = filepath.Join(h.dir, "world"), filepath.Join(h.dir, "papers"), 200*time.Millisecond
	var err error
	if h.World, err = journey.NewWorld(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(h.log.b.String())
		}
	})
	file := filepath.Join(h.dir, "world", "terminal.toml")
	if err := h.WriteConfig(file, 1080, 1920, "zh", journey.Patience{}); err != nil {
		t.Fatal(err)
	}
	if h.cfg, err = config.Load(file); err != nil {
		t.Fatal(err)
	}
	if err := prepareData(h.cfg.Terminal.Data); err != nil {
		t.Fatal(err)
	}
	return h
}

// session is the terminal from start to stop.
type session struct {
	*terminal
	h    *hall
	stop context.CancelFunc
	done chan error
}

func (h *hall) start(c service.Citizen, reached func(string)) *session {
	h.t.Helper()
	term, err := newTerminal(h.cfg, slog.New(slog.NewTextHandler(io.MultiWriter(&h.log), nil)), reached)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &session{term, h, stop, make(chan error, 1)}
	go func() { s.done <- term.serve(ctx, c) }()
	return s
}

// end stops the terminal and closes its journal.
func (s *session) end() {
	s.h.t.Helper()
	s.stop()
	select {
	case err := <-s.done:
		if err != nil && !errors.Is(err, context.Canceled) {
			s.h.t.Error(err)
		}
	case <-time.After(30 * time.Second):
		s.h.t.Fatal("the terminal did not stop within 30 s")
	}
	s.client.Close()
	if err := s.journal.Close(); err != nil {
		s.h.t.Error(err)
	}
}

// until waits for something that must come to be.
func (h *hall) until(what string, limit time.Duration, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// play serves one script to its end, waits until everything written is acknowledged, and verifies the journal.
func (h *hall) play(script *script.Citizen) *session {
	h.t.Helper()
	over := make(chan struct{})
	script.Done = func() { close(over) }
	s := h.start(script, nil)
	h.over(s, script, over)
	return s
}

func (h *hall) over(s *session, c *script.Citizen, over <-chan struct{}) {
	h.t.Helper()
	patience := 100 * time.Second
	if os.Getenv("BUDAYANG_LAB") != "" { // an emulated machine
		patience *= 6
	}
	select {
	case <-over:
	case err := <-s.done:
		h.t.Fatalf("the terminal ended: %v; seen %v", err, c.Seen())
	case <-time.After(patience):
		h.t.Fatalf("the script did not come to its end; seen %v, %d lines left", c.Seen(), c.Left())
	}
}

// settled waits until the platform has everything, then counts.
func (h *hall) settled(s *session) {
	h.t.Helper()
	h.until("everything acknowledged", 3*time.Minute, func() bool {
		lanes, err := s.journal.Lanes()
		if err != nil {
			h.t.Fatal(err)
		}
		for _, l := range lanes {
			if l.Waiting > 0 {
				return false
			}
		}
		return true
	})
	report, err := s.journal.Verify(h.t.Context())
	if err != nil || len(report.Problems) > 0 {
		h.t.Errorf("journal: %v %v", err, report.Problems)
	}
	cases, err := s.journal.Cases(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	at := h.CasesAtPlatform()
	for _, c := range cases {
		if at[c.ID] != 1 {
			h.t.Errorf("case %s reached the platform %d times", c.ReceiptCode, at[c.ID])
		}
	}
	if len(at) != len(cases) {
		h.t.Errorf("%d cases here, %d at the platform", len(cases), len(at))
	}
}

// expect counts cases, certificates and slips.
func (h *hall) expect(s *session, cases, certificates, slips int) {
	h.t.Helper()
	h.settled(s)
	all, err := s.journal.Cases(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	var t journey.Totals
	h.Count(&t)
	if len(all) != cases || t.Certificates != certificates || t.Receipts != slips {
		h.t.Errorf("%d cases, %d certificates, %d slips; expected %d, %d, %d", len(all), t.Certificates, t.Receipts, cases, certificates, slips)
	}
}

// ---- what the citizen does ----

func (h *hall) must(err error) {
	if err != nil {
		h.t.Error(err)
	}
}

func (h *hall) putCard()    { h.must(h.Props.PutCard("李晓雯")) }
func (h *hall) takeCard()   { h.must(h.Props.TakeCard()) }
func (h *hall) takeOutput() { h.must(h.Props.TakeOutput()) }

// code types what the phone shows.
func (h *hall) code(ctx context.Context, _ service.Prompt) (service.Answer, error) {
	for {
		if codes := h.Codes(); len(codes) > h.used {
			h.used = len(codes)
			return service.Entered{Value: codes[len(codes)-1]}, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// choose waits for a tile to be ready, as a citizen reads before touching.
func choose(code string) script.Do {
	return func(ctx context.Context, p service.Prompt) (service.Answer, error) {
		for _, t := range p.(service.Home).Tiles {
			if t.Code == code && t.Ready {
				return service.ItemChosen{Code: code}, nil
			}
		}
		<-ctx.Done() // asked again when what can be done has changed
		return nil, context.Cause(ctx)
	}
}

// home comes again whenever the tiles change; each coming is one optional line and the last is the choice.
func home(code string) []script.Line {
	var all []script.Line
	for range 12 {
		all = append(all, script.Maybe("home", choose(code)))
	}
	return all
}

func arrive(code string) []script.Line {
	return append([]script.Line{script.On("attract", script.Next())}, home(code)...)
}

func (h *hall) identified() []script.Line {
	return []script.Line{
		script.On("consent", script.Next()),
		script.On("identify", script.Then(h.putCard, script.Wait())),
		script.On("verify", h.code),
		script.Maybe("wait", script.Wait()),
	}
}

func (h *hall) certificate() []script.Line {
	return slices.Concat(arrive("SB-P"), h.identified(), []script.Line{
		script.On("form", script.Fill("purpose", "school")),
		script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()),
	})
}

// paper is a citizen who takes the slip from the mouth when asked.
func (h *hall) paper() script.Line {
	return script.On("take-output", script.Then(h.takeOutput, script.Wait()))
}

// thanks is a citizen who takes the card and rates the service.
func (h *hall) thanks() script.Line {
	return script.On("done", script.Then(h.takeCard, script.Rate("5")))
}

// gone leaves from home, and is over when the terminal invites the next one.
func gone() []script.Line { return []script.Line{script.On("home", script.Leave())} }

// ---- the journeys ----

func TestScriptedJourneys(t *testing.T) {
	for name, play := range map[string]func(*hall){
		"certificate":     scriptedCertificate,
		"query":           scriptedQuery,
		"guide-offline":   scriptedGuideOffline,
		"hotline-offline": func(h *hall) { scriptedHotlineOffline(h, 1) },
		"link-down":       func(h *hall) { scriptedHotlineOffline(h, 10) },
		"walk-away":       scriptedWalkAway,
		"card-pulled":     scriptedCardPulled,
		"paper-out":       scriptedPaperOut,
		"card-left":       scriptedCardLeft,
		"output-left":     scriptedOutputLeft,
		"power-cut":       scriptedPowerCut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(newHall(t))
		})
	}
}

func scriptedCertificate(h *hall) {
	s := h.play(script.New(slices.Concat(h.certificate(), []script.Line{h.paper(), h.thanks()}, gone())...))
	defer s.end()
	h.expect(s, 1, 1, 1)
	c, err := s.journal.Cases(nil)
	if err != nil || c[0].State != journal.Closed {
		h.t.Errorf("case %+v, %v", c, err)
	}
	if got, err := h.Platform.Received(h.t.Context()); err != nil || got.Ratings != 1 {
		h.t.Errorf("%+v, %v", got, err)
	}
	raw, err := os.ReadFile(h.JournalPath())
	if err != nil || strings.Contains(string(raw), "李晓雯") || strings.Contains(h.log.b.String(), "李晓雯") {
		h.t.Error("the citizen's name stands in the open", err)
	}
}

func scriptedQuery(h *hall) {
	var found service.Result
	s := h.play(script.New(slices.Concat(arrive("SB-Q"), h.identified(), []script.Line{
		script.Maybe("wait", script.Wait()),
		script.On("result", script.Look(func(p service.Prompt) { found = p.(service.Result) }, script.Next())),
		h.thanks(),
	}, gone())...))
	defer s.end()
	h.expect(s, 1, 0, 0)
	if len(found.Sections) < 2 {
		h.t.Errorf("result %+v", found)
	}
}

// offline lets the terminal meet its platform, then cuts the link before anybody comes.
func (h *hall) offline(c *script.Citizen) (s *session, over <-chan struct{}) {
	done := make(chan struct{})
	c.Done = func() { close(done) }
	first := make(chan struct{})
	s = h.start(&late{Citizen: c, open: first}, nil)
	h.until("first contact", 20*time.Second, func() bool { return h.Records() > 0 })
	h.until("the catalogue", 20*time.Second, func() bool { return s.terminal.city().Link() == service.LinkUp })
	h.Link.Cut()
	h.until("the link is seen to be down", time.Minute, func() bool { return s.terminal.city().Link() == service.LinkDown })
	close(first)
	return s, done
}

// late is a citizen who comes when the hall opens.
type late struct {
	*script.Citizen
	open <-chan struct{}
}

// Ask implements service.Citizen.
func (l *late) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	select {
	case <-l.open:
		return l.Citizen.Ask(ctx, p)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func scriptedGuideOffline(h *hall) {
	c := script.New(slices.Concat(arrive("GUIDE"), []script.Line{
		script.On("choose", func(_ context.Context, p service.Prompt) (service.Answer, error) {
			return service.Chosen{ID: p.(service.Choose).Options[0].ID}, nil
		}),
		script.On("guide", script.Reply(service.PrintSlip{})),
		script.On("guide", script.Then(h.takeOutput, script.Next())),
		script.Maybe("done", script.Rate("")),
	}, gone())...)
	s, over := h.offline(c)
	defer s.end()
	h.over(s, c, over)
	h.Link.Restore()
	h.expect(s, 0, 0, 1)
}

func scriptedHotlineOffline(h *hall, visits int) {
	ink, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "receipt.png"))
	if err != nil {
		h.t.Fatal(err)
	}
	var all []script.Line
	for range visits {
		all = slices.Concat(all, arrive("12345"), []script.Line{
			script.On("choose", func(_ context.Context, p service.Prompt) (service.Answer, error) {
				return service.Chosen{ID: p.(service.Choose).Options[0].ID}, nil
			}),
			script.On("form", script.Fill("phone", "13800000002")),
			script.On("ink", script.Draw(ink)),
			script.On("review", script.Next()),
			script.On("done", script.Then(h.takeOutput, script.Rate("4"))),
		}, gone())
	}
	c := script.New(all...)
	s, over := h.offline(c)
	defer s.end()
	h.over(s, c, over)
	if n := len(h.CasesAtPlatform()); n != 0 {
		h.t.Errorf("%d cases came over a link that was cut", n)
	}
	h.Link.Restore()
	h.expect(s, visits, 0, visits)
	if got, err := h.Platform.Received(h.t.Context()); err != nil || got.Hotline != visits {
		h.t.Errorf("%+v, %v", got, err)
	}
}

func scriptedWalkAway(h *hall) {
	s := h.play(script.New(slices.Concat(arrive("SB-P"), h.identified(), []script.Line{
		script.On("form", script.Fill("purpose", "school")),
		script.On("review", script.TimeOut()),
		script.On("take-card", script.Then(h.takeCard, script.Wait())),
	})...))
	defer s.end()
	h.expect(s, 0, 0, 0)
}

func scriptedCardPulled(h *hall) {
	again := func() {
		h.putCard()
		time.Sleep(250 * time.Millisecond)
		h.takeCard()
		time.Sleep(1500 * time.Millisecond)
		h.putCard()
	}
	s := h.play(script.New(slices.Concat(arrive("SB-P"), []script.Line{
		script.On("consent", script.Next()),
		script.On("identify", script.Then(again, script.Wait())),
		script.Maybe("identify", script.Wait()),
		script.On("verify", h.code),
		script.Maybe("wait", script.Wait()),
		script.On("form", script.Fill("purpose", "school")),
		script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()),
		h.paper(),
		h.thanks(),
	}, gone())...))
	defer s.end()
	h.expect(s, 1, 1, 1)
}

func scriptedPaperOut(h *hall) {
	h.must(h.Props.Fault("document-printer", "paper-out-mid-job", ""))
	c := script.New(slices.Concat(h.certificate(), []script.Line{h.paper(), h.thanks()}, gone())...)
	go func() {
		for h.t.Context().Err() == nil && !slices.Contains(c.Seen(), "progress") {
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(4 * time.Second)
		_ = h.Props.Clear("document-printer")
	}()
	s := h.play(c)
	defer s.end()
	h.expect(s, 1, 1, 1)
}

func scriptedCardLeft(h *hall) {
	c := script.New(slices.Concat(h.certificate(), []script.Line{
		h.paper(),
		script.On("done", script.Rate("5")),
	}, gone(), []script.Line{
		script.On("take-card", script.Wait()), // reminded
		script.On("take-card", script.Then(func() { time.Sleep(2 * time.Second); h.takeCard() }, script.Wait())), // urgently
	})...)
	s := h.play(c)
	defer s.end()
	h.expect(s, 1, 1, 1)
	asked := c.Asked()
	at := slices.IndexFunc(asked, func(p service.Prompt) bool { return p.Name() == "take-card" })
	if urgent := asked[at+1].(service.TakeCard); !urgent.Urgent {
		h.t.Error("the second reminder is not urgent")
	}
	if next := asked[at+2].Name(); next != "attract" {
		h.t.Errorf("after the card came %q", next)
	}
}

func scriptedOutputLeft(h *hall) {
	left := 0
	c := script.New(slices.Concat(h.certificate(), []script.Line{
		script.On("take-output", script.Wait()), // asked, and asked again, and the citizen goes without the slip
		script.On("take-output", script.Wait()),
		script.On("take-card", script.Then(h.takeCard, script.Wait())),
	}, h.certificate(), []script.Line{
		script.On("take-output", script.Then(func() {
			left = len(h.Props.Receipt.Slips())
			h.takeOutput()
		}, script.Wait())),
		h.paper(),
		h.thanks(),
	}, gone())...)
	s := h.play(c)
	defer s.end()
	h.expect(s, 2, 2, 2)
	if left != 1 {
		h.t.Errorf("%d slips printed while the last one was in the mouth", left)
	}
}

// The disk as it was at the moment of the cut, taken away from the terminal that went on, and given to a new one.
func scriptedPowerCut(h *hall) {
	cut := make(chan struct{})
	dead := make(chan struct{})
	var once sync.Once
	image := filepath.Join(h.dir, "disk")
	first := h.start(script.New(h.certificate()...), func(point string) {
		if point != "effect.acted" {
			return
		}
		once.Do(func() {
			h.must(os.CopyFS(image, os.DirFS(h.cfg.Terminal.Data)))
			close(cut)
			<-dead
		})
	})
	select {
	case <-cut:
	case err := <-first.done:
		h.t.Fatalf("ended before the cut: %v", err)
	case <-time.After(2 * time.Minute):
		h.t.Fatal("the print was never acted")
	}
	h.Link.Cut() // what the first life would still send is not sent
	close(dead)
	first.end()
	h.takeCard()
	h.Link.Restore()
	h.must(os.RemoveAll(h.cfg.Terminal.Data))
	h.must(os.Rename(image, h.cfg.Terminal.Data))
	h.must(os.Chmod(h.cfg.Terminal.Data, 0o700))
	for _, key := range []string{"journal.key", "identity.json"} {
		h.must(os.Chmod(filepath.Join(h.cfg.Terminal.Data, key), 0o600))
	}

	c := script.New()
	s := h.play(c)
	defer s.end()
	cases, err := s.journal.Cases(nil)
	if err != nil || len(cases) != 1 {
		h.t.Fatalf("%d cases, %v", len(cases), err)
	}
	effects, err := s.journal.Effects(cases[0].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	at := slices.IndexFunc(effects, func(e journal.Effect) bool { return e.Kind == "print-document" })
	if at < 0 || !effects[at].Settled || effects[at].State != journal.EffectDone {
		h.t.Errorf("effects %+v", effects)
	}
	h.settled(s)
	var t journey.Totals
	h.Count(&t)
	if t.Certificates != 1 {
		h.t.Errorf("%d certificates", t.Certificates)
	}
	if st := s.sup.Status(devices.RoleDocumentPrinter); st.Unready() != "" {
		h.t.Errorf("printer: %s", st.Unready())
	}
}
