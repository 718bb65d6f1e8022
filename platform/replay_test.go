package platform

import (
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// The very same request does what it asks for once, whichever it is and however many come at the same moment.
func TestARequestIsSeenOnce(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	id := uuid.NewString()
	batch := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: moment}))
	for _, x := range []struct {
		name, method, path string
		in                 any
	}{
		{"hello", "POST", wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1}},
		{"push", "POST", wire.PathPush, batch},
		{"refill", "POST", wire.PathRefill, batch},
		{"telemetry", "POST", wire.PathTelemetry, samples(p, 1, 1)},
		{"renew", "POST", wire.PathRenew, wire.Renew{Keys: p.keys()}},
		{"catalogue", "GET", wire.PathCatalogue, nil},
		{"pull", "GET", wire.PathPull + "?after=0&wait=0", nil},
		{"blob", "PUT", wire.PathBlobs + wire.Hash{1}.String(), []byte("x")},
		{"query", "POST", wire.PathQuery + "sb-info", wire.Query{}},
		{"lease", "POST", wire.PathLeases, wire.LeaseRequest{}},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := p.request(x.method, x.path, bytesOf(t, x.in))
			var wg sync.WaitGroup
			codes := make([]string, 6)
			for i := range codes {
				again := r.Clone(t.Context())
				again.Body = reader(bytesOf(t, x.in))
				wg.Go(func() {
					w := httptest.NewRecorder()
					s.Handler().ServeHTTP(w, again)
					codes[i] = code(w)
				})
			}
			wg.Wait()
			seen := 0
			for _, c := range codes {
				if c != "E-REPLAY" {
					seen++
				}
			}
			if seen != 1 {
				t.Errorf("done %d times: %q", seen, codes)
			}
		})
	}
}
