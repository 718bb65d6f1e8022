package platform

// The pages behind the login. They are plain forms, without a script: what a browser sends is what the operator pressed. What is
// personal is masked on all of them, and shown one by one to whoever may see it and says why.

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// The pages' frame. A page fills the blocks "title" and "main".
const frameHTML = `{{define "frame"}}<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{template "title" .}} · Budayang</title><link rel="stylesheet" href="/page.css"></head><body>
<header><h1>{{template "title" .}}</h1>{{template "nav" .}}</header><main>{{template "main" .}}</main></body></html>{{end}}
{{define "nav"}}{{if .Who.ID}}<nav><a href="/">总览 Overview</a>{{if .May "clerk"}}<a href="/cases">办件 Cases</a><a href="/requests">诉求 Requests</a><a href="/cards">审核 Cards</a><a href="/desk">待查 Desk</a><a href="/proofs">现场核验 In person</a><a href="/queue">叫号 Queue</a>{{end}}{{if .May "administrator"}}<a href="/enrol">登记 Enrol</a><a href="/events">安全事件 Events</a><a href="/operators">账号 Accounts</a>{{end}}<a href="/account">{{.Who.ID}}</a><form method="post" action="/logout"><button>退出 Sign out</button></form></nav>{{end}}{{end}}`

var frame = template.Must(template.New("frame").Funcs(template.FuncMap{"day": dayTime, "phone": maskedPhone, "mb": func(n int64) int64 { return n >> 20 }, "words": words, "why": proofWords, "minutes": minutes, "masked": idnum.MaskName}).Parse(frameHTML))

func dayTime(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.Local().Format(time.DateTime)
}

// maskedPhone masks whatever was given as a number to be called at.
func maskedPhone(p string) string {
	if p == "" {
		return "—"
	}
	return idnum.MaskPhone(p)
}

func pageOf(title, body string) *template.Template {
	return template.Must(template.Must(frame.Clone()).Parse(`{{define "title"}}` + title + `{{end}}{{define "main"}}` + body + `{{end}}`))
}

// shown is what every page is given.
type shown struct {
	Who     staff.Operator
	Message string
	Is      any
}

// May says whether the operator's role includes another.
func (v shown) May(role string) bool { return v.Who.Role.May(staff.Role(role)) }

func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, t *template.Template, is any) {
	who, _ := staff.From(r.Context())
	var b writer
	if err := t.ExecuteTemplate(&b, "frame", shown{Who: who, Is: is}); err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

var refusedPage = pageOf(`不能办理 Refused`, `<section><p class="bad">{{.Is.Message}}</p><p>{{.Is.Code}}</p><p><a href="/">返回 Back</a></p></section>`)

// refusePage answers whoever looks at a page, and keeps the refusal.
func (s *Server) refusePage(w http.ResponseWriter, r *http.Request, e *APIError, message string) {
	if strings.HasSuffix(r.URL.Path, ".json") {
		s.refuse(w, e, message)
		return
	}
	if a, is := w.(*answerWriter); is {
		a.refused = e
	}
	if e == errLocked || e == errBusy {
		w.Header().Set("Retry-After", strconv.Itoa(int(map[*APIError]time.Duration{errLocked: triesWindow, errBusy: hasherWait}[e].Seconds())))
	}
	t := refusedPage
	if e == errLogin || e == errLocked {
		t = loginPage
	}
	s.show(w, r, e.Status, t, wire.Error{Code: e.Code, Message: message})
}

// pageWordsOf are the refusals' words for people.
var pageWordsOf = map[*APIError]string{
	errLogin:   "账号或口令不正确 Name or password is wrong",
	errLocked:  "尝试次数过多，请 15 分钟后再试 Too many wrong tries: come back in 15 minutes",
	errSession: "登录已失效，请重新登录 You are signed out",
	errRole:    "您的角色无权执行此操作 Your role does not include this",
	errBusy:    "系统繁忙，请稍后再试 Busy: try again",
}

func (s *Server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	var e *APIError
	switch {
	case errors.As(err, &e):
	case errors.Is(err, ErrConflict), errors.Is(err, ErrUnreachable):
		e = errBusy
	case errors.Is(err, ErrNoRow):
		e = errNotFound
	case errors.Is(err, ErrDecided):
		s.refusePage(w, r, errDecided, err.Error())
		return
	case errors.Is(err, ErrDecision), errors.Is(err, ErrAccount), errors.Is(err, ErrOrder), errors.Is(err, ErrActive),
		errors.Is(err, ErrRevoked), errors.Is(err, ErrUnknown), errors.Is(err, ErrTerminalID):
		s.refusePage(w, r, errForm, err.Error())
		return
	default:
		s.cfg.Log.Error("page failed", "error", err)
		e = errInternal
	}
	words := pageWordsOf[e]
	if words == "" {
		words = e.Meaning
	}
	s.refusePage(w, r, e, words)
}

// seeOther ends an act with the page on which it can be seen.
func seeOther(w http.ResponseWriter, r *http.Request, page string) {
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// reason is why something is done; without one nothing is.
func (s *Server) reason(w http.ResponseWriter, r *http.Request) (by Operator, ok bool) {
	who, _ := staff.From(r.Context())
	why := strings.TrimSpace(r.PostFormValue("why"))
	if len([]rune(why)) < 4 {
		s.refusePage(w, r, errForm, "请写明理由（至少四个字） Say why, in four characters or more")
		return by, false
	}
	return Operator{Who: who.ID, Why: clip(why, 200)}, true
}

var loginPage = pageOf(`登录 Sign in`, `<section class="narrow">{{with .Is}}<p class="bad">{{.Message}}</p>{{end}}<form method="post" action="/login">
<label>账号 Account <input name="name" autocomplete="username" required maxlength="32" autofocus></label>
<label>口令 Password <input name="password" type="password" autocomplete="current-password" required maxlength="256"></label><button>登录 Sign in</button></form></section>`)

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, loginPage, nil)
}

var accountPage = pageOf(`我的账号 My account`, `<section class="narrow"><p>{{.Who.ID}} · {{.Who.Role}}</p>{{if .Is.MustChange}}<p class="bad">口令由他人设定，请先修改 Somebody else set this password: change it first</p>{{end}}
<form method="post" action="/account/password"><input type="hidden" name="username" autocomplete="username" value="{{.Who.ID}}">
<label>现口令 Present password <input name="old" type="password" autocomplete="current-password" required maxlength="256"></label>
<label>新口令 New password <input name="new" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label>
<label>再次输入 Again <input name="again" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label><button>修改口令 Change</button></form></section>`)

func (s *Server) accountForm(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	var a Account
	if err := s.store.View(r.Context(), func(tx Tx) (err error) { a, err = tx.Account(who.ID); return err }); err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, accountPage, a)
}

var casesPage = pageOf(`办件 Cases`, `<section><form method="get" action="/cases"><label>受理号 Receipt code <input name="receipt" value="{{.Is.Receipt}}" maxlength="64"></label><button>查找 Find</button></form></section>
<section><table><thead><tr><th>受理号 Receipt</th><th>事项 Service</th><th>办事人 Person</th><th>状态 State</th><th>受理 Begun</th><th>变动 Changed</th><th>终端 Terminal</th></tr></thead><tbody>
{{range .Is.Cases}}<tr><td>{{.ReceiptCode}}</td><td class="long">{{words "item" .Item}}</td><td class="long">{{masked .Person}}</td><td>{{words "state" .State}}</td><td>{{day .Opened}}</td><td>{{day .Updated}}</td><td><a href="/terminals/{{.Terminal}}">{{.Terminal}}</a></td></tr>{{else}}<tr><td colspan="7">—</td></tr>{{end}}</tbody></table></section>`)

func (s *Server) casesList(w http.ResponseWriter, r *http.Request) {
	is := struct {
		Receipt string
		Cases   []CaseRow
	}{Receipt: clip(strings.TrimSpace(r.URL.Query().Get("receipt")), 64)}
	err := s.store.View(r.Context(), func(tx Tx) (err error) {
		if is.Receipt == "" {
			is.Cases, err = tx.Cases(100)
			return err
		}
		c, err := tx.CaseByReceipt(is.Receipt)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		is.Cases = []CaseRow{c}
		return err
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, casesPage, is)
}

var requestsPage = pageOf(`12345 诉求 Requests`, `<section><table><thead><tr><th>编号 Number</th><th>类别 Category</th><th>电话 Phone</th><th>时间 Time</th><th>查看 Show</th></tr></thead><tbody>
{{$s := .Is}}{{range .Is.Requests}}<tr><td>{{.LocalNo}}</td><td class="long">{{.Category}}</td><td>{{if eq .Record $s.Shown}}<b>{{.Phone}}</b>{{else}}{{phone .Phone}}{{end}}</td><td>{{day .At}}</td>
<td>{{if .Phone}}<form method="post" action="/requests/{{.Record}}/show"><input name="why" placeholder="理由 Why" required minlength="4" maxlength="60"><button>显示号码 Show number</button></form>{{end}}</td></tr>{{else}}<tr><td colspan="5">—</td></tr>{{end}}</tbody></table></section>`)

type requestsView struct {
	Shown    string // the one record whose number is shown
	Requests []HotlineRow
}

func (s *Server) requestsList(w http.ResponseWriter, r *http.Request) {
	var is requestsView
	if err := s.store.View(r.Context(), func(tx Tx) (err error) { is.Requests, err = tx.Hotlines(100); return err }); err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, requestsPage, is)
}

// requestShow shows one number, after it was kept who looked at it and why.
func (s *Server) requestShow(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	is := requestsView{}
	err := s.store.Update(r.Context(), func(tx Tx) error {
		h, err := tx.Hotline(r.PathValue("record"))
		if err != nil {
			return err
		}
		is.Shown, is.Requests = h.Record, []HotlineRow{h}
		return addEvent(tx, SecurityEvent{At: s.now(), Event: "personal.shown", Code: "phone", Peer: peerOf(r), Who: by.Who, Why: about(h.LocalNo, by.Why)})
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, requestsPage, is)
}

var terminalPage = pageOf(`终端 Terminal`, `<section><p>{{.Is.Terminal.ID}} · {{.Is.Terminal.Site}} {{.Is.Terminal.Name}} · {{.Is.Terminal.Software}} · {{day .Is.Terminal.Seen}} · {{words "standing" .Is.State}}</p>
<table><thead><tr><th>设备 Device</th><th>状态 State</th></tr></thead><tbody>{{range .Is.Terminal.Status}}<tr><td>{{words "role" .Role}}</td><td{{with .Unready}} class="bad">{{words "unready" .}}{{else}} class="ok">✓{{end}}</td></tr>{{end}}</tbody></table></section>
<section><h2>遥测 Telemetry</h2><table><thead><tr><th>时间 Time</th><th>待传记录 Waiting</th><th>最旧 Oldest</th><th>待传图片 Pictures</th><th>存储 Journal</th><th>磁盘余量 Disk free</th><th>内存 Memory</th><th>运行 Up</th><th>时钟差 Clock</th><th>设备 Devices</th><th>丢失 Lost</th></tr></thead><tbody>
{{range .Is.Samples}}<tr><td>{{day .Wall}}</td>{{$l := .Lost}}{{with .Telemetry}}<td>{{.Waiting}}</td><td>{{.Oldest}} s</td><td>{{.Pictures}}</td><td>{{mb .Journal}} / {{mb .Quota}} MB</td><td>{{mb .Disk}} MB</td><td>{{mb .Memory}} MB</td><td>{{.Up}} s</td><td>{{.ClockOff}} ms</td><td>{{range $role, $is := .Devices}}{{$role}} {{$is}}<br>{{end}}{{range .Locked}}盘点锁定 count locked: {{.}}<br>{{end}}</td>{{end}}<td>{{$l}}</td></tr>{{else}}<tr><td colspan="11">—</td></tr>{{end}}</tbody></table></section>
{{if .May "clerk"}}<section><h2>指令 Orders</h2><form method="post" action="/terminals/{{.Is.Terminal.ID}}/orders"><select name="order" required><option value="">—</option>{{range .Is.Commands}}<option value="{{.}}">{{words "command" .}}</option>{{end}}</select>
<label>理由 Why <input name="why" required minlength="4" maxlength="60"></label><button>发送 Send</button></form>
<table><thead><tr><th>指令 Order</th><th>发出 Sent</th><th>由 By</th><th>结果 Answer</th><th></th></tr></thead><tbody>{{range .Is.Orders}}<tr><td class="long">{{.Type}} {{.Name}}</td><td>{{day .Sent}}</td><td>{{.By}}</td><td>{{.Status}}</td><td class="long">{{.Detail}}</td></tr>{{end}}</tbody></table></section>{{end}}
{{if .May "administrator"}}<section><h2>登记 Enrolment</h2><form method="post" action="/terminals/{{.Is.Terminal.ID}}/standing"><select name="act" required><option value="">—</option><option value="reset">重置密钥 reset keys</option><option value="revoke">停用终端 put out</option></select>
<label>理由 Why <input name="why" required minlength="4" maxlength="60"></label><button>执行 Do</button></form></section>{{end}}`)

// orderLife is how long an order from a page is good.
const orderLife = 7 * 24 * time.Hour

// pageCommands are the orders that a clerk gives from the page.
var pageCommands = []string{wire.CommandPause, wire.CommandResume, wire.CommandRestart, wire.CommandLogs, wire.CommandRotateKey, wire.CommandResync}

type terminalView struct {
	Terminal Terminal
	State    string
	Commands []string
	Orders   []OrderRow
	Samples  []SampleRow
}

func (s *Server) terminalShow(w http.ResponseWriter, r *http.Request) {
	is := terminalView{Commands: pageCommands}
	err := s.store.View(r.Context(), func(tx Tx) (err error) {
		id := r.PathValue("terminal")
		if is.Terminal, err = tx.Terminal(id); err != nil {
			return err
		}
		st, err := standing(tx, id)
		if err != nil {
			return err
		}
		is.State = st.State
		if is.Samples, err = tx.Samples(id, 24); err != nil {
			return err
		}
		is.Orders, err = tx.Orders(id, 20)
		return err
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, terminalPage, is)
}

func (s *Server) terminalOrder(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	id, c := r.PathValue("terminal"), wire.Command{Name: r.PostFormValue("order")}
	if c.Name == wire.CommandPause {
		c.Why = map[string]string{"zh": by.Why, "en": by.Why}
	}
	if !slices.Contains(pageCommands, c.Name) {
		s.refusePage(w, r, errForm, "没有这个指令 There is no such order")
		return
	}
	if _, err := s.Command(r.Context(), id, c, orderLife, by.Who); err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/terminals/"+url.PathEscape(id))
}

func (s *Server) terminalStanding(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	id := r.PathValue("terminal")
	var err error
	switch r.PostFormValue("act") {
	case "reset":
		err = s.Reset(r.Context(), id, by)
	case "revoke":
		err = s.Revoke(r.Context(), id, by)
	default:
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/terminals/"+url.PathEscape(id))
}

var enrolPage = pageOf(`登记 Enrol`, `<section class="narrow">{{with .Is}}<p class="ok">终端 Terminal {{.Terminal}}：一次性登记码，只显示这一次 one-time code, shown this once</p><p><b>{{.Code}}</b></p><p>{{day .Until}}</p>{{end}}
<form method="post" action="/enrol"><label>终端编号 Terminal <input name="id" required maxlength="32"></label><label>理由 Why <input name="why" required minlength="4" maxlength="60"></label><button>生成登记码 Make a code</button></form></section>`)

func (s *Server) enrolForm(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, enrolPage, nil)
}

func (s *Server) enrolCode(w http.ResponseWriter, r *http.Request) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	id := strings.TrimSpace(r.PostFormValue("id"))
	code, until, err := s.IssueCode(r.Context(), id, 0, by)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, enrolPage, struct {
		Terminal, Code string
		Until          time.Time
	}{id, code, until})
}

var eventsPage = pageOf(`安全事件 Security events`, `<section><table><thead><tr><th>时间 Time</th><th>事件 Event</th><th>代码 Code</th><th>终端 Terminal</th><th>来自 From</th><th>路径 Route</th><th>次数 Times</th><th>操作员 By</th><th>说明 Why</th></tr></thead><tbody>
{{range .Is}}<tr><td>{{day .At}}</td><td>{{.Event}}</td><td>{{.Code}}</td><td>{{.Terminal}}</td><td>{{.Peer}}</td><td class="long">{{.Route}}</td><td>{{.Count}}</td><td>{{.Who}}</td><td class="long">{{.Why}}</td></tr>{{end}}</tbody></table></section>`)

func (s *Server) eventsList(w http.ResponseWriter, r *http.Request) {
	all, err := s.SecurityEvents(r.Context(), 200)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, eventsPage, all)
}

var operatorsPage = pageOf(`账号 Accounts`, `<section><table><thead><tr><th>账号 Account</th><th>角色 Role</th><th>状态 State</th><th>建立 Made</th><th>由 By</th><th>变更 Change</th></tr></thead><tbody>
{{range .Is}}<tr><td>{{.Name}}</td><td>{{.Role}}</td><td>{{if .Off}}停用 off{{else if .MustChange}}待改口令 new password{{else}}✓{{end}}</td><td>{{day .Made}}</td><td>{{.MadeBy}}</td>
<td><form method="post" action="/operators/{{.Name}}"><select name="act" required><option value="">—</option><option value="viewer">角色 viewer</option><option value="clerk">角色 clerk</option><option value="administrator">角色 administrator</option><option value="password">设口令 set password</option><option value="unlock">解锁 unlock</option><option value="off">停用 off</option><option value="on">启用 on</option></select>
<input name="password" type="password" autocomplete="new-password" placeholder="新口令 New password" maxlength="256"><input name="why" placeholder="理由 Why" required minlength="4" maxlength="60"><button>执行 Do</button></form></td></tr>{{end}}</tbody></table></section>
<section class="narrow"><h2>新账号 New account</h2><form method="post" action="/operators"><label>账号 Account <input name="name" required maxlength="32" pattern="[a-z0-9][a-z0-9._\-]+"></label>
<label>角色 Role <select name="role"><option>viewer</option><option>clerk</option><option>administrator</option></select></label>
<label>初始口令 First password <input name="password" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label>
<label>理由 Why <input name="why" required minlength="4" maxlength="60"></label><button>建立 Add</button></form></section>`)

func (s *Server) operatorsList(w http.ResponseWriter, r *http.Request) {
	all, err := Accounts(r.Context(), s.store)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, operatorsPage, all)
}

func (s *Server) operatorAdd(w http.ResponseWriter, r *http.Request) {
	s.operatorDo(w, r, func(ctx context.Context, by Operator) error {
		return AddAccount(ctx, s.store, NewAccount{Name: r.PostFormValue("name"), Role: staff.Role(r.PostFormValue("role")), Password: r.PostFormValue("password")}, s.now(), by)
	})
}

func (s *Server) operatorChange(w http.ResponseWriter, r *http.Request) {
	var c AccountChange
	act := r.PostFormValue("act")
	switch role := staff.Role(act); {
	case role.May(staff.Viewer):
		c.Role = &role
	case act == "off" || act == "on":
		off := act == "off"
		c.Off = &off
	case act == "password":
		p := r.PostFormValue("password")
		c.Password = &p
	case act == "unlock":
		c.Unlock = true
	default:
		s.refusePage(w, r, errForm, "没有这个操作 There is no such act")
		return
	}
	s.operatorDo(w, r, func(ctx context.Context, by Operator) error {
		return ChangeAccount(ctx, s.store, r.PathValue("name"), c, s.now(), by)
	})
}

// operatorDo changes accounts; setting a password works through one place of those who look at passwords.
func (s *Server) operatorDo(w http.ResponseWriter, r *http.Request, do func(context.Context, Operator) error) {
	by, ok := s.reason(w, r)
	if !ok {
		return
	}
	leave, ok := s.hasher(r.Context())
	if !ok {
		s.failPage(w, r, errBusy)
		return
	}
	err := do(r.Context(), by)
	leave()
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/operators")
}
