package main

// What is plugged into this machine, by names that stay the same.

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/bus/usb"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/devices/scanner"
)

// Kinds of what is found.
const (
	foundSerial = "serial ports"
	foundCamera = "cameras"
	foundUSB    = "usb devices"
	foundHID    = "hid scanners"
)

// found is one port or device. Nothing was opened to find it.
type found struct {
	Kind string `json:"kind"`
	URI  string `json:"uri"`
	Name string `json:"name,omitempty"` // what it says of itself, or where it is now
}

func (f found) String() string {
	if f.Name == "" {
		return f.URI
	}
	return f.URI + "  (" + f.Name + ")"
}

// discover lists serial ports, cameras, USB devices, and scanners that send reports. A port that has a stable name is listed by that.
func discover() (all []found) {
	named := map[string]bool{}
	for _, pattern := range []string{"/dev/serial/by-id/*", "/dev/serial/by-path/*", "/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyS[0-9]"} {
		paths, _ := filepath.Glob(pattern)
		for _, p := range paths {
			target, err := filepath.EvalSymlinks(p)
			switch {
			case err == nil && target != p:
				named[target] = true
				all = append(all, found{foundSerial, "serial:" + p, "now " + target})
			case !named[p]:
				all = append(all, found{foundSerial, "serial:" + p, ""})
			}
		}
	}
	for _, n := range camera.Nodes() {
		all = append(all, found{foundCamera, "v4l2:" + n.Path, n.Name})
	}
	devices, _ := usb.List()
	for _, d := range devices {
		all = append(all, found{foundUSB, identified("usb:"+d.ID(), d.Serial, d.Path), strings.TrimSpace(d.Maker + " " + d.Model)})
	}
	reports, _ := bus.ListHID()
	for _, d := range reports {
		if scanner.IsPOS(d.Descriptor) {
			all = append(all, found{foundHID, identified(fmt.Sprintf("hid:%04x:%04x", d.Vendor, d.Product), d.Serial, d.Port), d.Name})
		}
	}
	return all
}

// identified names one of several devices of a kind, by its serial number where it has one that fits into a URI, else by its port.
func identified(uri, serial, port string) string {
	switch {
	case serial != "" && !strings.ContainsAny(serial, ":?#% "):
		return uri + ":" + serial
	case port != "":
		return uri + "?port=" + port
	}
	return uri
}
