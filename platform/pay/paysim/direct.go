package paysim

// The wire without a socket, for tests that need many thousand calls.

import (
	"errors"
	"net/http"
	"net/http/httptest"
)

// Direct carries requests to a handler in the same process, byte for byte as a socket would; a handler that cuts the connection
// is an error to the caller.
type Direct struct{ Handler http.Handler }

// RoundTrip carries one request.
func (d Direct) RoundTrip(r *http.Request) (res *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, not an error chain
				panic(p)
			}
			res, err = nil, errors.New("connection cut")
		}
	}()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	d.Handler.ServeHTTP(w, in)
	return w.Result(), nil
}
