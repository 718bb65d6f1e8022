package platform

// The desk's page: blanks and money of which no program can know, what one person proposes, and what a second one says to it.

import (
	"net/http"
	"slices"
	"strings"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

var deskPage = pageOf(`待查 Desk`, `{{$may := .May "clerk"}}{{$me := .Who.ID}}<section><h2>去向待查的空白证 Blanks</h2><table id="blanks"><thead><tr><th>空白证 Blank</th><th>状态 State</th><th>申请 Application</th><th>办件 Case</th><th>款项 Money</th><th>自 Since</th><th>终端 Terminal</th></tr></thead><tbody>
{{range .Is.Blanks}}<tr id="{{.Mark}}"><td>{{with .Number}}{{.}}{{else}}未读到 not read{{end}}</td><td>{{.StateWords}}</td><td>{{.Card.Number}} {{.Card.Masked}}</td><td>{{.Receipt}} {{.CaseState}}</td><td>{{.Money}}</td><td>{{day .Since}}</td><td><a href="/terminals/{{.Terminal}}">{{.Terminal}}</a></td></tr>
<tr><td colspan="7">{{with .Open}}{{template "open" .}}{{else}}<form class="propose" method="post" action="/desk"><input type="hidden" name="kind" value="blank"><input type="hidden" name="ref" value="{{.Ref}}">
<label>查明 Found <select name="act" required><option value="">—</option>{{range .Acts}}<option value="{{.Act}}{{with .Money}} {{.}}{{end}}">{{.Words}}</option>{{end}}</select></label>
<label>依据 How it was found out <input name="why" required minlength="4" maxlength="60"></label><button>提出 Propose</button></form>{{end}}{{with .Last}}<p>{{.}}</p>{{end}}</td></tr>{{else}}<tr><td colspan="7">—</td></tr>{{end}}</tbody></table></section>
<section><h2>待查的款项 Money</h2><table id="money"><thead><tr><th>缴款码 Bill</th><th>金额 Amount</th><th>状态 State</th><th>问题 Matter</th><th>渠道号 Number</th><th>自 Since</th></tr></thead><tbody>
{{range .Is.Money}}<tr id="{{.Mark}}"><td>{{.Bill.Number}}</td><td>{{.Bill.Amount}}</td><td>{{.Bill.State}}</td><td>{{.Words}}</td><td>{{.Matter.Ref}}</td><td>{{day .Matter.Opened}}</td></tr>
<tr><td colspan="6">{{with .Open}}{{template "open" .}}{{else}}{{if .Acts}}<form class="propose" method="post" action="/desk"><input type="hidden" name="kind" value="money"><input type="hidden" name="ref" value="{{.Ref}}">
<label>处理 Decide <select name="act" required><option value="">—</option>{{range .Acts}}<option value="{{.Act}}">{{.Words}}</option>{{end}}</select></label>
<label>依据 How it was found out <input name="why" required minlength="4" maxlength="60"></label><button>提出 Propose</button></form>{{else}}渠道答复后自行结束 Ends by itself when the channel says{{end}}{{end}}</td></tr>{{else}}<tr><td colspan="6">—</td></tr>{{end}}</tbody></table></section>
<section><h2>已处理 Decided</h2><table id="decided"><tbody>{{range .Is.Decided}}<tr><td>{{day .Ended}}</td><td>{{.Act}} {{.Money}}</td><td>{{.Ref}}</td><td>{{.State}}</td><td>{{.By}} · {{.Second}}</td><td>{{.Why}}</td></tr>{{else}}<tr><td>—</td></tr>{{end}}</tbody></table></section>
{{end}}{{define "open"}}<p class="open">{{.Words}} · {{.By}} · {{day .Made}} · {{.Why}}</p>
{{if .Mine}}<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="refuse"><span>须由另一人确认 Somebody else must confirm</span><input type="hidden" name="why" value="撤回 taken back"><button class="refuse">撤回 Take back</button></form>
{{else}}<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="confirm"><button class="confirm">确认 Confirm</button></form>
<form method="post" action="/desk/{{.ID}}"><input type="hidden" name="act" value="refuse"><label>理由 Why not <input name="why" required minlength="4" maxlength="60"></label><button class="refuse">不同意 Refuse</button></form>{{end}}`)

// deskShown bounds each list.
const deskShown = 200

// deskWords are acts, states and matters in the two languages.
var deskWords = map[string]string{
	"taken":                         "证件已在本人手中 The citizen has the card",
	"retained":                      "证件在回收箱中，存疑解除 The card is in the bin",
	"spoiled " + wire.VerdictAgain:  "已作废，重新制证 Spoiled; another card is made",
	"spoiled " + wire.VerdictReturn: "已作废，退款并结束 Spoiled; the money goes back",
	"spoiled " + wire.VerdictEnd:    "已作废，结束 Spoiled; the case ends",
	"back " + wire.VerdictAgain:     "未出卡，仍在库，重新制证 Never came out; another card is made",
	"back " + wire.VerdictReturn:    "未出卡，仍在库，退款并结束 Never came out; the money goes back",
	"back " + wire.VerdictEnd:       "未出卡，仍在库，结束 Never came out; the case ends",
	actReturn:                       "原路退款 Pay back through the channel",
	actByHand:                       "已线下退款 Was paid back by hand",
	actNoted:                        "已查明，无需退款 Cleared up; nothing moves",
	"in-doubt":                      "去向不明 in doubt",
	"state retained":                "在回收箱中 in the bin",
	pay.MatterAmount:                "金额不符 another amount",
	pay.MatterRefund:                "渠道拒绝退款 refund refused",
	pay.MatterUnknown:               "渠道未答复 not known",
	pay.MatterAgainst:               "渠道前后矛盾 contradiction",
	pay.MatterStatement:             "对账单中没有 not in the statement",
}

type deskAct struct{ Act, Money, Words string }

// openVerdict is a proposal as the person who looks sees it.
type openVerdict struct {
	VerdictRow
	Words string
	Mine  bool
}

type deskBlank struct {
	DoubtRow
	Ref, Mark, StateWords, Receipt, CaseState, Money, Last string
	Card                                                   CardRow
	Acts                                                   []deskAct
	Open                                                   *openVerdict
}

type deskMatter struct {
	Bill             pay.Bill
	Matter           pay.Matter
	Ref, Mark, Words string
	Acts             []deskAct
	Open             *openVerdict
}

// mark is an element's name on the page.
func mark(ref string) string { return strings.NewReplacer("/", "-", ".", "-").Replace(ref) }

func (s *Server) deskList(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	is := struct {
		Blanks  []deskBlank
		Money   []deskMatter
		Decided []VerdictRow
	}{}
	err := s.store.View(r.Context(), func(tx Tx) error {
		is.Blanks, is.Money = nil, nil
		waiting, err := tx.OpenVerdicts(2 * deskShown)
		if err != nil {
			return err
		}
		open := func(kind, ref string) *openVerdict {
			for _, v := range waiting {
				if v.Kind == kind && v.Ref == ref {
					return &openVerdict{v, deskWords[strings.TrimSpace(v.Act+" "+v.Money)], v.By == who.ID}
				}
			}
			return nil
		}
		if is.Decided, err = tx.Verdicts(deskShown / 4); err != nil {
			return err
		}
		doubts, err := tx.Doubts(deskShown)
		if err != nil {
			return err
		}
		for _, d := range doubts {
			x, err := s.deskBlank(tx, d)
			if err != nil {
				return err
			}
			x.Open = open(aboutBlank, x.Ref)
			for _, v := range is.Decided {
				if v.Kind == aboutBlank && v.Ref == x.Ref && v.Message != "" && x.Last == "" {
					if x.Last, err = sentWords(tx, d.Terminal, v.Message); err != nil {
						return err
					}
				}
			}
			is.Blanks = append(is.Blanks, x)
		}
		numbers, err := tx.BillsOnDesk(deskShown)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			a, err := tx.Bill(n)
			if err != nil {
				return err
			}
			for _, m := range a.Matters {
				if !m.Ended.IsZero() {
					continue
				}
				x := deskMatter{Bill: a.Bill, Matter: m, Ref: matterRef(n, m), Words: deskWords[m.Kind]}
				x.Mark, x.Open = mark(x.Ref), open(aboutMoney, x.Ref)
				for _, act := range moneyActs(m.Kind) {
					x.Acts = append(x.Acts, deskAct{Act: act, Words: deskWords[act]})
				}
				is.Money = append(is.Money, x)
			}
		}
		return nil
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, deskPage, is)
}

// sentWords say what became of the order that carries a verdict out.
func sentWords(tx Tx, terminal, message string) (string, error) {
	o, err := tx.Order(terminal, message)
	if err != nil {
		return "", ignoreNoRow(err)
	}
	switch wire.OrderStatus(o.Status) {
	case "":
		return "已通知终端，等待其答复 The terminal was told and has not answered", nil
	case wire.OrderDone:
		return "终端已执行 The terminal did it", nil
	}
	return "终端未执行 The terminal did not: " + o.Detail, nil
}

// deskBlank is what is known of a blank, and what may have become of it.
func (s *Server) deskBlank(tx Tx, d DoubtRow) (x deskBlank, err error) {
	x = deskBlank{DoubtRow: d, Ref: doubtRef(d), StateWords: deskWords[d.State]}
	if d.State == string(wire.BlankRetained) {
		x.StateWords = deskWords["state retained"]
	}
	x.Mark = mark(x.Ref)
	if x.Card, err = tx.Card(d.Case); ignoreNoRow(err) != nil {
		return x, err
	}
	c, err := tx.Case(d.Case)
	if ignoreNoRow(err) != nil {
		return x, err
	}
	x.Receipt, x.CaseState = c.ReceiptCode, c.State
	bills, err := tx.BillsOf(d.Case)
	if err != nil {
		return x, err
	}
	for _, b := range bills {
		x.Money += b.Amount.String() + " " + string(b.State) + " "
	}
	paid, err := paidFor(tx, d.Case)
	if err != nil {
		return x, err
	}
	ends := map[bool]string{true: wire.VerdictReturn, false: wire.VerdictEnd}[paid]
	for _, act := range blankActs(d) {
		if !slices.Contains([]wire.BlankState{wire.BlankSpoiled, wire.BlankBack}, act) {
			x.Acts = append(x.Acts, deskAct{Act: string(act), Words: deskWords[string(act)]})
			continue
		}
		for _, money := range []string{wire.VerdictAgain, ends} {
			x.Acts = append(x.Acts, deskAct{string(act), money, deskWords[string(act)+" "+money]})
		}
	}
	return x, nil
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
