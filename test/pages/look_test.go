package pages

import (
	"testing"

	"github.com/budayang/kiosk/platform"
)

// TestEveryPageFitsASmallScreen: nothing on any page is wider than a screen of 1280 × 800, nothing to press is lower than 32, and no act
// is chosen before somebody chose it.
func TestEveryPageFitsASmallScreen(t *testing.T) {
	tools(t)
	dir, phone := t.TempDir(), &pocket{}
	s, base := city(t, dir, platform.Config{SMS: phone, Register: register{}, Queue: windows})
	applications(t, s, base, dir, phone)
	doubtful(t, s, base, dir)
	client, code := terminal(t, s, base, dir, "990000-0004")
	defer client.Close()
	if err := client.Enroll(t.Context(), "s", "n", code); err != nil {
		t.Fatal(err)
	}
	numbers(t, client, 3)
	saw := drive(t, "look.mjs", base)
	if len(saw["looked"]) != 13 {
		t.Errorf("looked at %v", saw["looked"])
	}
	for _, what := range []string{"too wide", "too low", "chosen before"} {
		for _, is := range saw[what] {
			t.Errorf("%s: %v", what, is)
		}
	}
}
