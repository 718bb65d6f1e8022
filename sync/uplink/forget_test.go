package uplink_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// TestNoConnectionOfAVisitOutlivesIt: what is asked for a person goes over connections of its own, which end with the visit; the
// others stay.
func TestNoConnectionOfAVisitOutlivesIt(t *testing.T) {
	var mu sync.Mutex
	over, ended := map[string]string{}, map[string]chan struct{}{} // path → its last connection; connection → closed when it ended
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		over[r.URL.Path] = r.RemoteAddr
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(c net.Conn, st http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch a := c.RemoteAddr().String(); st {
		case http.StateNew:
			ended[a] = make(chan struct{})
		case http.StateClosed:
			close(ended[a])
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	client := newClient(t, s)
	asked := func() (visit, other string) {
		t.Helper()
		ctx := t.Context()
		_, _ = client.SendCode(ctx, wire.CodeRequest{})
		_, _ = client.Face(ctx, wire.FaceCheck{})
		_, _ = client.Permit(ctx, "key", "TID", "blank")
		_, _ = client.Query(ctx, "social", wire.Query{})
		_, _ = client.Catalogue(ctx)
		mu.Lock()
		defer mu.Unlock()
		visit, other = over[wire.PathCode], over[wire.PathCatalogue]
		for _, path := range []string{wire.PathFaces, wire.PathCards + "/key/permit", wire.PathQuery + "social"} {
			if over[path] != visit {
				t.Errorf("%s went over %q, expected %q", path, over[path], visit)
			}
		}
		return visit, other
	}
	visit, other := asked()
	if visit == "" || visit == other {
		t.Fatalf("the visit's connection is %q, the other %q", visit, other)
	}
	client.Forget()
	mu.Lock()
	end := ended[visit]
	mu.Unlock()
	select {
	case <-end:
	case <-time.After(20 * time.Second):
		t.Fatal("the visit's connection is still there")
	}
	next, still := asked()
	if next == visit || next == other || still != other {
		t.Errorf("the next visit's connection is %q, after %q; the other %q, after %q", next, visit, still, other)
	}
}
