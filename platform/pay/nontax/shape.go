package nontax

// How a province's platform writes the same messages. None of their papers is public, so that what differs as a rule is data: paths,
// names of fields, words for states and codes, amounts in yuan, times. What differs in more than that is a package of its own.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

// Shape is where a province's messages differ from ours. The zero value is ours.
type Shape struct {
	Paths   map[string]string `toml:"paths"`   // act → path below the URL; NUMBER and DAY stand for theirs. Acts: create, query, close, refund, query-refund, statement, ebill, query-ebill, red-ebill, ebill-book
	Posts   bool              `toml:"posts"`   // everything is a POST; questions carry {"number"} or {"day"}
	Names   map[string]string `toml:"names"`   // our name of a field → theirs, in requests, answers and notices
	States  map[string]string `toml:"states"`  // their word for a state → ours
	Codes   map[string]string `toml:"codes"`   // their code → ours
	Data    string            `toml:"data"`    // their field that holds an answer's content; "": the answer is the content
	Success string            `toml:"success"` // their code for success, where the status is 200 whatever happened
	Yuan    bool              `toml:"yuan"`    // amounts are text in yuan, "10.00"
	Time    string            `toml:"time"`    // as Go writes a layout; "" is RFC 3339. Without a zone it is China's
}

// paths are ours.
var paths = map[string]string{"create": "orders", "query": "orders/NUMBER", "close": "orders/NUMBER/close", "refund": "refunds",
	"query-refund": "refunds/NUMBER", "statement": "statements/DAY", "ebill": "ebills", "query-ebill": "ebills/NUMBER", "red-ebill": "ebills/NUMBER/red", "ebill-book": "ebill-books/DAY"}

// fields are our names; sums and times among them are written anew.
var (
	fields = []string{"number", "amount", "subject", "expires", "qr", "state", "payments", "transaction", "at", "order", "of", "reason", "code", "day", "lines", "refund", "id",
		"paid", "payer", "issued", "red", "batch", "serial", "check", "url", "ebills"}
	sums   = []string{"amount", "of"}
	times  = []string{"expires", "at", "paid"}
	states = []string{"waiting", "paid", "closed", "working", "done", "refused", "issued", "red"}
)

func (s Shape) check() error {
	for act, path := range s.Paths {
		if paths[act] == "" || strings.ContainsAny(path, "?#") || strings.Contains(path, "..") {
			return fmt.Errorf("nontax: path of %.20q: %.60q", act, path)
		}
	}
	theirs := map[string]bool{}
	for _, ours := range fields {
		name := s.name(ours)
		if name == "" || theirs[name] {
			return fmt.Errorf("nontax: two fields are called %.40q", name)
		}
		theirs[name] = true
	}
	for ours := range s.Names {
		if !slices.Contains(fields, ours) {
			return fmt.Errorf("nontax: there is no field %.40q", ours)
		}
	}
	for theirs, ours := range s.States {
		if !slices.Contains(states, ours) {
			return fmt.Errorf("nontax: state %.40q is %.20q, which is none", theirs, ours)
		}
	}
	if s.Time != "" {
		at := time.Date(2026, 11, 29, 12, 34, 56, 0, pay.China)
		if back, err := time.ParseInLocation(s.Time, at.Format(s.Time), pay.China); err != nil || !back.Equal(at) {
			return fmt.Errorf("nontax: time %.40q does not tell a second", s.Time)
		}
	}
	return nil
}

func (s Shape) name(ours string) string {
	if theirs, differs := s.Names[ours]; differs {
		return theirs
	}
	return ours
}

// request is the method, path and body of an act. in are our names.
func (s Shape) request(act string, in map[string]any, number, day string) (method, path string, body map[string]any) {
	path = paths[act]
	if p, differs := s.Paths[act]; differs {
		path = p
	}
	path = strings.NewReplacer("NUMBER", number, "DAY", day).Replace(path)
	method = http.MethodPost
	if in == nil && !s.Posts && act != "close" {
		return http.MethodGet, path, nil
	}
	if in == nil {
		in = map[string]any{}
		if s.Posts && number != "" {
			in["number"] = number
		}
		if s.Posts && day != "" {
			in["day"] = day
		}
	}
	body = map[string]any{}
	for k, v := range in {
		switch x := v.(type) {
		case pay.Fen:
			if s.Yuan {
				v = x.String()
			}
		case time.Time:
			v = x.UTC().Format(time.RFC3339)
			if s.Time != "" {
				v = x.In(pay.China).Format(s.Time)
			}
		}
		body[s.name(k)] = v
	}
	return method, path, body
}

// errShape: an answer cannot be put into our words.
var errShape = errors.New("nontax: what the channel says cannot be read")

// ours puts an answer or a notice into our names and words. code is "" for success.
func (s Shape) ours(raw []byte) (content []byte, code string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil, "", errShape
	}
	top, is := v.(map[string]any)
	if !is {
		return nil, "", errShape
	}
	if said, has := top[s.name("code")]; has {
		code = fmt.Sprint(said)
		if code == s.Success {
			code = ""
		} else if ours, differs := s.Codes[code]; differs {
			code = ours
		}
	}
	if inner, has := top[s.Data].(map[string]any); has && s.Data != "" {
		top = inner // a notice comes without
	}
	back := map[string]string{}
	for _, ours := range fields {
		back[s.name(ours)] = ours
	}
	out, err := s.put(top, back)
	if err != nil {
		return nil, "", err
	}
	content, err = json.Marshal(out)
	return content, code, err
}

// put renames a value's fields, at most as deep as messages are.
func (s Shape) put(v any, back map[string]string) (any, error) {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, theirs := range slices.Sorted(maps.Keys(x)) {
			ours, known := back[theirs]
			if !known {
				continue
			}
			v, err := s.put(x[theirs], back)
			if err == nil {
				v, err = s.word(ours, v)
			}
			if err != nil {
				return nil, err
			}
			out[ours] = v
		}
		return out, nil
	case []any:
		out := make([]any, len(x))
		for i := range x {
			var err error
			if out[i], err = s.put(x[i], back); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// word puts one value into our words.
func (s Shape) word(ours string, v any) (any, error) {
	text := ""
	switch x := v.(type) {
	case string:
		text = x
	case json.Number:
		text = x.String()
	default:
		return v, nil
	}
	switch {
	case slices.Contains(sums, ours) && s.Yuan:
		f, err := pay.ParseYuan(text)
		if err != nil {
			return nil, errShape
		}
		return int64(f), nil
	case slices.Contains(times, ours) && s.Time != "":
		t, err := time.ParseInLocation(s.Time, text, pay.China)
		if err != nil {
			return nil, errShape
		}
		return t.Format(time.RFC3339), nil
	case ours == "state":
		if is, differs := s.States[text]; differs {
			return is, nil
		}
		return text, nil
	case ours == "code":
		if is, differs := s.Codes[text]; differs {
			return is, nil
		}
		return text, nil
	case slices.Contains([]string{"number", "order", "refund", "transaction", "id", "day", "batch", "serial", "check"}, ours):
		return text, nil // some write them as numbers
	}
	return v, nil
}
