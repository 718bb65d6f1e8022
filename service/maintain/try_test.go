package maintain

// Devices that are tried: the cabinet's board and the reader of social-security cards, on the wire.

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/smartcard"
)

// cabinet is a board with a door, opened for one role with one profile.
func cabinet(t *testing.T, role devices.Role, p ioboard.Profile) (*sim.IOBoard, *ioboard.Board) {
	t.Helper()
	s, err := sim.StartIOBoard(sim.IOBoardOptions{Line: sim.LineOptions{Unpaced: true}, Door: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := bus.Parse(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	line, err := bus.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ioboard.Open(t.Context(), ioboard.NewLine(line), role, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return s, b
}

func wired(t *testing.T) ioboard.Profile {
	t.Helper()
	p, err := ioboard.LoadProfile("eight-in-eight-out")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A door is tried by moving it, whichever way, and that it stands open is no fault of its own.
func TestTheDoorsSwitchIsTriedByTheDoor(t *testing.T) {
	m := faultWords(t)
	s, b := cabinet(t, devices.RoleDoor, wired(t))
	for _, c := range []struct {
		closed bool
		en, zh string
	}{{false, "the door's switch changed, now open; tamper: quiet; body: quiet", "门开关有动作，现在开着；防撬：未触发；人体感应：未触发"},
		{true, "the door's switch changed, now closed; tamper: quiet; body: quiet", "门开关有动作，现在关着；防撬：未触发；人体感应：未触发"}} {
		time.AfterFunc(600*time.Millisecond, func() { s.Input(0, c.closed) })
		said, err := Try(t.Context(), b, Trial{})
		if err != nil || m.Say("en", said) != c.en || m.Say("zh", said) != c.zh {
			t.Errorf("%v: %q %q", err, m.Say("en", said), m.Say("zh", said))
		}
	}
	if s.Writes() != 0 {
		t.Error("asking the door switched something")
	}
	// A switch that hangs at no door says the same for ever.
	defer func(d time.Duration) { doorTime = d }(doorTime)
	doorTime = 500 * time.Millisecond
	s.Input(0, false)
	if said, err := Try(t.Context(), b, Trial{}); err == nil || !said.IsZero() || m.Say("zh", Fault(err)) != "门开关一直报“开着”：自检时请把门打开或关上一次" {
		t.Errorf("%v: %q", err, m.Say("zh", Fault(err)))
	}
	if err := s.Fault("unplug", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Try(t.Context(), b, Trial{}); !errors.Is(err, devices.ErrNoDevice) {
		t.Error(err)
	}
}

// A cabinet without a door's switch is asked for what it has; lights are lit one after the other.
func TestABoardIsTriedForWhatItHas(t *testing.T) {
	m := faultWords(t)
	p := wired(t)
	p.Contacts = p.Contacts[1:2] // tamper alone
	s, b := cabinet(t, devices.RoleDoor, p)
	s.Input(1, true)
	if said, err := Try(t.Context(), b, Trial{}); err != nil || m.Say("en", said) != "tamper: tripped; body: not wired" {
		t.Errorf("%v: %q", err, m.Say("en", said))
	}
	p = wired(t)
	p.Lights = p.Lights[:2]
	s, b = cabinet(t, devices.RoleLights, p)
	if said, err := Try(t.Context(), b, Trial{}); err != nil || m.Say("en", said) != "2 lamps were lit, one after the other" || s.Writes() != 4 || s.Coil(0) || s.Coil(1) {
		t.Errorf("%v: %q, %d writes", err, m.Say("en", said), s.Writes())
	}
}

func TestASocialSecurityCardIsTried(t *testing.T) {
	m := faultWords(t)
	s, err := sim.StartSmartCardReader("")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := smartcard.Open(t.Context(), strings.TrimPrefix(s.URI(), "pcsc:"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	card := sim.SampleSocialCard()
	s.Put(&card)
	said, err := Try(t.Context(), r, Trial{})
	if zh := m.Say("zh", said); err != nil || zh != "社保卡，发卡地区 "+card.Region+"，规范 2.00" {
		t.Errorf("%v: %q", err, zh)
	}
	for _, personal := range []string{card.Name, card.Number} {
		if strings.Contains(m.Say("en", said)+m.Say("zh", said), personal) {
			t.Error("somebody is shown")
		}
	}
}

// Only what lies in a mouth is to be taken: a technician who stands before the cabinet is not.
func TestWhatIsNotTaken(t *testing.T) {
	for role, want := range map[devices.Role]string{devices.RoleReceiptPrinter: "tech.state.taken", devices.RoleCardDispenser: "tech.state.taken", devices.RoleCardPrinter: "tech.state.taken",
		devices.RoleIDReader: "tech.state.ok", devices.RoleSmartCard: "tech.state.ok", devices.RoleDoor: "tech.state.ok"} {
		if got, _ := stateOf(devices.Status{Role: role, Connection: devices.ConnectionOnline, Media: devices.MediaPresent}); got.ID != want {
			t.Errorf("%s: %s", role, got.ID)
		}
	}
}
