package main

// What is plugged into this machine, by names that stay the same.

import (
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/devices/bus/usb"
	"github.com/budayang/kiosk/devices/camera"
)

// Kinds of what is found.
const (
	foundSerial = "serial ports"
	foundCamera = "cameras"
	foundUSB    = "usb devices"
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

// discover lists serial ports, cameras and USB devices. A port that has a stable name is listed by that.
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
		uri := "usb:" + d.ID()
		if d.Serial != "" && !strings.ContainsAny(d.Serial, ":?#% ") {
			uri += ":" + d.Serial
		} else {
			uri += "?port=" + d.Path
		}
		all = append(all, found{foundUSB, uri, strings.TrimSpace(d.Maker + " " + d.Model)})
	}
	return all
}
