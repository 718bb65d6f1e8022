// The steps that tell: query and result, and the guide.

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/budayang/kiosk/sync/journal"
)

// queryStep asks a back end. Its answer opens the case, which holds who asked, masked, and never the answer.
type queryStep struct {
	Settings `yaml:",inline"`
	Service  string `yaml:"service"`
}

func (s *queryStep) check() error {
	if s.Service == "" || len(s.Service) > 64 {
		return errors.New("no service, expected the name of a query of the platform")
	}
	return nil
}

// Ready: the platform must be there.
func (s *queryStep) Ready(sc Scene) Text { return onlineWhy(sc) }

// Run asks and opens the case.
func (s *queryStep) Run(ctx context.Context, j *Journey) error {
	found, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.query"), func(ctx context.Context) (Found, error) {
		return j.e.cfg.Platform.Query(ctx, s.Service, j.v.id, j.v.token, maps.Clone(j.answers))
	})
	if err != nil {
		return platformTrouble(err)
	}
	j.found = found
	return j.open(journal.Accepted, "answered", nil)
}

// resultStep shows what was found.
type resultStep struct {
	Settings `yaml:",inline"`
	Slip     bool `yaml:"slip"` // offer a slip with masked values
}

// Ready: a screen is always there.
func (s *resultStep) Ready(Scene) Text { return Text{} }

// Run shows until the citizen goes on; a slip is printed at most once.
func (s *resultStep) Run(ctx context.Context, j *Journey) error {
	can := s.Slip && j.e.canPrintSlip()
	for {
		a, err := ask[Answer](ctx, j, Result{
			Page: j.page(), Title: j.found.Title, AsOf: j.found.AsOf, Sections: j.found.Sections, CanPrint: can,
		})
		if err != nil {
			return err
		}
		switch a.(type) {
		case Next:
			return nil
		case PrintSlip:
			can = false
			j.c.Tell(Progress{
				Page: j.page(), Title: T("svc.progress.slip.title"), Hint: T("svc.progress.slip.hint"),
				Stages: []Stage{{Label: T("svc.stage.slip"), State: StageRunning, Percent: -1}},
			})
			if !j.printSlip(ctx, "slip", j.resultSlip()) {
				if err := j.slipMissing(ctx); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("%w: %T to result", ErrAnswer, a)
		}
	}
}

// guideEntry is one entry of the guide.
type guideEntry struct {
	ID       string         `yaml:"id"`
	Title    Words          `yaml:"title"`
	Detail   Words          `yaml:"detail"`
	Sections []guideSection `yaml:"sections"`
}

type guideSection struct {
	Title Words   `yaml:"title"`
	Lines []Words `yaml:"lines"`
}

// guideStep lets a citizen look up what to bring and where to go. It knows nobody and opens no case.
type guideStep struct {
	Settings `yaml:",inline"`
	Title    Words        `yaml:"title"`
	Hint     Words        `yaml:"hint"`
	Entries  []guideEntry `yaml:"entries"`
}

func (s *guideStep) check() error {
	if err := s.Title.check("title", true); err != nil {
		return err
	}
	if err := s.Hint.check("hint", false); err != nil {
		return err
	}
	if len(s.Entries) == 0 {
		return errors.New("no entries")
	}
	seen := map[string]bool{}
	for _, e := range s.Entries {
		if !idForm.MatchString(e.ID) || seen[e.ID] {
			return fmt.Errorf("entry %q, expected a short word that no other entry has", e.ID)
		}
		seen[e.ID] = true
		if err := e.check(); err != nil {
			return fmt.Errorf("entry %q: %w", e.ID, err)
		}
	}
	return nil
}

func (e guideEntry) check() error {
	if err := e.Title.check("title", true); err != nil {
		return err
	}
	if err := e.Detail.check("detail", false); err != nil {
		return err
	}
	if len(e.Sections) == 0 {
		return errors.New("no sections")
	}
	for _, sec := range e.Sections {
		if err := sec.Title.check("section title", true); err != nil {
			return err
		}
		for _, l := range sec.Lines {
			if err := l.check("line", true); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ready: a guide always works.
func (s *guideStep) Ready(Scene) Text { return Text{} }

// Run moves between the list and an entry until the citizen goes on.
func (s *guideStep) Run(ctx context.Context, j *Journey) error {
	opts := make([]Option, 0, len(s.Entries))
	for _, e := range s.Entries {
		opts = append(opts, Option{ID: e.ID, Label: e.Title.Text(), Detail: e.Detail.Text()})
	}
	for {
		pick, err := ask[Chosen](ctx, j, Choose{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Options: opts})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.Entries, func(e guideEntry) bool { return e.ID == pick.ID })
		if i < 0 {
			return fmt.Errorf("%w: no entry %q", ErrAnswer, pick.ID)
		}
		switch err := s.show(ctx, j, s.Entries[i]); {
		case errors.Is(err, ErrBack):
			continue
		default:
			return err
		}
	}
}

// show shows one entry; its slip may be printed again and again, for it carries nothing of anybody.
func (s *guideStep) show(ctx context.Context, j *Journey, e guideEntry) error {
	g := Guide{Page: j.page(), Title: e.Title.Text(), CanPrint: j.e.canPrintSlip()}
	for _, sec := range e.Sections {
		gs := GuideSection{Title: sec.Title.Text()}
		for _, l := range sec.Lines {
			gs.Lines = append(gs.Lines, l.Text())
		}
		g.Sections = append(g.Sections, gs)
	}
	for {
		a, err := ask[Answer](ctx, j, g)
		if err != nil {
			return err
		}
		switch a.(type) {
		case Next:
			return nil
		case PrintSlip:
			j.c.Tell(Progress{
				Page: j.page(), Title: T("svc.progress.slip.title"), Hint: T("svc.progress.slip.hint"),
				Stages: []Stage{{Label: T("svc.stage.slip"), State: StageRunning, Percent: -1}},
			})
			g.CanPrint = false
			if !j.e.plainSlip(ctx, j.guideSlip(g)) {
				if _, err := ask[Next](ctx, j, Trouble{
					Page: j.page(), What: T("svc.trouble.guide-slip.what"), Means: T("svc.trouble.guide-slip.means"),
					Do: T("svc.trouble.guide-slip.do"), Code: "E-RECEIPT",
				}); err != nil && !errors.Is(err, ErrBack) {
					return err
				}
			}
		default:
			return fmt.Errorf("%w: %T to guide", ErrAnswer, a)
		}
	}
}
