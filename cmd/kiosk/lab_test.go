//go:build lab && !release

package main

// The certificate journey with ID reader and receipt printer on USB, below them libusb and the kernel's own host controller.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/test/lab"
)

func TestLabCertificateJourney(t *testing.T) {
	lab.Inside(t)
	for name, split := range map[string]bool{"four pipes": true, "two pipes": false} {
		t.Run(name, func(t *testing.T) {
			h := hallWith(t, journey.WorldOptions{ReaderUSB: &sim.USBOptions{Split: split, Port: 1}, ReceiptUSB: &sim.USBOptions{Serial: "P-1", Port: 2}})
			for role, uri := range h.Props.URIs() {
				t.Logf("%s on %s", role, uri)
			}
			// A first slip begins with 6176 bytes that fill up what an earlier program may have left of a picture; in the middle of
			// the 600 that follow the plug is pulled.
			const cut = "6550"
			// The first citizen's slip is cut short by a pulled plug, which is put back later. The second one's is whole.
			var code string
			// An emulated machine is slow: the citizen may have to wait where nobody else does.
			visit := func(atReview func()) []script.Line {
				return slices.Concat(arrive("SB-P"), []script.Line{
					script.On("consent", script.Next()),
					script.On("identify", script.Then(h.putCard, script.Wait())),
					script.Maybe("wait", script.Wait()),
					script.On("verify", h.code),
					script.Maybe("wait", script.Wait()),
					script.On("form", script.Fill("purpose", "school")),
					script.On("review", script.Then(atReview, script.Next())),
					script.Maybe("wait", script.Wait()),
				})
			}
			c := script.New(slices.Concat(visit(func() { h.must(h.Props.Fault("receipt-printer", "unplug-mid-job", cut)) }), []script.Line{
				script.On("trouble", script.Then(func() {
					st, err := h.Props.State()
					if err != nil || st.Receipt.Plugged {
						t.Errorf("the printer is plugged in: %v", err)
					}
					time.Sleep(time.Second)
					h.must(h.Props.Clear("receipt-printer"))
				}, script.Next())),
				h.thanks(), // there is no slip to take
			}, gone(), visit(func() {}), []script.Line{h.paper(), h.thanks()}, gone())...)
			s := h.play(c)
			defer s.end()
			cases, err := s.journal.Cases(nil)
			if err != nil || len(cases) != 2 {
				t.Fatalf("%d cases, %v", len(cases), err)
			}
			for _, k := range cases {
				if k.State != journal.Closed {
					t.Errorf("case %s is %s", k.ReceiptCode, k.State)
				}
			}
			h.settled(s)
			var total journey.Totals
			h.Count(&total)
			if total.Certificates != 2 {
				t.Errorf("%d certificates", total.Certificates)
			}
			slices.SortFunc(cases, func(a, b journal.Case) int { return strings.Compare(a.ReceiptCode, b.ReceiptCode) })
			code = cases[0].ReceiptCode
			st, err := h.Props.State()
			if err != nil || len(st.Slips) == 0 {
				t.Fatal(err)
			}
			for _, p := range st.Slips {
				t.Logf("slip %d: %d dots: %q", p.N, p.Length, p.Text)
			}
			t.Logf("printed %d, taken %d, taken back %d", st.Receipt.Printed, st.Receipt.Taken, st.Receipt.Retracted)
			if len(st.Slips) != 2 {
				t.Errorf("%d pieces of paper, expected the one that was cut short and a whole one", len(st.Slips))
			}
			last := st.Slips[len(st.Slips)-1].Text
			if strings.Contains(last, code) || !strings.Contains(last, cases[1].ReceiptCode) {
				t.Errorf("the second citizen's slip is not the second citizen's: %d slips", len(st.Slips))
			}
		})
	}
}
