package paysim

// A province that does not exist, with messages as such platforms write them: every request a POST, names as initials of the words, amounts
// in yuan, times without a zone, numbers for states, the status always 200 and a code in the body. It exists to hold the
// adapter's shape against a dialect that was not made for it. Signatures are over what goes over the line.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Province makes the server speak the invented province's dialect.
func (s *Server) Province() { s.province = true }

// provinceNames are our names in the province's.
var provinceNames = map[string]string{"number": "ddh", "amount": "je", "subject": "xmmc", "expires": "sxsj", "qr": "ewm", "state": "zt", "payments": "zfmx",
	"transaction": "jylsh", "at": "jysj", "order": "yddh", "of": "yje", "reason": "tkyy", "code": "fhm", "day": "rq", "lines": "mx", "refund": "tkdh", "id": "tzbh",
	"paid": "jfsj", "payer": "jkr", "issued": "dzpj", "red": "hzpj", "batch": "pjdm", "serial": "pjhm", "check": "jym", "url": "pjdz", "ebills": "pjmx"}

var provinceStates = map[string]string{"waiting": "0", "paid": "1", "closed": "2", "working": "W", "done": "S", "refused": "F", "issued": "Y", "red": "H"}

var provinceCodes = map[string]string{"ORDER_NOT_EXIST": "1404", "REFUND_NOT_EXIST": "2404", "NO_STATEMENT_YET": "3404", "ORDER_PAID": "1201", "MERCHANT_LIMIT": "1403",
	"PARAM_ERROR": "9001", "TRANSACTION_NOT_EXIST": "2405", "AMOUNT_OVER": "2406", "EBILL_NOT_EXIST": "4404", "MONEY_NOT_ARRIVED": "4001", "EBILL_REFUSED": "4403", "PAYER_DIFFERS": "4405"}

const provinceTime = "20060102150405"

type heardKey struct{}

// heard puts a request into our words and keeps the signed text beside it.
func (s *Server) heard(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var v map[string]any
	if json.Unmarshal(body, &v) != nil || r.Method != http.MethodPost {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	ours := map[string]any{}
	for name, theirs := range provinceNames {
		x, has := v[theirs]
		text, _ := x.(string)
		switch {
		case !has:
		case name == "amount" || name == "of":
			ours[name] = fen(text)
		case name == "expires" || name == "paid":
			at, err := time.ParseInLocation(provinceTime, text, china)
			if err == nil {
				ours[name] = at
			}
		default:
			ours[name] = x
		}
	}
	number, day := fmt.Sprint(ours["number"]), fmt.Sprint(ours["day"])
	to := map[string][2]string{"ddsc": {"POST", "orders"}, "ddcx": {"GET", "orders/" + number}, "ddgb": {"POST", "orders/" + number + "/close"},
		"tk": {"POST", "refunds"}, "tkcx": {"GET", "refunds/" + number}, "dzd": {"GET", "statements/" + day},
		"kp": {"POST", "ebills"}, "kpcx": {"GET", "ebills/" + number}, "ch": {"POST", "ebills/" + number + "/red"}, "pjdzd": {"GET", "ebill-books/" + day}}[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
	in := r.Clone(context.WithValue(r.Context(), heardKey{}, signedText{r.Method, r.URL.RequestURI(), body}))
	in.Method, in.URL.Path = to[0], "/nontax/v1/"+to[1]
	body, _ = json.Marshal(ours)
	in.Body = io.NopCloser(bytes.NewReader(body))
	s.mux.ServeHTTP(w, in)
}

// spoken puts an answer, or a notice, into the province's words.
func spoken(body []byte, answer bool) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return body
	}
	top, is := v.(map[string]any)
	if !is {
		return body // garbage stays garbage
	}
	var out any
	if code, failed := top["code"].(string); answer && failed && len(top) == 1 {
		if theirs := provinceCodes[code]; theirs != "" {
			code = theirs
		}
		out = map[string]any{"fhm": code, "xx": "失败"}
	} else if out = put(v); answer {
		out = map[string]any{"fhm": "0000", "xx": "成功", "sj": out}
	}
	b, _ := json.Marshal(out)
	return b
}

func put(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, v := range x {
			v = put(v)
			text, _ := v.(string)
			switch name {
			case "amount":
				n, _ := v.(json.Number).Int64()
				v = yuan(n)
			case "at":
				at, _ := time.Parse(time.RFC3339, text)
				v = at.In(china).Format(provinceTime)
			case "state":
				v = provinceStates[text]
			}
			out[provinceNames[name]] = v
		}
		return out
	case []any:
		for i := range x {
			x[i] = put(x[i])
		}
	}
	return v
}
