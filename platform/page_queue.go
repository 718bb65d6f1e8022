package platform

// The window's page of the hall's queue: who is there, who is next, and how long people waited today. It names nobody.

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/budayang/kiosk/platform/staff"
)

var queuePage = pageOf(`叫号 Queue`, `{{if .Is.Theirs}}<section><p>本平台不叫号，由大厅的叫号系统叫号 The hall's own system calls the numbers</p></section>{{else}}
<section><form method="get" action="/queue"><label>大厅与窗口 Hall and window <select name="at" required><option value="">—</option>{{range .Is.Places}}<option value="{{.Value}}"{{if .Chosen}} selected{{end}}>{{.Site}} · {{.Window}}</option>{{end}}</select></label><button>选择 Choose</button></form>
{{if not .Is.Places}}<p>没有设置窗口 No windows are set up</p>{{end}}</section>
{{with .Is.Window}}<section id="window"><h2>{{$.Is.Site}} · 窗口 Window {{.}}</h2>
{{with $.Is.Here}}{{if .Number}}<p class="number" id="here">{{.Number}}</p><p>{{$.Is.NameOf .Business}}{{with .Reason}} · {{words "reason" .}}{{end}} · 第 {{.Calls}} 次呼叫 call {{.Calls}} · {{day .Called}}</p>{{else}}<p id="here">没有正在办理的号 Nobody is at the window</p>{{end}}
<form method="post" action="/queue"><input type="hidden" name="at" value="{{$.Is.At}}"><input type="hidden" name="number" value="{{.Number}}"><input type="hidden" name="calls" value="{{.Calls}}">
<button name="act" value="next">{{if .Number}}办完，下一位 Done, next{{else}}下一位 Next{{end}}</button>{{if .Number}}<button name="act" value="again">再叫一次 Call again</button><button name="act" value="done">办完 Finished</button><button name="act" value="absent" class="refuse">未到 Did not come</button>{{end}}</form>{{end}}
{{range $.Is.Absent}}<form method="post" action="/queue"><input type="hidden" name="at" value="{{$.Is.At}}"><input type="hidden" name="number" value="{{.Number}}"><span>{{.Number}} {{words "ticket" .State}}</span><button name="act" value="back">又来了，重新排队 Came after all</button></form>{{end}}</section>
<section><h2>等候 Waiting</h2><table id="waiting"><thead><tr><th>号 Number</th><th>事项 Business</th><th>原因 Reason</th><th>取号 Taken</th><th>已等 Waited</th></tr></thead><tbody>
{{range $.Is.Waiting}}<tr><td>{{.Number}}</td><td class="long">{{$.Is.NameOf .Business}}</td><td class="long">{{words "reason" .Reason}}</td><td>{{day .Taken}}</td><td class="{{if $.Is.Long .}}bad{{end}}">{{$.Is.Waited .}}</td></tr>{{else}}<tr><td colspan="5">—</td></tr>{{end}}</tbody></table></section>
<section><h2>今日 Today {{$.Is.Day}}</h2><table id="today"><thead><tr><th></th><th>等候 Waiting</th><th>已叫 Called</th><th>已办 Done</th><th>过号 Absent</th><th>平均等候 Mean wait</th><th>最长等候 Longest</th><th>现最长 Longest now</th><th>平均办理 At the window</th></tr></thead><tbody>
{{range $.Is.Today}}<tr><td>{{.Key}}</td><td>{{.Waiting}}</td><td>{{.Called}}</td><td>{{.Done}}</td><td>{{.Absent}}</td><td class="{{if .SlowMean}}bad{{end}}">{{minutes .Mean}}</td><td class="{{if .SlowLongest}}bad{{end}}">{{minutes .Longest}}</td><td class="{{if .Late}}bad{{end}}">{{minutes .Now}}</td><td>{{minutes .Served}}</td></tr>{{end}}</tbody></table>
<p>平均不超过 14 分钟，最长不超过 30 分钟；有人等候超过 20 分钟时标红。 The mean should be within 14 minutes and the longest within 30; red when somebody waits more than 20.</p></section>{{end}}{{end}}`)

// queuePlace is a window as the page's list has it.
type queuePlace struct {
	Site, Window, Value string
	Chosen              bool
}

type queueView struct {
	Theirs           bool // a system of the hall's own calls
	Places           []queuePlace
	Site, Window, At string
	Day              string
	Here             TicketRow
	Waiting, Absent  []TicketRow
	Today            []groupWaits
	now              time.Time
	names            map[string]string
}

// NameOf is a kind of business in words.
func (v queueView) NameOf(business string) string { return v.names[business] }

// Waited is how long a number has waited.
func (v queueView) Waited(t TicketRow) string { return minutes(v.now.Sub(t.Taken)) }

// Long says that a number has waited so long that somebody should look.
func (v queueView) Long(t TicketRow) bool { return v.now.Sub(t.Taken) > waitAlarm }

// minutes writes a time of waiting.
func minutes(d time.Duration) string {
	if d <= 0 {
		return "—"
	}
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// queueRefresh is how often a window's page is loaded anew, in seconds.
const queueRefresh = 10

// byItself is in the query of a page that was loaded anew by itself: that is no use of a session.
const byItself = "auto"

// queuePlaceOf reads which window a page is of.
func (s *Server) queuePlaceOf(at string) (site, window string, ok bool) {
	for _, w := range s.cfg.Queue.Windows {
		if placeValue(w) == at {
			return w.Site, w.Name, true
		}
	}
	return "", "", false
}

func placeValue(w Window) string { return w.Site + "/" + w.Name }

func (s *Server) queueShow(w http.ResponseWriter, r *http.Request) {
	v := queueView{Theirs: s.cfg.Hall != nil, now: s.now(), names: map[string]string{}}
	v.Day = chinaDay(v.now)
	for _, b := range s.cfg.Queue.Businesses {
		v.names[b.Code] = b.Name["zh"] + " " + b.Name["en"]
	}
	at := clip(r.URL.Query().Get("at"), 300)
	site, window, known := s.queuePlaceOf(at)
	if at != "" && !known {
		s.refusePage(w, r, errNotFound, "没有这个窗口 There is no such window")
		return
	}
	for _, p := range s.cfg.Queue.Windows {
		v.Places = append(v.Places, queuePlace{p.Site, p.Name, placeValue(p), placeValue(p) == at})
	}
	if known {
		v.Site, v.Window, v.At = site, window, at
		place, _ := s.cfg.Queue.window(site, window)
		mine := map[string]bool{}
		for _, b := range place.Businesses {
			mine[b] = true
		}
		err := s.store.View(r.Context(), func(tx Tx) (err error) {
			v.Waiting, v.Absent = nil, nil
			if v.Here, err = atWindow(tx, site, v.Day, window); err != nil {
				return err
			}
			all, err := tx.Tickets(site, v.Day, "", ticketsShown)
			for _, t := range all {
				switch {
				case t.State == ticketWaiting && mine[t.Business]:
					v.Waiting = append(v.Waiting, t)
				case t.State == ticketAbsent && t.Window == window:
					v.Absent = append(v.Absent, t)
				}
			}
			v.Today = append([]groupWaits{{"全部 All", waitsOf(all, v.now)}}, byKey(all, v.now, func(t TicketRow) string { return v.names[t.Business] })...)
			v.Today = append(v.Today, byKey(all, v.now, func(t TicketRow) string {
				if t.Window == "" {
					return ""
				}
				return "窗口 Window " + t.Window
			})...)
			return err
		})
		if err != nil {
			s.failPage(w, r, err)
			return
		}
		w.Header().Set("Refresh", strconv.Itoa(queueRefresh)+"; url=/queue?"+url.Values{"at": {at}, byItself: {""}}.Encode())
	}
	s.show(w, r, http.StatusOK, queuePage, v)
}

func (s *Server) queueCall(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	at := clip(r.PostFormValue("at"), 300)
	site, window, known := s.queuePlaceOf(at)
	calls, err := strconv.Atoi(r.PostFormValue("calls"))
	act := r.PostFormValue("act")
	if !known || s.cfg.Hall != nil || err != nil && act != callBack {
		s.refusePage(w, r, errForm, "没有这个窗口，或表单不完整 There is no such window, or the form is not whole")
		return
	}
	if _, err := s.CallTicket(r.Context(), Call{Site: site, Window: window, Act: act, Number: clip(r.PostFormValue("number"), 32), Calls: calls}, Operator{Who: who.ID}); err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r, "/queue?at="+url.QueryEscape(at))
}
