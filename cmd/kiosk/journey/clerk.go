//go:build !release

package journey

// A member of staff at the platform's page for proofs: on duty, called to the terminal.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Clerk is somebody who may be called.
type Clerk struct {
	*browser
	name string
}

// NewClerk signs somebody in.
func (w *World) NewClerk(ctx context.Context, name string) (*Clerk, error) {
	b, err := w.signIn(ctx, name)
	return &Clerk{b, name}, err
}

// OnDuty begins a duty at a site. It lasts while the page is open.
func (c *Clerk) OnDuty(ctx context.Context, site string) error {
	_, err := c.send(ctx, "/proofs/duty", http.StatusOK, "act", "on", "site", site, "hours", "1")
	return err
}

// LooksOn keeps the page open as its script does, until ctx ends.
func (c *Clerk) LooksOn(ctx context.Context) {
	for sleep(ctx, 3*time.Second) == nil {
		_, _ = c.page(ctx, "/proofs.json")
	}
}

// Vouch answers the call of a terminal with the number that stands on its screen; a number that does not confirms nobody.
func (c *Clerk) Vouch(ctx context.Context, terminal, number string) error {
	page, err := c.page(ctx, "/proofs")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`data-call="([0-9a-f]+)"><td class="long">` + regexp.QuoteMeta(terminal) + `<`).FindStringSubmatch(page)
	if m == nil {
		return fmt.Errorf("no call of %s on the page", terminal)
	}
	if regexp.MustCompile(`[>"\s]` + number + `[<"\s]`).MatchString(page) {
		return errors.New("the number of the screen stands on the page")
	}
	other := "0000"
	if number == other {
		other = "0001"
	}
	say := func(number string, want int) error {
		_, err := c.send(ctx, "/proofs/"+m[1], want, "act", "confirm", "number", number, "document", "resident", "saw", "yes", "same", "yes")
		return err
	}
	if err := say(other, http.StatusBadRequest); err != nil {
		return fmt.Errorf("another number: %w", err)
	}
	return say(number, http.StatusOK)
}

// ApprovesNot says that this clerk cannot approve the one application that waits, and is named on its page as who vouched.
func (c *Clerk) ApprovesNot(ctx context.Context) error {
	list, err := c.page(ctx, "/cards")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`href="/cards/([0-9A-Za-z-]{8,64})"`).FindStringSubmatch(list)
	if m == nil {
		return errors.New("no application waits")
	}
	page, err := c.page(ctx, "/cards/"+m[1])
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`id="proved"[^>]*>[^<]*现场核验[^<]* · ` + regexp.QuoteMeta(c.name)).MatchString(page) {
		return errors.New("the reviewer's page does not say who vouched")
	}
	_, err = c.send(ctx, "/cards/"+m[1]+"/decide", http.StatusBadRequest, "act", "approve", "rev", "1")
	return err
}
