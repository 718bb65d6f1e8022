package pages

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// windows are those of the site at which the tests' terminals stand.
var windows = platform.QueueConfig{
	Businesses: []platform.Business{{Code: "household", Letter: "A", Name: map[string]string{"zh": "户籍业务", "en": "Household registration"}, Items: []string{"TID"}}},
	Windows:    []platform.Window{{Site: "s", Name: "3", Businesses: []string{"household"}}, {Site: "s", Name: "4", Businesses: []string{"household"}}},
}

// numbers are taken at a terminal.
func numbers(t *testing.T, client *uplink.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := client.Ticket(t.Context(), wire.TicketRequest{Key: fmt.Sprintf("visit-%04d", i), Business: "household", Reason: wire.CardExcluded}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTwoWindowsCallFromTheirPages: nobody is called twice, a stale page and another site's form call nobody, and a page shows what others did.
func TestTwoWindowsCallFromTheirPages(t *testing.T) {
	tools(t)
	dir := t.TempDir()
	s, base := city(t, dir, platform.Config{Queue: windows})
	client, code := terminal(t, s, base, dir, "990000-0002")
	defer client.Close()
	if err := client.Enroll(t.Context(), "s", "n", code); err != nil {
		t.Fatal(err)
	}
	numbers(t, client, 5)
	saw := drive(t, "queue.mjs", base)
	for what, want := range map[string]any{
		"first": []any{"A001", "A002"}, "waiting": []any{"A002", "A003", "A004", "A005"}, "another site": float64(401), "came after all": "A001",
		"anew": true, "figures": []any{"2", "3", "2", "0"}, "too wide": []any{},
	} {
		if got := saw[what]; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: %v, expected %v", what, got, want)
		}
	}
	for what, want := range map[string]string{"nobody": "Nobody is at the window", "done": "Nobody is at the window", "stale": "somebody else decided meanwhile"} {
		if got := fmt.Sprint(saw[what]...); !strings.Contains(got, want) {
			t.Errorf("%s: %q", what, got)
		}
	}
}
