package usb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

// printerDescriptors are a device descriptor and one configuration: a 7/1/2 interface with OUT 1 and IN 2.
func printerDescriptors() []byte {
	return append([]byte{18, 1, 0, 2, 0, 0, 0, 64, 0xE6, 0x0F, 0x1E, 0x81, 0, 1, 1, 2, 3, 1},
		9, 2, 32, 0, 1, 1, 0, 0xC0, 50,
		9, 4, 0, 0, 2, 7, 1, 2, 0,
		7, 5, 1, 2, 64, 0, 0,
		7, 5, 0x82, 2, 64, 0, 0)
}

func TestParse(t *testing.T) {
	all, err := Parse(printerDescriptors())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	i := all[0]
	if !i.printer() || i.Config != 1 || len(i.In) != 1 || i.In[0] != (Endpoint{0x82, 64}) || len(i.Out) != 1 || i.Out[0] != (Endpoint{1, 64}) {
		t.Errorf("%+v", i)
	}
	if _, err := Parse(nil); err == nil {
		t.Error("nothing was accepted")
	}
}

func TestChoose(t *testing.T) {
	pipe := func(class, protocol byte, in bool) Interface {
		i := Interface{Config: 1, Class: class, SubClass: 1, Protocol: protocol, Out: []Endpoint{{1, 64}}}
		if in {
			i.In = []Endpoint{{0x82, 64}}
		}
		return i
	}
	number := func(n int, i Interface) Interface { i.Number = n; return i }
	for _, c := range []struct {
		name string
		all  []Interface
		want int
		got  int // -1 is a refusal
	}{
		{"printer before vendor's", []Interface{pipe(0xFF, 0, true), number(1, pipe(7, 2, true))}, -1, 1},
		{"two ways before one way", []Interface{pipe(7, 1, false), number(1, pipe(7, 2, true))}, -1, 1},
		{"IPP takes no raw bytes", []Interface{pipe(7, 4, true)}, -1, -1},
		{"IPP beside a raw one", []Interface{pipe(7, 4, true), number(3, pipe(7, 2, true))}, -1, 3},
		{"one way vendor's is a guess", []Interface{pipe(0xFF, 0, false)}, -1, -1},
		{"unless it is asked for", []Interface{pipe(0xFF, 0, false)}, 0, 0},
		{"asked for and not there", []Interface{pipe(7, 2, true)}, 5, -1},
		{"number beyond usbfs", []Interface{number(40, pipe(7, 2, true))}, -1, -1},
	} {
		i, err := choose(c.all, 1, c.want)
		if c.got < 0 {
			if !errors.Is(err, devices.ErrUnusable) {
				t.Errorf("%s: %+v, %v", c.name, i, err)
			}
		} else if err != nil || i.Number != c.got {
			t.Errorf("%s: interface %d, %v", c.name, i.Number, err)
		}
	}
}

func FuzzParseDescriptors(f *testing.F) {
	f.Add(printerDescriptors())
	two := printerDescriptors()
	two[18+9+9+7+2] = 1 // both pipes the same
	f.Add(two)
	f.Add([]byte{18, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := Parse(b)
		if err != nil {
			return
		}
		for _, i := range all {
			for _, e := range append(i.In, i.Out...) {
				if e.Packet < 1 || e.Packet > 1024 || e.Address&0x0F == 0 {
					t.Errorf("endpoint %+v", e)
				}
			}
		}
		_, _ = choose(all, 0, -1)
	})
}

// tree makes a sysfs of devices, "name" to attributes.
func tree(t *testing.T, all map[string]map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, attributes := range all {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for a, v := range attributes {
			if err := os.WriteFile(filepath.Join(dir, name, a), []byte(v), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := root
	root = dir
	t.Cleanup(func() { root = old })
}

func device(id, serial, number string) map[string]string {
	v, p, _ := strings.Cut(id, ":")
	return map[string]string{"idVendor": v + "\n", "idProduct": p + "\n", "serial": serial + "\n", "busnum": "1\n", "devnum": number + "\n",
		"bDeviceClass": "00\n", "bConfigurationValue": "1\n", "product": " Head \x07 \n", "descriptors": string(printerDescriptors())}
}

func TestFind(t *testing.T) {
	hub := device("1d6b:0002", "x", "1")
	hub["bDeviceClass"] = "09\n"
	going := device("0fe6:811e", "GOING", "9")
	delete(going, "devnum")
	tree(t, map[string]map[string]string{
		"usb1": hub, "1-0:1.0": {}, "1-2": device("0fe6:811e", "A", "2"), "1-3.1": device("0fe6:811e", "B", "3"),
		"1-4": hub, "1-5": device("0400:c35a", "", "5"), "1-6": going, "1-7": {},
	})
	all, err := List()
	if err != nil || len(all) != 3 || all[0].Path != "1-2" || all[0].Model != "Head" || all[0].ID() != "0fe6:811e" {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, c := range []struct {
		uri, path string
		err       error
	}{
		{"usb:0fe6:811e:A", "1-2", nil},
		{"usb:0FE6:811E?port=1-3.1", "1-3.1", nil},
		{"usb:0fe6:811e:A?port=1-3.1", "", devices.ErrNoDevice},
		{"usb:0fe6:811e", "", ErrAmbiguous},
		{"usb:0400:c35a", "1-5", nil},
		{"usb:0400:c35a:X", "", devices.ErrNoDevice},
		{"usb:1d6b:0002", "", devices.ErrNoDevice},
	} {
		u, err := bus.Parse(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		i, err := Find(u.USB)
		if i.Path != c.path || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.uri, i.Path, err)
		}
		if there := !errors.Is(c.err, devices.ErrNoDevice); Present(u.USB) != there {
			t.Errorf("%s: present %v", c.uri, !there)
		}
	}
	quirks()[[2]uint16{0x0fe6, 0x811e}] = Quirks{NoSerial: true}
	defer delete(quirks(), [2]uint16{0x0fe6, 0x811e})
	u, _ := bus.Parse("usb:0fe6:811e:A")
	if _, err := Find(u.USB); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("a serial number that lies was believed: %v", err)
	}
}

func TestAKernelWithoutUSB(t *testing.T) {
	old := root
	root = filepath.Join(t.TempDir(), "none")
	defer func() { root = old }()
	if all, err := List(); all != nil || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	u, _ := bus.Parse("usb:0fe6:811e")
	if Present(u.USB) {
		t.Error("present")
	}
}

func TestAttributesAreBounded(t *testing.T) {
	d := device("0fe6:811e", strings.Repeat("9", 100_000), "2")
	d["descriptors"] = strings.Repeat("\x00", 1<<20)
	tree(t, map[string]map[string]string{"1-2": d})
	all, err := List()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if len(all[0].Serial) > maxName || len(all[0].Descriptors) > maxDescriptors {
		t.Errorf("%d, %d", len(all[0].Serial), len(all[0].Descriptors))
	}
}

func TestQuirksAreReadAndRefused(t *testing.T) {
	if q := quirksOf(0x04B8, 0x0202); !q.Printer {
		t.Errorf("%+v", q)
	}
	if q := quirksOf(0x0416, 0x5011); !q.NoSetInterface {
		t.Errorf("%+v", q)
	}
	for _, bad := range []string{
		"[[device]]\nmodel = \"04b8\"\nnote = \"x\"", "[[device]]\nmodel = \"04b8:0202\"",
		"[[device]]\nmodel = \"04b8:0202\"\nnote = \"x\"\nfast = true",
		"[[device]]\nmodel = \"04b8:0202\"\nnote = \"x\"\n[[device]]\nmodel = \"04B8:0202\"\nnote = \"y\"",
	} {
		if all, err := parseQuirks(bad); err == nil {
			t.Errorf("accepted: %v", all)
		}
	}
}

func TestWhichMessagesCount(t *testing.T) {
	m := func(s string) []byte { return []byte(strings.ReplaceAll(s, "|", "\x00")) }
	for s, want := range map[string]bool{
		"add@/devices/x|ACTION=add|SUBSYSTEM=usb|DEVTYPE=usb_device|": true,
		"remove@/devices/x|ACTION=remove|DEVTYPE=usb_device|":         true,
		"add@/devices/x|ACTION=add|DEVTYPE=usb_interface|":            false,
		"change@/devices/x|ACTION=change|DEVTYPE=usb_device|":         false,
		"add@/devices/x|DEVTYPE=usb_device_of_another_kind|":          false,
		"":                            false,
		"libudev|DEVTYPE=usb_device|": false,
	} {
		if ours(m(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
