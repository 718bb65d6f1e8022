package platform

// The desk's page: blanks and money of which no program can know, what one person proposes, and what a second one says to it.

import (
	"net/http"
	"strings"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

var deskPage = pageOf(`待查 Desk`, `<section><h2>去向待查的空白证 Blanks</h2><table id="blanks"><thead><tr><th>空白证 Blank</th><th>状态 State</th><th>申请 Application</th><th>办件 Case</th><th>款项 Money</th><th>自 Since</th><th>终端 Terminal</th></tr></thead><tbody>
{{range .Is.Blanks}}<tr id="{{.Mark}}" class="about"><td>{{with .Number}}{{.}}{{else}}未读到 not read{{end}}</td><td>{{words "blank" .State}}{{with .Silent}}<br>{{.}}{{end}}</td><td class="long">{{.Card.Number}}<br>{{.Card.Masked}}</td><td>{{.Receipt}}<br>{{words "state" .CaseState}}</td><td>{{range .Bills}}¥ {{.Amount}} {{words "bill" .State}}<br>{{end}}</td><td>{{day .Since}}</td><td><a href="/terminals/{{.Terminal}}">{{.Terminal}}</a></td></tr>
<tr><td colspan="7" class="long">{{with .Told}}<p>{{.}}</p>{{end}}{{if .Binds}}{{else}}{{with .Open}}{{template "open" .}}{{else}}<form class="propose" method="post" action="/desk"><input type="hidden" name="kind" value="blank"><input type="hidden" name="ref" value="{{.Ref}}">
<label>查明 Found <select name="act" required><option value="">—</option>{{range .Acts}}<option value="{{.}}">{{.Words}}</option>{{end}}</select></label>
<label>依据 How it was found out <input name="why" required minlength="4" maxlength="60"></label><button>提出 Propose</button></form>{{end}}{{end}}</td></tr>{{else}}<tr><td colspan="7">—</td></tr>{{end}}</tbody></table></section>
<section><h2>待查的款项 Money</h2><table id="money"><thead><tr><th>缴款码 Bill</th><th>金额 Amount</th><th>状态 State</th><th>问题 Matter</th><th>渠道号 Number</th><th>自 Since</th></tr></thead><tbody>
{{range .Is.Money}}<tr id="{{.Mark}}" class="about"><td>{{.Bill.Number}}</td><td>¥ {{.Bill.Amount}}</td><td>{{words "bill" .Bill.State}}</td><td>{{words "matter" .Matter.Kind}}</td><td>{{.Matter.Ref}}</td><td>{{day .Matter.Opened}}</td></tr>
<tr><td colspan="6" class="long">{{with .Open}}{{template "open" .}}{{else}}{{if .Acts}}<form class="propose" method="post" action="/desk"><input type="hidden" name="kind" value="money"><input type="hidden" name="ref" value="{{.Ref}}">
<label>处理 Decide <select name="act" required><option value="">—</option>{{range .Acts}}<option value="{{.}}">{{.Words}}</option>{{end}}</select></label>
<label>依据 How it was found out <input name="why" required minlength="4" maxlength="60"></label><button>提出 Propose</button></form>{{else}}渠道答复后自行结束 Ends by itself when the channel says{{end}}{{end}}</td></tr>{{else}}<tr><td colspan="6">—</td></tr>{{end}}</tbody></table></section>
<section><h2>已处理 Decided</h2><table id="decided"><thead><tr><th>时间 Time</th><th>结果 Outcome</th><th>对象 About</th><th>提出 · 复核 By</th><th>依据 Why</th></tr></thead><tbody>{{range .Is.Decided}}<tr><td>{{day .Ended}}</td><td class="long">{{words "verdict" .State}}<br>{{.Words}}</td><td class="long">{{.Ref}}</td><td>{{.By}} · {{with .Second}}{{.}}{{else}}—{{end}}</td><td class="long">{{.Why}}</td></tr>{{else}}<tr><td colspan="5">—</td></tr>{{end}}</tbody></table></section>
{{end}}{{define "open"}}<p class="open long"><b>{{.Words}}</b> · {{.By}} · {{day .Made}} · {{.Why}}</p>
{{if .Mine}}<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="refuse"><span>须由另一人确认 Somebody else must confirm</span><input type="hidden" name="why" value="撤回 taken back"><button class="refuse">撤回 Take back</button></form>
{{else}}<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="confirm"><button class="confirm">确认 Confirm</button></form>
<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="refuse"><label>理由 Why not <input name="why" required minlength="4" maxlength="60"></label><button class="refuse">不同意 Refuse</button></form>{{end}}`)

// How much is listed.
const (
	deskShown   = 200 // of blanks and of money
	deskDecided = 50
)

// choiceWords are choices in the two languages.
var choiceWords = map[choice]string{
	{"taken", ""}:                   "证件已在本人手中 The citizen has the card",
	{"retained", ""}:                "证件在回收箱中，存疑解除 The card is in the bin",
	{"spoiled", wire.VerdictAgain}:  "已作废，重新制证 Spoiled; another card is made",
	{"spoiled", wire.VerdictReturn}: "已作废，退款并结束 Spoiled; the money goes back",
	{"spoiled", wire.VerdictEnd}:    "已作废，结束 Spoiled; the case ends",
	{"back", wire.VerdictAgain}:     "未出卡，仍在库，重新制证 Never came out; another card is made",
	{"back", wire.VerdictReturn}:    "未出卡，仍在库，退款并结束 Never came out; the money goes back",
	{"back", wire.VerdictEnd}:       "未出卡，仍在库，结束 Never came out; the case ends",
	{actReturn, ""}:                 "原路退款 Pay back through the channel",
	{actByHand, ""}:                 "已线下退款 Was paid back by hand",
	{actNoted, ""}:                  "已查明，无需退款 Cleared up; nothing moves",
	{actAgain, ""}:                  "重新申请开具或冲红 Ask the issuer once more",
	{actDone, ""}:                   "已线下开具或冲红 A receipt was made, or cancelled, elsewhere",
}

// String is a choice as a form sends it.
func (c choice) String() string { return strings.TrimSpace(c.Act + " " + c.Money) }

// Words are its words.
func (c choice) Words() string { return choiceWords[c] }

// Words are what was proposed.
func (v VerdictRow) Words() string { return choice{v.Act, v.Money}.Words() }

// openVerdict is a proposal as the person who looks sees it.
type openVerdict struct {
	VerdictRow
	Mine bool
}

// deskThing is what one says something of.
type deskThing struct {
	Ref, Mark string
	Acts      []choice
	Open      *openVerdict
}

type deskBlank struct {
	DoubtRow
	deskThing
	Receipt, CaseState string
	Told               string // what became of the order that went out
	Silent             string // since when nobody heard of its terminal
	Binds              bool
	Card               CardRow
	Bills              []pay.Bill
}

type deskMatter struct {
	deskThing
	Bill   pay.Bill
	Matter pay.Matter
}

// thing is what is said of something so far; who looks at it.
func thing(ref, who string, acts []choice, all []VerdictRow) deskThing {
	x := deskThing{Ref: ref, Mark: strings.NewReplacer("/", "-", ".", "-").Replace(ref), Acts: acts}
	for _, v := range all {
		if v.State == verdictOpen {
			x.Open = &openVerdict{v, v.By == who}
		}
	}
	return x
}

func (s *Server) deskList(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	is := struct {
		Blanks  []deskBlank
		Money   []deskMatter
		Decided []VerdictRow
	}{}
	err := s.store.View(r.Context(), func(tx Tx) error {
		doubts, err := tx.Doubts(deskShown)
		if err != nil {
			return err
		}
		is.Blanks = make([]deskBlank, len(doubts))
		for i, d := range doubts {
			if is.Blanks[i], err = s.blankOnDesk(tx, d, who.ID); err != nil {
				return err
			}
		}
		if is.Money, err = moneyOnDesk(tx, who.ID); err != nil {
			return err
		}
		is.Decided, err = tx.Verdicts(deskDecided)
		return err
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, deskPage, is)
}

// toldWords say what became of an order.
func toldWords(o OrderRow) string {
	switch wire.OrderStatus(o.Status) {
	case "":
		return "已通知终端，等待其答复 The terminal was told and has not answered"
	case wire.OrderDone:
		return "终端已执行 The terminal did it"
	}
	return "终端未执行 The terminal did not: " + o.Detail
}

// blankOnDesk is what is known of a blank, and what may have become of it.
func (s *Server) blankOnDesk(tx Tx, d DoubtRow, who string) (x deskBlank, err error) {
	x.DoubtRow = d
	ref := doubtRef(d)
	all, err := tx.VerdictsAbout(aboutBlank, ref, verdictsLooked)
	if err != nil {
		return x, err
	}
	o, binds, err := orderOf(tx, d, all)
	if err == nil {
		x.Told, x.Binds = toldWords(o), binds
	}
	if ignoreNoRow(err) != nil {
		return x, err
	}
	silent, err := s.silent(tx, d.Terminal)
	if ignoreNoRow(err) != nil {
		return x, err
	}
	if silent {
		t, err := tx.Terminal(d.Terminal)
		if ignoreNoRow(err) != nil {
			return x, err
		}
		x.Silent = "终端失联，最后联系 Terminal last heard " + dayTime(t.Seen)
	}
	if x.Card, err = tx.Card(d.Case); ignoreNoRow(err) != nil {
		return x, err
	}
	c, err := tx.Case(d.Case)
	if ignoreNoRow(err) != nil {
		return x, err
	}
	x.Receipt, x.CaseState = c.ReceiptCode, c.State
	if x.Bills, err = tx.BillsOf(d.Case); err != nil {
		return x, err
	}
	paid, err := paidFor(tx, d.Case)
	x.deskThing = thing(ref, who, blankChoices(d, paid), all)
	return x, err
}

// moneyOnDesk are the open matters of bills.
func moneyOnDesk(tx Tx, who string) (out []deskMatter, err error) {
	numbers, err := tx.BillsOnDesk(deskShown)
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		a, err := tx.Bill(n)
		if err != nil {
			return nil, err
		}
		for _, m := range a.Matters {
			if !m.Ended.IsZero() {
				continue
			}
			ref := matterRef(n, m)
			all, err := tx.VerdictsAbout(aboutMoney, ref, verdictsLooked)
			if err != nil {
				return nil, err
			}
			out = append(out, deskMatter{thing(ref, who, moneyChoices(m.Kind), all), a.Bill, m})
		}
	}
	open, err := tx.OpenVerdicts(deskShown) // of payments with which nothing is wrong: somebody proposed at a shell that they go back
	if err != nil {
		return nil, err
	}
	for _, v := range open {
		if v.Kind != aboutMoney || !strings.Contains(v.Ref, "/"+matterKept+"/") {
			continue
		}
		switch a, m, err := matterOf(tx, v.Ref); {
		case err == nil:
			out = append(out, deskMatter{thing(v.Ref, who, moneyChoices(m.Kind), []VerdictRow{v}), a.Bill, m})
		case ignoreNoRow(err) != nil:
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) deskPropose(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	act, money, _ := strings.Cut(clip(r.PostFormValue("act"), 40), " ")
	v := VerdictRow{Kind: clip(r.PostFormValue("kind"), 16), Ref: clip(r.PostFormValue("ref"), 200), Act: act, Money: money}
	if _, err := s.Propose(r.Context(), v, by); err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/desk")
}

func (s *Server) deskDecide(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	id, err := r.PathValue("id"), error(nil)
	switch r.PostFormValue("act") {
	case "confirm":
		err = s.Confirm(r.Context(), id, Operator{Who: who.ID})
	case "refuse":
		by, ok := s.reason(w, r)
		if !ok {
			return
		}
		err = s.Refuse(r.Context(), id, by)
	default:
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/desk")
}
