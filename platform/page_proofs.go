package platform

// The page of members of staff who are called to terminals: where they are on duty, who waits, and their word.

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

var proofsPage = pageOf(`现场核验 In person`, `<section><h2>当班 Duty</h2>
{{if .Is.Duty.Site}}<p id="duty" class="ok">{{.Is.Duty.Site}} · 至 until {{day .Is.Duty.Until}}</p><p>保持本页打开，终端才会呼叫您。Keep this page open: else no terminal calls you.</p><form method="post" action="/proofs/duty"><input type="hidden" name="act" value="off"><button id="off" class="refuse">下班 End</button></form>
{{else}}<p>当班并打开本页时，所在大厅的终端才提供“请工作人员核验”。Terminals of a site offer this while somebody is on duty there with this page open.</p>
<form method="post" action="/proofs/duty"><input type="hidden" name="act" value="on"><label>大厅 Site <select name="site" required><option value="">—</option>{{range .Is.Sites}}<option>{{.}}</option>{{end}}</select></label>
<label>小时 Hours <input name="hours" type="number" min="1" max="12" value="4" required></label><button id="on">当班 Begin</button></form>{{end}}</section>
{{if .Is.Duty.Site}}<section><h2>等待核验 Waiting</h2><p>到终端前，看本人、看证件，再输入屏幕上的编号。Go to the terminal, compare person and document, then enter the number on its screen.</p>
<table id="calls"><thead><tr><th>终端 Terminal</th><th>姓名 Name</th><th>证件号 Number</th><th>已出示 Shown</th><th>呼叫 Called</th><th>截止 Until</th></tr></thead><tbody>
{{range .Is.Open}}<tr class="about" data-call="{{.ID}}"><td class="long">{{.Terminal}}<br>{{.Place}}</td><td class="long">{{.Masked}}</td><td>{{.Number}}</td><td>{{words "shown" .Shown}}</td><td>{{day .Made}}</td><td>{{day .Until}}</td></tr>
<tr><td colspan="6"><form class="vouch" method="post" action="/proofs/{{.ID}}" autocomplete="off"><input type="hidden" name="act" value="confirm"><label>屏幕上的编号 Number on the screen <input name="number" inputmode="numeric" required pattern="[0-9]{4}" maxlength="4" size="6"></label>
<label>证件 Document <select name="document" required><option value="">—</option>{{range $.Is.Documents}}<option value="{{.}}">{{words "document" .}}</option>{{end}}</select></label>
<label><input type="checkbox" name="saw" value="yes" required> 已看过证件原件 I saw the document itself</label><label><input type="checkbox" name="same" value="yes" required> 人证一致 It shows this person</label><button class="confirm">确认是本人 Confirm</button></form>
<form class="decline" method="post" action="/proofs/{{.ID}}"><input type="hidden" name="act" value="refuse"><label>原因 Reason <select name="reason" required><option value="">—</option>{{range $.Is.Reasons}}<option value="{{.}}">{{why .}}</option>{{end}}</select></label><button class="refuse">不能确认 Refuse</button></form></td></tr>
{{else}}<tr><td colspan="6">—</td></tr>{{end}}</tbody></table></section>
<section><h2>最近一小时 The last hour</h2><table id="ended"><thead><tr><th>呼叫 Called</th><th>终端 Terminal</th><th>姓名 Name</th><th>结果 Outcome</th><th>由 By</th></tr></thead><tbody>
{{range .Is.Ended}}<tr><td>{{day .Made}}</td><td>{{.Terminal}}</td><td class="long">{{.Masked}}</td><td class="long">{{words "proof" .State}}{{with .Document}}<br>{{words "document" .}}{{end}}{{with .Reason}}<br>{{why .}}{{end}}</td><td>{{.By}}</td></tr>{{else}}<tr><td colspan="5">—</td></tr>{{end}}</tbody></table></section>{{end}}
<script src="/proofs.js"></script>`)

// proofsScript has the page say that it is looked at, and shows who calls. What was typed stays: the page is not loaded anew under a hand.
const proofsScript = `
const here=()=>[...document.querySelectorAll('[data-call]')].map(e=>e.dataset.call).sort().join();
const typed=()=>[...document.querySelectorAll('form.vouch,form.decline')].some(f=>[...f.elements].some(e=>e.type==='checkbox'?e.checked:e.type!=='hidden'&&e.value));
const title=document.title;
async function look(){
 try{
  const r=await fetch('/proofs.json',{cache:'no-store'});
  if(r.status===401||r.status===403){location.assign('/login');return}
  if(!r.ok)return;
  const o=await r.json();
  document.title=o.open.length?'('+o.open.length+') '+title:title;
  if((o.open.slice().sort().join()!==here()||o.duty!==!!document.getElementById('duty'))&&!typed())location.replace('/proofs');
 }catch(e){}
}
setInterval(look,3000);
`

// proofsShown is how many calls of a site are looked at.
const proofsShown = 50

// calling is a call as the page shows it.
type calling struct {
	ProofRow
	Number, Place string
}

type proofsView struct {
	Duty               DutyRow
	Sites              []string
	Documents, Reasons []string
	Open, Ended        []calling
}

// dutyNow is the duty of an account that lasts; zero when there is none.
func dutyNow(tx Tx, account string, now time.Time) (DutyRow, error) {
	d, err := tx.Duty(account)
	if ignoreNoRow(err) != nil || err != nil || !d.on(now) {
		return DutyRow{}, ignoreNoRow(err)
	}
	return d, nil
}

// looksAt notes that the account of a duty has its page open, from time to time.
func looksAt(tx Tx, d DutyRow, now time.Time) error {
	if d.Account == "" || now.Sub(d.Seen) < dutySeenEvery {
		return nil
	}
	return tx.SeenDuty(d.Account, now)
}

func (s *Server) proofsList(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	now := s.now()
	var is proofsView
	err := s.store.Update(r.Context(), func(tx Tx) error {
		is = proofsView{Documents: proofDocuments, Reasons: proofReasons}
		ts, err := tx.Terminals()
		if err != nil {
			return err
		}
		place := map[string]string{}
		for _, t := range ts {
			place[t.ID] = t.Name
			if !slices.Contains(is.Sites, t.Site) && t.Site != "" {
				is.Sites = append(is.Sites, t.Site)
			}
		}
		slices.Sort(is.Sites)
		if is.Duty, err = dutyNow(tx, who.ID, now); err != nil || is.Duty.Site == "" {
			return err
		}
		all, err := tx.ProofsAt(is.Duty.Site, proofsShown)
		if err != nil {
			return err
		}
		for _, p := range all {
			p.State = p.standsAt(now)
			x := calling{p, idnum.Mask(p.Citizen), place[p.Terminal]}
			if p.State == wire.ProofOpen {
				is.Open = append(is.Open, x)
			} else {
				is.Ended = append(is.Ended, x)
			}
		}
		slices.Reverse(is.Open) // who waits longest is first
		return looksAt(tx, is.Duty, now)
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, proofsPage, is)
}

// proofsData is what the page's script asks every few seconds.
func (s *Server) proofsData(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	now := s.now()
	out := struct {
		Duty bool     `json:"duty"`
		Open []string `json:"open"`
	}{}
	var d DutyRow
	err := s.store.View(r.Context(), func(tx Tx) (err error) {
		out.Open = []string{}
		if d, err = dutyNow(tx, who.ID, now); err != nil || d.Site == "" {
			return err
		}
		all, err := tx.ProofsAt(d.Site, proofsShown)
		for _, p := range all {
			if p.standsAt(now) == wire.ProofOpen {
				out.Open = append(out.Open, p.ID)
			}
		}
		return err
	})
	if err == nil && d.Account != "" && now.Sub(d.Seen) >= dutySeenEvery {
		err = s.store.Update(r.Context(), func(tx Tx) error { return looksAt(tx, d, now) })
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	out.Duty = d.Site != ""
	answer(w, http.StatusOK, out)
}

func (s *Server) proofsScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write([]byte(proofsScript))
}

func (s *Server) proofsDuty(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	by, err := Operator{Who: who.ID}, error(nil)
	switch r.PostFormValue("act") {
	case "on":
		hours, bad := strconv.Atoi(r.PostFormValue("hours"))
		if bad != nil || hours < 1 || hours > 12 {
			s.refusePage(w, r, errForm, "当班时间为 1 至 12 小时 A duty lasts 1 to 12 hours")
			return
		}
		err = s.BeginDuty(r.Context(), clip(r.PostFormValue("site"), 200), time.Duration(hours)*time.Hour, by)
	case "off":
		err = s.EndDuty(r.Context(), by)
	default:
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/proofs")
}

func (s *Server) proofDecide(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	id, by, err := r.PathValue("id"), Operator{Who: who.ID}, error(nil)
	switch r.PostFormValue("act") {
	case "confirm":
		if r.PostFormValue("saw") != "yes" || r.PostFormValue("same") != "yes" {
			s.refusePage(w, r, errForm, "请先核对证件和本人，再勾选 Compare document and person first, and tick both")
			return
		}
		err = s.Vouch(r.Context(), id, clip(strings.TrimSpace(r.PostFormValue("number")), 16), clip(r.PostFormValue("document"), 32), by)
	case "refuse":
		err = s.Decline(r.Context(), id, clip(r.PostFormValue("reason"), 32), by)
	default:
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/proofs")
}

// proofWords are a reason in both languages.
func proofWords(reason string) string {
	w := proofWhy[reason]
	return w["zh"] + " " + w["en"]
}
