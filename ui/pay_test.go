package ui

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/service"
)

func TestPaying(t *testing.T) {
	t.Run("the page waits as long as the code, and counts", func(t *testing.T) {
		h := newHand(t, portrait)
		p := named(t, "pay").(service.Pay)
		h.ask(p)
		if s := h.expiry.Text; !strings.Contains(s, "4:38") {
			t.Errorf("it says %q", s)
		}
		h.wait(90 * time.Second)
		if got := h.got(); got != nil || h.warning {
			t.Errorf("it did not wait: %v, warning %v", got, h.warning)
		}
		if s := h.expiry.Text; !strings.Contains(s, "3:08") {
			t.Errorf("after 90 s it says %q", s)
		}
		h.wait(time.Hour)
		if s := h.expiry.Text; !strings.Contains(s, "0:00") {
			t.Errorf("after its end it says %q", s)
		}
	})
	t.Run("has paid", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "pay"))
		h.tap("next")
		if got := h.got(); got != (service.Next{}) {
			t.Errorf("answer %#v", got)
		}
	})
	t.Run("does not want to", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "pay"))
		h.tap("cancel")
		if got := h.got(); got != (service.Cancelled{}) {
			t.Errorf("answer %#v", got)
		}
	})
	t.Run("chooses a channel", func(t *testing.T) {
		for _, panel := range panels {
			h := newHand(t, panel)
			p := named(t, "pay-ways").(service.Pay)
			h.ask(p)
			if h.lastPage.over {
				t.Errorf("%dx%d: something does not fit", panel.Width, panel.Height)
			}
			if code := scanned(t, h); code != p.QR {
				t.Errorf("%dx%d: %q", panel.Width, panel.Height, code)
			}
			h.tap("way.wechat")
			if got := h.got(); got != (service.Chosen{ID: "wechat"}) {
				t.Errorf("answer %#v", got)
			}
		}
	})
	t.Run("while it is being confirmed nobody can pay again", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "pay-confirming"))
		if h.find("next") != nil || h.find("cancel") == nil {
			t.Error("other buttons than cancel")
		}
		if code := scanned(t, h); code != "" {
			t.Errorf("the code %q can be scanned", code)
		}
		h.wait(time.Minute)
	})
}

// A phone reads the code off the screen, whatever panel, language and size.
func TestTheCodeOfABillCanBeScanned(t *testing.T) {
	if underRace {
		t.Skip("pictures of many sizes")
	}
	for _, panel := range panels {
		for _, large := range []bool{false, true} {
			h := newHand(t, panel)
			p := named(t, "pay").(service.Pay)
			if large {
				set := h.set
				set.large = true
				h.apply(set)
			}
			h.ask(p)
			if code := scanned(t, h); code != p.QR {
				t.Errorf("%dx%d large=%v: %q", panel.Width, panel.Height, large, code)
			}
		}
	}
}

func scanned(t *testing.T, h *hand) string {
	t.Helper()
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("no zbarimg: deploy/setup/install.sh test")
	}
	path := filepath.Join(t.TempDir(), "screen.png")
	save(t, path, h.opt.Window.Canvas().Capture())
	out, err := exec.Command(zbar, "-q", "--raw", path).Output()
	if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 4) { // 4: nothing found
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
