package script_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
)

func TestScript(t *testing.T) {
	c := script.New(
		script.On("attract", script.Next()),
		script.Maybe("home", script.Item("A")),
		script.On("form", script.Fill("phone", "1")),
	)
	ctx, stop := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	c.Done = func() { stop(why) }
	if a, err := c.Ask(ctx, service.Attract{}); err != nil || a != (service.Next{}) {
		t.Fatal(a, err)
	}
	a, err := c.Ask(ctx, service.Form{Fields: []service.Field{{ID: "phone"}, {ID: "note", Value: "kept"}}})
	if f, ok := a.(service.Filled); err != nil || !ok || f.Values["phone"] != "1" || f.Values["note"] != "kept" {
		t.Fatal(a, err)
	}
	c.Tell(service.Ended{})
	if _, err := c.Ask(ctx, service.Home{}); !errors.Is(err, why) {
		t.Errorf("after the last line: %v, expected the context's cause", err)
	}
	if got := c.Seen(); !slices.Equal(got, []string{"attract", "form", "ended", "home"}) {
		t.Errorf("seen %v", got)
	}
}

func TestOffScript(t *testing.T) {
	c := script.New(script.On("attract", script.Next()))
	if _, err := c.Ask(t.Context(), service.Home{}); !errors.Is(err, script.ErrOffScript) {
		t.Errorf("error %v", err)
	}
	c = script.New(script.On("form", script.Fill("nothing", "1")))
	if _, err := c.Ask(t.Context(), service.Form{}); err == nil {
		t.Error("a field that is not there was filled")
	}
}
