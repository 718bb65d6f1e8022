// Whether an item can succeed now, and if not, why: asked before anything moves.

package service

import (
	"context"
	"maps"
	"reflect"
	"time"

	"github.com/budayang/kiosk/devices"
)

// hindered names what keeps a role's device from working; the zero Text when nothing does.
func hindered(s Scene, role devices.Role) Text {
	return deviceWhy(role, s.Devices.Status(role).Unready())
}

// deviceWhy words a device's reason. Every pair of role and reason has its own message, because a sentence is not built
// from parts.
func deviceWhy(role devices.Role, why devices.Unready) Text {
	if why == devices.UnreadyNot {
		return Text{}
	}
	return T("svc.why." + string(role) + "." + string(why))
}

// onlineWhy says what keeps an item from the platform.
func onlineWhy(s Scene) Text {
	switch s.Link {
	case LinkDown:
		return T("svc.why.link-down")
	case LinkUnknown:
		return T("svc.why.link-unknown")
	}
	why, down := s.Catalogue.Unavailable[s.Item.Code]
	switch {
	case !down:
		return Text{}
	case why.IsZero():
		return T("svc.why.backend-down")
	}
	return why
}

// Ready tells whether an item can succeed now, and why not.
func (e *Engine) Ready(it *Item) (bool, Text) {
	s := e.scene(it)
	if !it.Hours.Open(s.Now) {
		if it.Hours.From == it.Hours.To {
			return false, T("svc.why.not-today")
		}
		return false, T("svc.why.hours", "from", clock(it.Hours.From), "to", clock(it.Hours.To))
	}
	for _, n := range it.Steps {
		if kinds[n.Kind].commits && s.Full {
			return false, T("svc.why.full")
		}
		if kinds[n.Kind].commits && s.OnBattery {
			return false, T("svc.why.battery")
		}
		if why := n.Step.Ready(s); !why.IsZero() {
			return false, why
		}
	}
	return true, Text{}
}

func (e *Engine) scene(it *Item) Scene {
	var queues []Queue
	if e.cfg.Hall != nil {
		queues = e.cfg.Hall.Known()
	}
	return Scene{
		Queues: queues,
		Item:   it, Now: e.now(), Link: e.cfg.Platform.Link(), Catalogue: e.cfg.Platform.Catalogue(),
		Devices: e.cfg.Devices, Full: e.cfg.Journal.Full(), OnBattery: e.cfg.OnBattery != nil && e.cfg.OnBattery(), Pays: e.cfg.Cashier != nil,
		Stock: func(kind string) uint64 {
			b, err := e.cfg.Journal.StockBalance(kind)
			if err != nil {
				return 0 // nothing is promised that cannot be counted
			}
			return b.Remaining
		},
		InDoubt: func(kind string) uint64 {
			b, err := e.cfg.Journal.StockBalance(kind)
			if err != nil {
				return 1
			}
			return b.InDoubt
		},
		Locked: func(kind string) bool {
			d, err := DriftOf(e.cfg.Journal, kind)
			return err != nil || d.Locked
		},
		Office: e.cfg.Office != nil, CardCheck: e.cfg.CardCheck, ClockUnsure: e.cfg.Journal.ClockUnsure(),
	}
}

// Tiles are the items with the truth about whether they work now.
func (e *Engine) Tiles() []Tile {
	items := e.Items()
	tiles := make([]Tile, 0, len(items))
	for _, it := range items {
		if !e.here(it) {
			continue
		}
		ok, why := e.Ready(it)
		tiles = append(tiles, Tile{
			Code: it.Code, Zone: it.Zone, Icon: it.Icon, Name: it.Name.Text(), Hint: it.Hint.Text(),
			Ready: ok, Why: why, Offline: it.Offline != OfflineNone,
		})
	}
	return tiles
}

// here says whether this place can have an item at all.
func (e *Engine) here(it *Item) bool {
	for _, n := range it.Steps {
		if p, is := n.Step.(placed); is && !p.here(e.scene(it)) {
			return false
		}
	}
	return true
}

// Changed is closed at the next moment at which the tiles may have changed: a device, the link, the catalogue, or the
// clock passing into or out of an item's hours. It moves while the engine serves. Take it before Tiles, so that no change
// is missed.
func (e *Engine) Changed() <-chan struct{} {
	e.changeMu.Lock()
	defer e.changeMu.Unlock()
	return e.change
}

// watch turns the changes of devices, platform and clock into one, until ctx ends.
func (e *Engine) watch(ctx context.Context) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		dev, plat := e.cfg.Devices.Changed(), e.cfg.Platform.Changed()
		var hall <-chan struct{} // nil never comes
		if e.cfg.Hall != nil {
			hall = e.cfg.Hall.News()
		}
		e.announce()
		select {
		case <-dev:
		case <-plat:
		case <-hall:
		case <-minute.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) announce() {
	e.changeMu.Lock()
	defer e.changeMu.Unlock()
	close(e.change)
	e.change = make(chan struct{})
}

// sameTiles compares what is shown.
func sameTiles(a, b []Tile) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Ready != b[i].Ready || a[i].Code != b[i].Code || a[i].Why.ID != b[i].Why.ID ||
			!maps.Equal(a[i].Why.Args, b[i].Why.Args) || !maps.Equal(a[i].Why.Words, b[i].Why.Words) {
			return false
		}
	}
	return true
}

func sameNotices(a, b []Text) bool { return reflect.DeepEqual(a, b) }
