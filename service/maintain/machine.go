package maintain

// The machine: the way to the platform, the log, what is plugged in, another board, a new start.

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/budayang/kiosk/service"
)

// network looks at the way to the platform, again at a touch.
func (s *session) network(ctx context.Context) error {
	if s.cfg.Network == nil {
		return s.tell(ctx, service.T("tech.network"), GradeNone, service.T("tech.not-here"))
	}
	for {
		var found []Finding
		err := s.busy(ctx, service.T("tech.network"), service.T("tech.network.looking"), func(ctx context.Context) error {
			found = s.cfg.Network(ctx)
			return nil
		})
		if err != nil {
			return err
		}
		worst := GradeOK
		p := Panel{Page: inside, ID: "network", Title: service.T("tech.network"), GridFirst: true, Grid: []Button{{"again", service.T("tech.again")}}}
		for _, f := range found {
			row := Row{Label: f.What, Detail: f.Mend, Pill: gradeText(f.Grade), Grade: f.Grade}
			p.Rows = append(p.Rows, row)
			if f.Grade == GradeBad || f.Grade == GradeWarn && worst == GradeOK {
				worst = f.Grade
			}
		}
		s.acted("network", "", string(worst))
		if _, err := s.panel(ctx, p); err != nil {
			return err
		}
	}
}

// mostLines is how much of the log is shown.
const mostLines = 60

// logs shows the log's end and the audit chain's soundness, and makes a bundle for support.
func (s *session) logs(ctx context.Context) error {
	for {
		p := Panel{Page: inside, ID: "logs", Title: service.T("tech.logs"), Hint: service.T("tech.logs.hint"), GridFirst: true}
		if s.cfg.Verify != nil {
			p.Grid = append(p.Grid, Button{"verify", service.T("tech.verify")})
		}
		if s.cfg.Bundle != nil {
			p.Grid = append(p.Grid, Button{"bundle", service.T("tech.bundle")})
		}
		if s.cfg.Log != nil {
			all := s.cfg.Log()
			for i := len(all) - 1; i >= max(0, len(all)-mostLines); i-- { // the newest first
				p.Rows = append(p.Rows, Row{Detail: literal(all[i])})
			}
		}
		id, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		switch id {
		case "verify":
			err = s.verify(ctx)
		case "bundle":
			err = s.write(ctx, "bundle", s.cfg.Bundle)
		}
		if err != nil {
			return err
		}
	}
}

// verify walks the audit chain.
func (s *session) verify(ctx context.Context) error {
	var problems []string
	title := service.T("tech.verify")
	err := s.busy(ctx, title, service.T("tech.test.wait"), func(ctx context.Context) (err error) {
		problems, err = s.cfg.Verify(ctx)
		return err
	})
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return err
	}
	switch {
	case err != nil:
		s.acted("verify", "audit", "failed")
		return s.tell(ctx, title, GradeBad, Fault(err))
	case len(problems) > 0:
		s.acted("verify", "audit", "findings")
		return s.tell(ctx, title, GradeBad, service.T("tech.verify.bad", "count", strconv.Itoa(len(problems)), "first", problems[0]))
	}
	s.acted("verify", "audit", "whole")
	return s.tell(ctx, title, GradeOK, service.T("tech.verify.whole"))
}

// write has the program write a file, and says where it lies.
func (s *session) write(ctx context.Context, what string, do func(context.Context, string) (string, error)) error {
	title := service.T("tech." + what)
	var path string
	err := s.busy(ctx, title, service.T("tech.test.wait"), func(ctx context.Context) (err error) {
		path, err = do(ctx, s.who.Operator)
		return err
	})
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		s.acted(what, "", "failed")
		return s.tell(ctx, title, GradeBad, Fault(err))
	}
	s.acted(what, "", "ok")
	return s.tell(ctx, title, GradeOK, service.T("tech.written", "path", path))
}

// found lists what is plugged in, and gives exchanged hardware another chance.
func (s *session) found(ctx context.Context) error {
	for {
		p := Panel{Page: inside, ID: "found", Title: service.T("tech.found"), Hint: service.T("tech.found.hint")}
		for _, d := range s.cfg.Roles {
			st := s.cfg.Devices.Status(d.Role)
			pill, g := stateOf(st)
			row := Row{ID: string(d.Role), Label: service.T("tech.role." + string(d.Role)), Detail: literal(d.Where), Pill: pill, Grade: g}
			if st.Identity.Serial != "" {
				row.Detail = literal(d.Where + " · " + st.Identity.Serial)
			}
			if s.cfg.Reset != nil && g != GradeOK {
				row.Action = service.T("tech.found.reset")
			}
			p.Rows = append(p.Rows, row)
		}
		if s.cfg.Found != nil {
			for _, f := range s.cfg.Found() {
				p.Rows = append(p.Rows, Row{Detail: literal(f)})
			}
		}
		p.GridFirst, p.Grid = true, []Button{{"again", service.T("tech.again")}}
		id, err := s.panelUntil(ctx, p, s.cfg.Devices.Changed())
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return err
		}
		for _, d := range s.cfg.Roles {
			if id == string(d.Role) && s.cfg.Reset != nil {
				s.cfg.Reset(d.Role)
				s.acted("reset", id, "ok")
			}
		}
	}
}

// board is what must be done before a board is exchanged: what waits is sent, or goes along on a stick.
func (s *session) board(ctx context.Context) error {
	for {
		g, err := s.cfg.Journal.Gauge()
		if err != nil {
			return err
		}
		waits := Row{Label: service.T("tech.figure.waiting"), Pill: literal(strconv.FormatUint(g.Waiting, 10)), Grade: GradeOK}
		if g.Waiting > 0 {
			waits.Grade = GradeWarn
		}
		p := Panel{Page: inside, ID: "board", Title: service.T("tech.board"), Hint: service.T("tech.board.hint"), Rows: []Row{waits,
			{Label: service.T("tech.board.one"), Detail: service.T("tech.board.one.how")}, {Label: service.T("tech.board.two"), Detail: service.T("tech.board.two.how")},
			{Label: service.T("tech.board.three"), Detail: service.T("tech.board.three.how")}}}
		if s.cfg.Send != nil {
			p.Grid = append(p.Grid, Button{"send", service.T("tech.board.send")})
		}
		if s.cfg.Export != nil {
			p.Grid = append(p.Grid, Button{"export", service.T("tech.export")})
		}
		id, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		switch id {
		case "send":
			err = s.send(ctx)
		case "export":
			err = s.write(ctx, "export", s.cfg.Export)
		}
		if err != nil {
			return err
		}
	}
}

// send brings what waits to the platform while the technician looks on.
func (s *session) send(ctx context.Context) error {
	err := s.busy(ctx, service.T("tech.board.send"), service.T("tech.test.wait"), s.cfg.Send)
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return err
	}
	g, gerr := s.cfg.Journal.Gauge()
	if gerr != nil {
		return gerr
	}
	if err != nil || g.Waiting > 0 {
		s.acted("send", "", "waiting")
		return s.tell(ctx, service.T("tech.board.send"), GradeWarn, service.T("tech.board.left", "count", fmt.Sprint(g.Waiting)))
	}
	s.acted("send", "", "ok")
	return s.tell(ctx, service.T("tech.board.send"), GradeOK, service.T("tech.board.sent"))
}

// restart has the program started anew, which is also how a new version is taken up.
func (s *session) restart(ctx context.Context) error {
	if s.cfg.Restart == nil {
		return s.tell(ctx, service.T("tech.restart"), GradeNone, service.T("tech.not-here"))
	}
	id, err := s.panel(ctx, Panel{Page: inside, ID: "sure", Title: service.T("tech.restart"), Hint: service.T("tech.restart.sure", "version", s.cfg.Version),
		Next: Button{"yes", service.T("tech.yes")}})
	if err != nil || id != "yes" {
		return err
	}
	s.acted("restart", "", "ok")
	s.cfg.Restart()
	return errResumed
}
