package platform

// The reviewer's page: applications that wait, each with photo, checks and signature, and a person's decision.

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

var cardsPage = pageOf(`证件审核 Cards`, `<section><h2>待审核 Waiting</h2><table id="waiting"><thead><tr><th>申请编号 Number</th><th>姓名 Name</th><th>证件 Card</th><th>照片检查 Checks</th><th>申请时间 Made</th><th>终端 Terminal</th></tr></thead><tbody>
{{range .Is.Waiting}}<tr><td><a href="/cards/{{.Key}}">{{.Number}}</a></td><td class="long">{{.Masked}}</td><td class="long">{{words "item" .Kind}}</td><td>{{.Passed}} / {{len .Checks}}</td><td>{{day .Made}}</td><td>{{.Terminal}}</td></tr>{{else}}<tr><td colspan="6">—</td></tr>{{end}}</tbody></table></section>
<section><h2>去向待查 In doubt</h2><table><thead><tr><th>申请编号 Number</th><th>姓名 Name</th><th>空白证 Blank</th><th>变动 Changed</th><th>终端 Terminal</th></tr></thead><tbody>
{{range .Is.Doubt}}<tr><td><a href="/desk">{{.Number}}</a></td><td class="long">{{.Masked}}</td><td>{{.Blank}}</td><td>{{day .Changed}}</td><td>{{.Terminal}}</td></tr>{{else}}<tr><td colspan="5">—</td></tr>{{end}}</tbody></table></section>
<section><h2>自动审核 Policy</h2><p>{{if .Is.Policy.Auto}}<b class="bad">照片检查全部合格的自动通过</b> What passes every check is approved without a person{{else}}全部由人工审核 A person looks at every application{{end}}{{with .Is.Policy.By}} · {{.}}{{end}}</p>
{{if .May "administrator"}}<form method="post" action="/cards/policy"><select name="act"><option value="off">人工 off</option><option value="on">自动 on</option></select>
<label>理由 Why <input name="why" required minlength="4" maxlength="60"></label><button>执行 Do</button></form>{{end}}</section>`)

var cardPage = pageOf(`证件审核 Card`, `{{with .Is}}<section id="card"><h2>{{.Card.Number}} · {{words "item" .Card.Kind}} · <span id="state">{{words "card" .Card.State}}</span></h2>
<p class="faces">{{if .Photo}}<img src="/cards/{{.Card.Key}}/photo" width="179" height="221" alt="照片 photo">{{else}}<span class="bad">照片已删除 erased</span>{{end}}
{{if .Ink}}<img src="/cards/{{.Card.Key}}/ink" class="ink" alt="签名 signature">{{end}}</p>
<table><tbody>{{range .Rows}}<tr><th>{{index .Label "zh"}} {{index .Label "en"}}</th><td class="long">{{.Value}}</td></tr>{{end}}
{{if .NameImage}}<tr><th>姓名字形 Name as drawn</th><td><img src="/cards/{{.Card.Key}}/name" height="40" alt="姓名 name"></td></tr>{{end}}
<tr><th>领取凭证 Voucher</th><td>{{.Voucher}}</td></tr><tr><th>代办 By a guardian</th><td>{{if .Guardian}}是 yes{{else}}否 no{{end}}</td></tr><tr><th>人脸同意 Face agreed</th><td>{{if .Card.Agreed}}是 yes{{else}}否 no{{end}}</td></tr>
<tr><th>本人核验 Proved by</th><td id="proved" class="long">{{range .Proved}}{{words "way" .Way}}{{with .By}} · {{.}}{{end}} · {{day .At}}<br>{{else}}—{{end}}</td></tr>
<tr><th>申请时间 Made</th><td>{{day .Card.Made}}</td></tr><tr><th>终端 Terminal</th><td>{{.Card.Terminal}}</td></tr></tbody></table></section>
<section><h2>照片检查 Checks {{.Card.Profile}}</h2><table id="checks"><tbody>{{range .Card.Checks}}<tr><td>{{.Name}}</td><td>{{.Value}}</td><td class="{{if .OK}}ok{{else}}bad{{end}}">{{if .OK}}✓{{else}}✗{{end}}</td></tr>{{else}}<tr><td>无：登记机关的照片 none: the register's picture</td></tr>{{end}}</tbody></table></section>
{{if eq .Card.State "waiting"}}<section><form method="post" action="/cards/{{.Card.Key}}/decide"><input type="hidden" name="rev" value="{{.Card.Rev}}"><input type="hidden" name="act" value="approve"><button id="approve">通过 Approve</button></form>
<form method="post" action="/cards/{{.Card.Key}}/decide"><input type="hidden" name="rev" value="{{.Card.Rev}}"><input type="hidden" name="act" value="reject">
<label>理由，办事人会看到 Reason, which the citizen reads <input id="why" name="why" required minlength="4" maxlength="60"></label><label>英文 In English <input name="why_en" maxlength="200"></label><button id="reject" class="refuse">不通过 Reject</button></form></section>
{{else}}<section><p>{{.Card.By}} · {{day .Card.Decided}} · {{index .Card.Why "zh"}}</p></section>{{end}}{{end}}<p><a href="/cards">返回 Back</a></p>`)

// cardsShown bounds the lists.
const cardsShown = 200

type waitingCard struct {
	CardRow
	Passed int
}

func (s *Server) cardsList(w http.ResponseWriter, r *http.Request) {
	is := struct {
		Waiting []waitingCard
		Doubt   []CardRow
		Policy  CardPolicy
	}{}
	err := s.store.View(r.Context(), func(tx Tx) error {
		is.Waiting = nil
		all, err := tx.CardsIn(wire.CardWaiting, cardsShown)
		if err != nil {
			return err
		}
		for _, c := range all {
			x := waitingCard{CardRow: c}
			for _, k := range c.Checks {
				if k.OK {
					x.Passed++
				}
			}
			is.Waiting = append(is.Waiting, x)
		}
		if is.Doubt, err = tx.CardsIn(wire.CardDoubt, cardsShown); err != nil {
			return err
		}
		is.Policy, err = s.cardPolicy(tx)
		return err
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, cardsPage, is)
}

type cardView struct {
	Card       CardRow
	Rows       []wire.AnswerRow
	Voucher    string
	Guardian   bool
	NameImage  bool
	Photo, Ink bool
	Proved     []ProvenRow
}

// cardShow shows one application whole, after it was kept who looks at it.
func (s *Server) cardShow(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	var is cardView
	err := s.store.Update(r.Context(), func(tx Tx) (err error) {
		is = cardView{}
		if is.Card, err = tx.Card(r.PathValue("key")); err != nil {
			return err
		}
		if is.Proved, err = tx.Proven(is.Card.Key); err != nil {
			return err
		}
		p, err := s.openPerson(tx, is.Card.Key)
		if err != nil {
			return err
		}
		c := p.Card
		is.Rows = append(cardRows(RegisterEntry{Name: c.Name, Sex: c.Sex, Nation: c.Nation, Born: c.Born, Address: c.Address, Number: c.Number, Authority: c.Authority}),
			wire.AnswerRow{Label: both("电话", "Phone"), Value: p.Phone})
		is.Voucher, is.Guardian, is.NameImage = p.Voucher, p.Applicant != c.Number, len(c.NameImage) > 0
		is.Photo, is.Ink = is.Card.Erased.IsZero(), is.Card.Erased.IsZero()
		return addEvent(tx, SecurityEvent{At: s.now(), Event: "personal.shown", Code: "card", Peer: peerOf(r), Who: who.ID, Why: about(is.Card.Number, "review")})
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", strings.Replace(w.Header().Get("Content-Security-Policy"), "default-src 'none';", "default-src 'none'; img-src 'self';", 1))
	s.show(w, r, http.StatusOK, cardPage, is)
}

// cardPicture answers one picture of an application.
func (s *Server) cardPicture(w http.ResponseWriter, r *http.Request) {
	key, what := r.PathValue("key"), r.PathValue("what")
	kind := map[string]string{secretPhoto: "image/jpeg", secretInk: "image/png", "name": "image/png"}[what]
	if kind == "" {
		s.failPage(w, r, errNotFound)
		return
	}
	var b []byte
	who, _ := staff.From(r.Context())
	err := s.store.Update(r.Context(), func(tx Tx) (err error) {
		c, err := tx.Card(key)
		if err != nil {
			return err
		}
		if err := addEvent(tx, SecurityEvent{At: s.now(), Event: "personal.shown", Code: "card-" + what, Peer: peerOf(r), Who: who.ID, Why: about(c.Number, "review")}); err != nil {
			return err
		}
		if what == "name" {
			p, err := s.openPerson(tx, key)
			if b = p.Card.NameImage; err == nil && len(b) == 0 {
				err = ErrNoRow
			}
			return err
		}
		b, err = s.openCard(tx, key, what)
		return err
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b)
}

func (s *Server) cardDecide(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	key, by, english := r.PathValue("key"), Operator{Who: who.ID}, ""
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	act := r.PostFormValue("act")
	if err != nil || act != "approve" && act != "reject" {
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if act == "reject" {
		var ok bool
		if by, ok = s.reason(w, r); !ok {
			return
		}
		english = clip(strings.TrimSpace(r.PostFormValue("why_en")), 200)
	}
	if err := s.decideCard(r.Context(), key, rev, act == "approve", by, english); err != nil {
		if errors.Is(err, ErrDecided) {
			err = s.whoDecided(r.Context(), key)
		}
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/cards")
}

// decidedError says who was first.
type decidedError struct {
	by    string
	state wire.CardState
}

func (e decidedError) Error() string {
	return "此申请已处理 Somebody else was first: " + e.by + " · " + words("card", e.state)
}

// Unwrap makes it an [ErrDecided].
func (decidedError) Unwrap() error { return ErrDecided }

func (s *Server) whoDecided(ctx context.Context, key string) error {
	var c CardRow
	if err := s.store.View(ctx, func(tx Tx) (err error) { c, err = tx.Card(key); return err }); err != nil {
		return err
	}
	return decidedError{c.By, c.State}
}

func (s *Server) cardPolicySet(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	act := r.PostFormValue("act")
	if act != "on" && act != "off" {
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if err := s.SetCardPolicy(r.Context(), act == "on", by); err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/cards")
}
