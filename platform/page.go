package platform

// The page at /: terminals and arriving cases, live. And the public page that verifies a certificate.

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net"
	"net/http"
	"regexp"
	"time"
)

const pageScript = `
const cell=(tr,t,c)=>{const td=document.createElement('td');td.textContent=t;if(c)td.className=c;tr.append(td)};
async function load(){
 try{
  const o=await (await fetch('/overview.json',{cache:'no-store'})).json();
  document.getElementById('counts').textContent=o.cases_total+' 件办件 · '+o.records+' 条记录 · '+o.documents+' 份证明 · '+o.ratings+' 次评价 · '+o.quarantined+' 条隔离';
  const t=document.querySelector('#terminals tbody');t.replaceChildren();
  for(const x of o.terminals){const tr=document.createElement('tr');cell(tr,x.id);cell(tr,x.site+' '+x.name);cell(tr,x.link?'在线':'离线',x.link?'ok':'bad');cell(tr,x.seen);cell(tr,x.devices||'—');t.append(tr)}
  const c=document.querySelector('#cases tbody');c.replaceChildren();
  for(const x of o.cases){const tr=document.createElement('tr');cell(tr,x.receipt);cell(tr,x.item);cell(tr,x.person||'—');cell(tr,x.state);cell(tr,x.rating||'—');cell(tr,x.opened);cell(tr,x.terminal);c.append(tr)}
  document.body.className='';
 }catch(e){document.body.className='stale'}
}
load();setInterval(load,2000);
`

var pageScriptHash = func() string {
	sum := sha256.Sum256([]byte(pageScript))
	return base64.StdEncoding.EncodeToString(sum[:])
}()

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Budayang 中心平台</title><style>
body{margin:0;font:16px/1.5 "Noto Sans SC","Noto Sans CJK SC",sans-serif;background:#F3F6FA;color:#10233F}
header{background:#0B57D0;color:#fff;padding:20px 32px}h1{margin:0;font-size:24px}main{max-width:1200px;margin:24px auto;padding:0 16px}
section{background:#fff;border:2px solid #D5DEEA;border-radius:16px;padding:16px 24px;margin-bottom:24px;overflow-x:auto}
h2{font-size:18px;margin:4px 0 12px}table{border-collapse:collapse;width:100%}th{text-align:left;color:#4A5C78;font-weight:400}
td,th{padding:8px 12px 8px 0;border-bottom:1px solid #D5DEEA;white-space:nowrap}.ok{color:#0E7A4B}.bad{color:#B3261E}
.stale main{opacity:.5}#counts{opacity:.9}</style></head><body>
<header><h1>Budayang 中心平台</h1><div id="counts">…</div></header><main>
<section><h2>终端 Terminals</h2><table id="terminals"><thead><tr><th>编号</th><th>位置</th><th>链路</th><th>最近联系</th><th>设备提示</th></tr></thead><tbody></tbody></table></section>
<section><h2>办件 Cases</h2><table id="cases"><thead><tr><th>受理号</th><th>事项</th><th>办事人</th><th>状态</th><th>评价</th><th>时间</th><th>终端</th></tr></thead><tbody></tbody></table></section>
</main><script>{{.}}</script></body></html>`))

var page = func() []byte {
	var b writer
	if err := pageTemplate.Execute(&b, template.JS(pageScript)); err != nil {
		panic(err)
	}
	return b
}()

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page)
}

// overview is the page's data: nothing personal but masked names.
type overview struct {
	CasesTotal  int            `json:"cases_total"`
	Records     int            `json:"records"`
	Documents   int            `json:"documents"`
	Ratings     int            `json:"ratings"`
	Quarantined int            `json:"quarantined"`
	Terminals   []terminalLine `json:"terminals"`
	Cases       []caseLine     `json:"cases"`
}

type terminalLine struct {
	ID      string `json:"id"`
	Site    string `json:"site"`
	Name    string `json:"name"`
	Link    bool   `json:"link"`
	Seen    string `json:"seen"`
	Devices string `json:"devices"`
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

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	o := overview{Terminals: []terminalLine{}, Cases: []caseLine{}}
	now := s.now()
	err := s.store.View(r.Context(), func(tx Tx) error {
		o.Terminals, o.Cases = o.Terminals[:0], o.Cases[:0]
		n, err := tx.Count()
		if err != nil {
			return err
		}
		o.CasesTotal, o.Records, o.Documents, o.Ratings, o.Quarantined = n.Cases, n.Records, n.Documents, n.Ratings, n.Quarantined
		ts, err := tx.Terminals()
		if err != nil {
			return err
		}
		for _, t := range ts {
			line := terminalLine{ID: t.ID, Site: t.Site, Name: t.Name, Link: now.Sub(t.Seen) < linkLost, Seen: t.Seen.Local().Format(time.DateTime)}
			for _, st := range t.Status {
				if st.Unready != "" {
					line.Devices += st.Role + ": " + st.Unready + "  "
				}
			}
			o.Terminals = append(o.Terminals, line)
		}
		cs, err := tx.Cases(50)
		for _, c := range cs {
			o.Cases = append(o.Cases, caseLine{c.ReceiptCode, c.Item, c.Person, c.State, c.Rating, c.Opened.Local().Format(time.DateTime), c.Terminal})
		}
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, o)
}

var verifyTemplate = template.Must(template.New("verify").Parse(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>证明核验</title><style>
body{margin:0;font:18px/1.6 "Noto Sans SC","Noto Sans CJK SC",sans-serif;background:#F3F6FA;color:#10233F}main{max-width:560px;margin:32px auto;padding:24px;background:#fff;border-radius:16px}
.ok{color:#0E7A4B}.bad{color:#B3261E}dt{color:#4A5C78}dd{margin:0 0 12px;word-break:break-all}</style></head><body><main>
{{if .Found}}<h1 class="ok">编号有效</h1><dl><dt>证明编号</dt><dd>{{.Number}}</dd><dt>姓名</dt><dd>{{.Person}}</dd><dt>签发时间</dt><dd>{{.Issued}}</dd>
<dt>文件 SHA-256</dt><dd>{{.Hash}}</dd></dl><p>请与纸面内容核对。演示样张,不具法律效力。</p>{{else}}<h1 class="bad">没有这个编号</h1><p>请核对编号,或拨打 12345。</p>{{end}}
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
		Found                        bool
		Number, Person, Issued, Hash string
	}{}
	status := http.StatusNotFound
	if n := r.PathValue("number"); documentNumber.MatchString(n) {
		var d DocumentRow
		err := s.store.View(r.Context(), func(tx Tx) (err error) { d, err = tx.DocumentByNumber(n); return err })
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
