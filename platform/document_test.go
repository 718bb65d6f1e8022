package platform

// Requests that are made from the OpenAPI document, and not by somebody who knows the server: whatever the document allows is answered
// as it says, and every refusal is one of the registry.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/wire"
)

// made is a value that a schema allows.
func made(t *testing.T, r *rand.Rand, ref *openapi3.SchemaRef, depth int) any {
	t.Helper()
	s := ref.Value
	for _, some := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		if len(some) > 0 {
			return made(t, r, some[r.IntN(len(some))], depth)
		}
	}
	if len(s.AllOf) > 0 {
		all := map[string]any{}
		for _, part := range s.AllOf {
			if m, is := made(t, r, part, depth).(map[string]any); is {
				maps.Copy(all, m)
			}
		}
		return all
	}
	if len(s.Enum) > 0 {
		return s.Enum[r.IntN(len(s.Enum))]
	}
	few := func(least uint64, most *uint64) int {
		n := int(least) + r.IntN(3)
		if most != nil {
			n = min(n, int(*most))
		}
		return n
	}
	switch {
	case s.Type.Is("boolean"):
		return r.IntN(2) == 0
	case s.Type.Is("integer"), s.Type.Is("number"):
		low, high := 0.0, 1e6
		if s.Min != nil {
			low = *s.Min
		}
		if s.Max != nil {
			high = *s.Max
		}
		return int64(low) + r.Int64N(max(1, int64(high-low)+1))
	case s.Type.Is("array"):
		all := []any{}
		for range few(s.MinItems, s.MaxItems) {
			if depth < 6 {
				all = append(all, made(t, r, s.Items, depth+1))
			}
		}
		return all
	case s.Type.Is("string"):
		switch {
		case s.Pattern != "":
			return rapid.StringMatching(s.Pattern).Example(int(r.Int32()))
		case s.Format == "date-time":
			return time.Unix(1_700_000_000+r.Int64N(1e8), 0).UTC().Format(time.RFC3339)
		case s.Format == "byte":
			b := make([]byte, r.IntN(100))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return base64.StdEncoding.EncodeToString(b)
		}
		letters := []rune("abcXYZ019-_' \"<>;%李𠮷\\/")
		b := make([]rune, few(s.MinLength, s.MaxLength))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	m := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) || depth < 6 && r.IntN(2) == 0 {
			m[name] = made(t, r, s.Properties[name], depth+1)
		}
		if name == "terminal" && m[name] != nil && r.IntN(4) > 0 {
			m[name] = id1 // else nothing is looked at but that
		}
	}
	if more := s.AdditionalProperties.Schema; more != nil && depth < 6 {
		for range r.IntN(3) {
			m[fmt.Sprintf("k%d", r.IntN(100))] = made(t, r, more, depth+1)
		}
	}
	return m
}

func TestRequestsMadeFromTheDocument(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]int{}
	for _, e := range Registry {
		status[e.Code] = e.Status
	}
	r := rand.New(rand.NewPCG(1, uint64(len(openAPI))))
	answered, codes, asked := map[string]int{}, map[string]int{}, 0
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		if !strings.HasPrefix(path, "/v1/") && path != "/healthz" && !strings.HasPrefix(path, "/pay/") {
			continue // pages
		}
		for _, method := range slices.Sorted(maps.Keys(doc.Paths.Map()[path].Operations())) {
			op := doc.Paths.Map()[path].Operations()[method]
			for range 30 {
				at, query := path, url.Values{}
				for _, from := range []openapi3.Parameters{doc.Paths.Map()[path].Parameters, op.Parameters} {
					for _, q := range from {
						v := fmt.Sprint(made(t, r, q.Value.Schema, 0))
						switch {
						case q.Value.In == "path":
							at = strings.ReplaceAll(at, "{"+q.Value.Name+"}", url.PathEscape(strings.NewReplacer("/", "x", "\\", "x", ".", "x").Replace("x" + v)[min(1, len(v)):]))
						case q.Value.In == "query" && q.Value.Name == "wait":
							query.Set("wait", "0")
						case q.Value.In == "query" && (q.Value.Required || r.IntN(2) == 0):
							query.Set(q.Value.Name, v)
						}
					}
				}
				if len(query) > 0 {
					at += "?" + query.Encode()
				}
				var body []byte
				kind := ""
				if op.RequestBody != nil {
					for kind = range op.RequestBody.Value.Content {
						break
					}
					if strings.Contains(kind, "json") {
						if body, err = json.Marshal(made(t, r, op.RequestBody.Value.Content[kind].Schema, 0)); err != nil {
							t.Fatal(err)
						}
					} else {
						body = []byte("some bytes")
					}
				}
				name := method + " " + path
				in := httptest.NewRequest(method, at, bytes.NewReader(body))
				if kind != "" {
					in.Header.Set("Content-Type", kind)
				}
				p.tamper = func(r *http.Request) { r.Header.Set("Content-Type", in.Header.Get("Content-Type")) }
				w := p.do(method, at, body)
				asked++
				if w.Code >= 400 && method != http.MethodHead {
					c := code(w)
					codes[c]++
					if want, is := status[c]; !is || want != w.Code || c == "E-INTERNAL" {
						t.Errorf("%s: %d %s for %.300s", name, w.Code, w.Body, body)
					}
				} else if w.Code < 400 {
					answered[name]++
				}
				route, params, err := router.FindRoute(in)
				if err != nil {
					t.Errorf("%s is not in the document: %v", at, err)
					continue
				}
				in.Body = io.NopCloser(bytes.NewReader(body))
				was := &openapi3filter.RequestValidationInput{Request: in, PathParams: params, Route: route,
					Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
				out := &openapi3filter.ResponseValidationInput{RequestValidationInput: was, Status: w.Code, Header: w.Header()}
				out.SetBodyBytes(w.Body.Bytes())
				if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
					t.Errorf("%s: %d is not answered as described: %v", name, w.Code, err)
				}
			}
		}
	}
	t.Logf("%d requests; answered %v, refused %v", asked, answered, codes)
	if asked < 500 || answered["GET "+wire.PathCatalogue] == 0 || answered["GET /healthz"] == 0 {
		t.Errorf("%d requests, answered %v", asked, answered)
	}
	if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}
