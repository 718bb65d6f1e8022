package platform

// The page at /: terminals and arriving cases, live, in Chinese and English. And the public page that verifies a certificate.

import (
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// pageScript fills the page; its words are in page_words.go. Everything from outside goes in as text, never as markup.
var pageScript = "const W=" + pageWords() + ";" + `
let lang=location.hash==='#en'||location.hash!=='#zh'&&!navigator.language.startsWith('zh')?'en':'zh';
const cell=(tr,t,c)=>{const td=document.createElement('td');td.textContent=t;if(c)td.className=c;tr.append(td)};
const link=(tr,t,to)=>{const td=document.createElement('td'),a=document.createElement('a');a.textContent=t;a.href=to;td.append(a);tr.append(td)};
const w=k=>W[lang][k];
const word=(group,k)=>(w(group)||{})[k]||k;
const sum=(n,k)=>n+' '+w(k);
function fixed(){
 document.documentElement.lang=lang==='zh'?'zh-CN':'en';document.title=w('title');
 for(const e of document.querySelectorAll('[data-w]'))e.textContent=w(e.dataset.w);
}
async function load(){
 try{
  const r=await fetch('/overview.json',{cache:'no-store'});
  if(r.status===401||r.status===403){location.assign('/login');return}
  if(!r.ok)throw r.status;
  const o=await r.json();
  document.getElementById('counts').textContent=[sum(o.cases_total,'n_cases'),sum(o.records,'n_records'),sum(o.documents,'n_documents'),sum(o.ratings,'n_ratings'),sum(o.quarantined,'n_quarantined')].join(' · ');
  const t=document.querySelector('#terminals tbody');t.replaceChildren();
  for(const x of o.terminals){const tr=document.createElement('tr');link(tr,x.id,'/terminals/'+encodeURIComponent(x.id));cell(tr,x.site+' '+x.name,'long');cell(tr,x.link?w('online'):w('offline'),x.link?'ok':'bad');cell(tr,x.seen);
   cell(tr,x.devices.map(d=>word('role',d.role)+' '+word('unready',d.unready)).join(w('and'))||'—',x.devices.length?'bad long':'');
   const s=x.sample;cell(tr,s?s.waiting+' + '+s.pictures:'—');cell(tr,s?s.disk_mb+' MB':'—');cell(tr,s?s.time+(s.lost?' ('+sum(s.lost,'n_lost')+')':''):'—',s&&s.lost?'bad':'');t.append(tr)}
  const c=document.querySelector('#cases tbody');c.replaceChildren();
  for(const x of o.cases){const tr=document.createElement('tr');cell(tr,x.receipt);cell(tr,word('item',x.item),'long');cell(tr,x.person||'—','long');cell(tr,word('state',x.state));cell(tr,word('level',x.rating)||'—');cell(tr,x.opened);cell(tr,x.terminal);c.append(tr)}
  document.body.className='';document.getElementById('stale').hidden=true;
 }catch(e){document.body.className='stale';document.getElementById('stale').hidden=false}
}
document.getElementById('lang').addEventListener('click',()=>{lang=lang==='zh'?'en':'zh';history.replaceState(null,'','#'+lang);fixed();load()});
fixed();load();setInterval(load,2000);
`

// pageStyle dresses all pages. Neither script nor style is in a page itself, so that the policy allows none that is.
const pageStyle = `@font-face{font-family:page;src:url(/font.otf)}
body{margin:0;font:16px/1.5 "Noto Sans SC","Noto Sans CJK SC","Microsoft YaHei","PingFang SC",page,sans-serif;background:#F3F6FA;color:#10233F}
header{background:#0B57D0;color:#fff;padding:20px 32px;position:relative}h1{margin:0;font-size:24px}main{max-width:1200px;margin:24px auto;padding:0 16px}
nav{margin-top:8px}nav a{color:#fff;margin-right:20px}nav form{display:inline}nav button,#lang{font:inherit;color:#fff;background:none;border:2px solid #fff;border-radius:8px;padding:4px 16px;cursor:pointer}
#lang{position:absolute;right:32px;top:24px}
section{background:#fff;border:2px solid #D5DEEA;border-radius:16px;padding:16px 24px;margin-bottom:24px;overflow-x:auto}
h2{font-size:18px;margin:4px 0 12px}table{border-collapse:collapse;width:100%}th{text-align:left;color:#4A5C78;font-weight:400}
td,th{padding:8px 12px 8px 0;border-bottom:1px solid #D5DEEA;vertical-align:top}td{white-space:nowrap}td.long{white-space:normal;overflow-wrap:anywhere}.about td{border-bottom:0;padding-bottom:0}.ok{color:#0E7A4B}.bad{color:#B3261E}
section.narrow{max-width:480px;margin-left:auto;margin-right:auto}.narrow label{display:block;margin:12px 0}.narrow input,.narrow select{display:block;width:100%;box-sizing:border-box}
input,select,section button{font:inherit;padding:6px 10px;border:2px solid #D5DEEA;border-radius:8px}section button{background:#0B57D0;color:#fff;border-color:#0B57D0;cursor:pointer}section button.refuse{background:#fff;color:#B3261E;border-color:#B3261E}
section:not(.narrow) form{display:flex;flex-wrap:wrap;gap:8px 16px;align-items:center;margin:4px 0 8px}#card{display:grid;grid-template-columns:auto 1fr;gap:0 32px}#card h2{grid-column:1/3}#card td,#card th{padding:5px 12px 5px 0}
.number{font-size:72px;font-weight:700;margin:0;line-height:1.1}
.faces{display:flex;flex-direction:column;gap:16px;margin:0}.faces img{border:1px solid #D5DEEA;border-radius:8px}img.ink{width:179px}
.stale main{opacity:.5}#stale{background:#B3261E;color:#fff;padding:8px 32px}
.check{max-width:560px;margin:32px auto;padding:24px;background:#fff;border-radius:16px;font-size:18px;line-height:1.6}dt{color:#4A5C78}dd{margin:0 0 12px;word-break:break-all}
`

var pageTemplate = template.Must(template.Must(frame.Clone()).Parse(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Budayang</title><link rel="stylesheet" href="/page.css"></head><body>
<header><h1 data-w="title">Budayang</h1><div id="counts">…</div><button id="lang" data-w="other"></button>{{template "nav" .}}</header><div id="stale" data-w="stale" hidden></div><main>
<section><h2 data-w="terminals"></h2><table id="terminals"><thead><tr><th data-w="id"></th><th data-w="place"></th><th data-w="link"></th><th data-w="seen"></th><th data-w="devices"></th><th data-w="waits"></th><th data-w="disk"></th><th data-w="sample"></th></tr></thead><tbody></tbody></table></section>
<section><h2 data-w="cases"></h2><table id="cases"><thead><tr><th data-w="receipt"></th><th data-w="service"></th><th data-w="person"></th><th data-w="status"></th><th data-w="rating"></th><th data-w="time"></th><th data-w="terminal"></th></tr></thead><tbody></tbody></table></section>
</main><script src="/page.js"></script></body></html>`))

func (s *Server) script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write([]byte(pageScript))
}

func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write([]byte(pageStyle))
}

// font is the page's own face for machines without a Chinese one.
func (s *Server) font(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "font/otf")
	w.Header().Set("Cache-Control", "public, max-age=604800")
	_, _ = w.Write(assets.Font("ui-regular.otf"))
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageTemplate.Execute(w, shown{Who: who})
}

// overview is the page's data: nothing personal but masked names.
type overview struct {
	CasesTotal  int64          `json:"cases_total"`
	Records     int64          `json:"records"`
	Documents   int64          `json:"documents"`
	Ratings     int64          `json:"ratings"`
	Quarantined int64          `json:"quarantined"`
	Terminals   []terminalLine `json:"terminals"`
	Cases       []caseLine     `json:"cases"`
}

// sampleLine is what the page shows of telemetry.
type sampleLine struct {
	Waiting  uint64 `json:"waiting"`
	Pictures uint64 `json:"pictures"`
	Disk     int64  `json:"disk_mb"`
	Lost     uint64 `json:"lost"` // samples that never came
	Time     string `json:"time"`
}

type terminalLine struct {
	ID      string                    `json:"id"`
	Site    string                    `json:"site"`
	Name    string                    `json:"name"`
	Link    bool                      `json:"link"`
	Seen    string                    `json:"seen"`
	Devices []wire.TerminalRoleStatus `json:"devices"` // those that cannot work
	Sample  *sampleLine               `json:"sample"`  // nil while none came
}

type caseLine struct {
	Receipt  string `json:"receipt"`
	Item     string `json:"item"`
	Person   string `json:"person"`
	State    string `json:"state"`
	Rating   string `json:"rating"`
	Opened   string `json:"opened"`
	Terminal string `json:"terminal"`
}

// linkLost is how long a terminal may be silent; it beats every few seconds.
const linkLost = 20 * time.Second

// overviewLife is how old the overview may be that is answered: everybody who looks at once costs one look at the store.
const overviewLife = 2 * time.Second

// looked is the last overview.
type looked struct {
	mu sync.Mutex
	at time.Time
	overview
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	s.looked.mu.Lock()
	defer s.looked.mu.Unlock()
	if age := time.Since(s.looked.at); age < 0 || age >= overviewLife {
		o, err := s.look(r.Context())
		if err != nil {
			s.fail(w, err)
			return
		}
		s.looked.at, s.looked.overview = time.Now(), o
	}
	answer(w, http.StatusOK, s.looked.overview)
}

func (s *Server) look(ctx context.Context) (overview, error) {
	o := overview{Terminals: []terminalLine{}, Cases: []caseLine{}}
	now := s.now()
	err := s.store.View(ctx, func(tx Tx) error {
		o.Terminals, o.Cases = o.Terminals[:0], o.Cases[:0]
		n, err := tx.Tallies()
		if err != nil {
			return err
		}
		o.CasesTotal, o.Records, o.Documents, o.Ratings, o.Quarantined = n.Cases, n.Records, n.Documents, n.Ratings, n.Quarantined
		latest, err := tx.LatestSamples()
		if err != nil {
			return err
		}
		samples := map[string]SampleRow{}
		for _, x := range latest {
			samples[x.Terminal] = x
		}
		ts, err := tx.Terminals()
		if err != nil {
			return err
		}
		for _, t := range ts {
			line := terminalLine{ID: t.ID, Site: t.Site, Name: t.Name, Link: now.Sub(t.Seen) < linkLost, Seen: t.Seen.Local().Format(time.DateTime),
				Devices: []wire.TerminalRoleStatus{}}
			for _, st := range t.Status {
				if st.Unready != "" {
					line.Devices = append(line.Devices, st)
				}
			}
			if x, is := samples[t.ID]; is {
				line.Sample = &sampleLine{x.Telemetry.Waiting, x.Telemetry.Pictures, x.Telemetry.Disk >> 20, x.Lost, x.Wall.Local().Format(time.DateTime)}
			}
			o.Terminals = append(o.Terminals, line)
		}
		cs, err := tx.Cases(50)
		for _, c := range cs {
			o.Cases = append(o.Cases, caseLine{c.ReceiptCode, c.Item, idnum.MaskName(c.Person), c.State, c.Rating, c.Opened.Local().Format(time.DateTime), c.Terminal})
		}
		return err
	})
	return o, err
}

var verifyTemplate = template.Must(template.New("verify").Parse(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>证明核验 Certificate check</title><link rel="stylesheet" href="/page.css"></head><body><main class="check">
{{if .Card}}<h1 class="{{if .Valid}}ok{{else}}bad{{end}}">{{if .Valid}}证件有效 Valid card{{else}}证件已过期 Expired card{{end}}</h1><dl><dt>编号 Number</dt><dd>{{.Number}}</dd><dt>姓名 Name</dt><dd>{{.Person}}</dd><dt>有效期至 Valid until</dt><dd>{{.Until}}</dd>
<dt>证芯号 Blank</dt><dd>{{.Blank}}</dd></dl><p>请与证件内容核对。演示样张，不具法律效力。<br>Compare this with the card. A specimen without legal force.</p>{{else if .Found}}<h1 class="ok">编号有效 Valid number</h1><dl><dt>证明编号 Number</dt><dd>{{.Number}}</dd><dt>姓名 Name</dt><dd>{{.Person}}</dd><dt>签发时间 Issued</dt><dd>{{.Issued}}</dd>
<dt>文件 File SHA-256</dt><dd>{{.Hash}}</dd></dl><p>请与纸面内容核对。演示样张，不具法律效力。<br>Compare this with the paper. A specimen without legal force.</p>{{else}}<h1 class="bad">没有这个编号 No such number</h1><p>请核对编号，或拨打 12345。<br>Check the number, or call 12345.</p>{{end}}
</main></body></html>`))

var documentNumber = regexp.MustCompile(`^[A-Z]{2,6}-[0-9]{6}-[0-9]{8}-[0-9]{6}$`)

func (s *Server) verifyPage(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if ok, err := s.allowed(r.Context(), &s.verify, "verify "+host, 60, time.Minute); err != nil {
		s.fail(w, err)
		return
	} else if !ok {
		s.refuseAfter(w, errBusy, "too many look-ups", time.Minute)
		return
	}
	view := struct {
		Found, Card, Valid           bool
		Number, Person, Issued, Hash string
		Until, Blank                 string
	}{}
	status := http.StatusNotFound
	if n := r.PathValue("number"); documentNumber.MatchString(n) {
		var d DocumentRow
		var c CardRow
		var p PermitRow
		err := s.store.View(r.Context(), func(tx Tx) (err error) {
			c, p = CardRow{}, PermitRow{}
			if d, err = tx.DocumentByNumber(n); errors.Is(err, ErrNoRow) {
				c, err = tx.CardByNumber(n)
			}
			if err != nil || c.Key == "" || c.Blank == "" {
				return err
			}
			p, err = tx.Permit(cardKinds[c.Kind], c.Blank)
			return err
		})
		if c.Key != "" {
			if err == nil {
				err = ErrNoRow // an application is nobody's business
			}
			// A code of another permit is that of a card which does not count.
			if mark := r.URL.Query().Get("p"); c.State == wire.CardIssued && (mark == "" || mark == permitMark(p)) {
				status, view.Card, view.Valid = http.StatusOK, true, s.now().Before(c.Until)
				view.Number, view.Person, view.Until, view.Blank = c.Number, c.Masked, c.Until.In(chinaTime).Format(time.DateOnly), c.Blank
			}
		}
		if err != nil && !errors.Is(err, ErrNoRow) {
			s.fail(w, err)
			return
		}
		if err == nil {
			status, view.Found = http.StatusOK, true
			view.Number, view.Person, view.Issued, view.Hash = d.Number, d.Person, d.Issued.Local().Format("2006-01-02 15:04"), d.SHA256.String()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = verifyTemplate.Execute(w, view)
}
