package main

// Devices: what is plugged in gets its role, by serial number or port, and is tried.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/card"
	"github.com/budayang/kiosk/devices/fingerprint"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

// roleOrder is the order of the page: what most terminals have comes first.
var roleOrder = []devices.Role{devices.RoleIDReader, devices.RoleReceiptPrinter, devices.RoleDocumentPrinter, devices.RoleCamera, devices.RoleCodeScanner, devices.RoleCardDispenser, devices.RoleCardPrinter, devices.RoleCardCheck, devices.RoleSmartCard, devices.RoleFingerprint, devices.RoleDoor,
	devices.RoleLights, devices.RoleUPS, devices.RoleSound}

// bauds are usual speeds of serial lines, by driver.
var bauds = map[string]int{"sam": 115200, "escpos": 115200, "code": 115200, "megatec": 2400, "card": 9600, "modbus": 9600, "grow": 57600}

// profilesOf are the profiles that a driver knows for a device at an address, none where it needs none.
func profilesOf(driver, uri string) []string {
	switch driver {
	case "escpos":
		return receipt.Profiles()
	case "code":
		return scanner.ProfilesFor(strings.HasPrefix(uri, bus.HIDRaw+":"))
	case "card":
		return card.Profiles()
	case "grow":
		return fingerprint.Profiles()
	case "modbus":
		return append(ioboard.Profiles(), ownFile)
	}
	return nil
}

// askDevices shows every role and what fills it.
func (f *flow) askDevices(ctx context.Context) (done service.Text, err error) {
	for {
		p := maintain.Panel{Page: provisioning, ID: "devices", Title: service.T("prov.step.devices"), Hint: service.T("prov.step.devices.hint"), Next: maintain.Button{ID: "next", Label: service.T("prov.accept")}}
		for _, r := range roleOrder {
			row := maintain.Row{ID: string(r), Label: service.T("tech.role." + string(r)), Pill: service.T("prov.devices.none"), Action: service.T("prov.devices.map")}
			if d, mapped := f.draft.Config.Device[r]; mapped {
				row.Detail = service.T("prov.said.device", "uri", d.URI, "serial", d.Serial).With("test", f.Tests[r])
				row.Pill, row.Grade = service.T("tech.grade.ok"), maintain.GradeOK
				if f.Tests[r].IsZero() {
					row.Pill, row.Grade = service.T("prov.devices.untried"), maintain.GradeWarn
				}
			}
			p.Rows = append(p.Rows, row)
		}
		id, err := f.panel(ctx, p)
		if err != nil {
			return done, err
		}
		if id == "next" {
			if err := f.check("device."); err != nil {
				return done, err
			}
			n := len(f.draft.Config.Device)
			if n == 0 {
				return done, saying("prov.one-device")
			}
			return service.T("prov.said.devices", "count", strconv.Itoa(n)), nil
		}
		err = f.mapDevice(ctx, devices.Role(id))
		if err != nil && !errors.Is(err, service.ErrBack) && !errors.Is(err, service.ErrTimedOut) {
			if ctx.Err() != nil {
				return done, ctx.Err()
			}
			if err := f.tell(ctx, service.T("tech.role."+id), maintain.GradeBad, service.T("prov.devices.failed").With("why", faultOf(err)).With("mend", mendDevice(devices.Role(id), err))); err != nil {
				return done, err
			}
		}
		if err := f.save(); err != nil {
			return done, err
		}
	}
}

// Choices beside what was found.
const (
	byHand  = "by-hand"
	nothing = "nothing"
	ownFile = "own"
)

// mapDevice gives a role its device and tries it.
func (f *flow) mapDevice(ctx context.Context, role devices.Role) error {
	title := service.T("tech.role." + string(role))
	drivers := config.Drivers[role]
	if len(drivers) == 0 {
		return fmt.Errorf("%w: %q is no role", service.ErrAnswer, role)
	}
	d := config.Device{Driver: drivers[0]}
	if len(drivers) > 1 {
		var err error
		if d.Driver, err = f.choose(ctx, title, service.T("prov.devices.driver"), drivers, plainText); err != nil {
			return err
		}
	}
	ids, name := f.candidates(d.Driver)
	uri, err := f.choose(ctx, title, service.T("prov.devices.which"), append(ids, byHand, nothing), func(id string) service.Text {
		if id == byHand || id == nothing {
			return service.T("prov.devices." + id)
		}
		return plainText(name[id])
	})
	if err != nil {
		return err
	}
	switch uri {
	case nothing:
		delete(f.draft.Config.Device, role)
		delete(f.Tests, role)
		return nil
	case byHand:
		v, err := f.form(ctx, "devices", service.Field{ID: "uri", Kind: service.FieldText, Required: true, Value: f.draft.Config.Device[role].URI})
		if err != nil {
			return err
		}
		uri = v["uri"]
	}
	d.URI = uri
	if all := profilesOf(d.Driver, d.URI); len(all) > 0 {
		if d.Profile, err = f.choose(ctx, title, service.T("prov.devices.profile"), all, func(id string) service.Text {
			if id == ownFile {
				return service.T("prov.devices.own")
			}
			return plainText(id)
		}); err != nil {
			return err
		}
		if d.Profile == ownFile {
			v, err := f.form(ctx, "devices", service.Field{ID: "profile", Kind: service.FieldText, Required: true, Value: f.draft.Config.Device[role].Profile})
			if err != nil {
				return err
			}
			d.Profile = v["profile"]
		}
	}
	if role == devices.RoleDocumentPrinter {
		d.Media = "iso_a4_210x297mm"
	}
	f.draft.Config.Device[role] = d
	delete(f.Tests, role)
	if err := f.check("device." + string(role)); err != nil {
		delete(f.draft.Config.Device, role)
		return err
	}
	return f.tryDevice(ctx, role)
}

// candidates are what was found that a driver could speak with, by URI, and what each is called on the page.
func (f *flow) candidates(driver string) (ids []string, name map[string]string) {
	name = map[string]string{}
	add := func(uri, called string) {
		if len(ids) < 40 && !slices.Contains(ids, uri) {
			ids = append(ids, uri)
			name[uri] = called
		}
	}
	if baud := bauds[driver]; baud > 0 {
		ports, _ := filepath.Glob(filepath.Join(f.SerialDir, "*"))
		for _, p := range ports {
			add(fmt.Sprintf("serial:%s?baud=%d", p, baud), filepath.Base(p))
		}
		if f.SerialDir == "/dev/serial/by-id" {
			for _, x := range discover() {
				if path, serial := strings.CutPrefix(x.URI, "serial:"); serial {
					add(fmt.Sprintf("serial:%s?baud=%d", path, baud), strings.TrimPrefix(path, "/dev/"))
				}
			}
		}
	}
	if driver == "alsa" {
		add("alsa:default", "default")
		for _, card := range soundCards("/proc/asound/cards") {
			add("alsa:plughw:CARD="+card, card)
		}
	}
	switch driver {
	case "social":
		add("pcsc:/run/pcscd/pcscd.comm", "pcscd")
	case "nut":
		add("tcp:127.0.0.1:3493", "upsd")
	}
	for _, x := range discover() {
		if driver == "sam" && strings.HasPrefix(x.URI, "usb:0400:c35a") || driver == "escpos" && strings.HasPrefix(x.URI, "usb:") || driver == "video" && strings.HasPrefix(x.URI, "v4l2:") || driver == "code" && x.Kind == foundHID {
			add(x.URI, strings.TrimSpace(x.Name+" "+x.URI))
		}
	}
	return ids, name
}

// soundCards are the kernel's sound cards by their short names, as " 0 [PCH            ]: HDA-Intel - …" has them.
func soundCards(list string) (names []string) {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil
	}
	for _, m := range soundCard.FindAllStringSubmatch(string(b), 32) {
		names = append(names, m[1])
	}
	return names
}

var soundCard = regexp.MustCompile(`(?m)^ *[0-9]+ \[([A-Za-z0-9_]{1,16}) *\]:`)

// tryDevice opens a device, keeps who it is, and tries it.
func (f *flow) tryDevice(ctx context.Context, role devices.Role) error {
	title := service.T("tech.role." + string(role))
	c := f.draft.Config
	var said service.Text
	err := f.busy(ctx, title, maintain.TryHint(role), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		dev, err := openDevice(ctx, c, role)
		if err != nil {
			return err
		}
		defer dev.Close()
		st, err := dev.Probe(ctx)
		if err != nil {
			return err
		}
		d := c.Device[role]
		d.Serial = st.Identity.Serial
		f.draft.Config.Device[role] = d
		said, err = maintain.Try(ctx, dev, maintain.Trial{Page: func() ([]byte, error) { return testPage(c) }, Slip: testSlip(c)})
		return err
	})
	if err != nil {
		return err
	}
	f.Tests[role] = said
	return f.tell(ctx, title, maintain.GradeOK, said)
}
