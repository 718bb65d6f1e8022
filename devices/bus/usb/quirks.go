package usb

// What is known of single models, as data.

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed quirks.toml
var quirksFile string

// Quirks of one model. The zero value is a device that does what the standards say.
type Quirks struct {
	Model string `toml:"model"` // vendor and product, "0416:5011"
	Note  string `toml:"note"`  // what it is, and who says so
	// NoSerial: all units have the same serial number, or a new one at each start; only the port tells them apart.
	NoSerial bool `toml:"no_serial"`
	// Printer: it takes a printer's class requests although its interface is of another class.
	Printer bool `toml:"printer"`
	// NoSetInterface: it dies of the request that selects a setting of an interface, so it stays in the first one.
	NoSetInterface bool `toml:"no_set_interface"`
	// PacketReads reads packet by packet: it ends no transfer of whole packets with an empty one.
	PacketReads bool `toml:"packet_reads"`
}

var quirks = sync.OnceValue(func() map[[2]uint16]Quirks {
	all, err := parseQuirks(quirksFile)
	if err != nil {
		panic(err) // built in, and a test reads it
	}
	return all
})

func quirksOf(vendor, product uint16) Quirks { return quirks()[[2]uint16{vendor, product}] }

func parseQuirks(text string) (map[[2]uint16]Quirks, error) {
	var file struct {
		Device []Quirks `toml:"device"`
	}
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, fmt.Errorf("usb: quirks: %w", err)
	}
	all := map[[2]uint16]Quirks{}
	for _, q := range file.Device {
		v, p, ok := strings.Cut(q.Model, ":")
		vendor, verr := strconv.ParseUint(v, 16, 16)
		product, perr := strconv.ParseUint(p, 16, 16)
		switch key := [2]uint16{uint16(vendor), uint16(product)}; {
		case !ok || verr != nil || perr != nil:
			return nil, fmt.Errorf("usb: quirks: model %q is not two hex numbers", q.Model)
		case q.Note == "":
			return nil, fmt.Errorf("usb: quirks: %s has no note", q.Model)
		case all[key].Model != "":
			return nil, fmt.Errorf("usb: quirks: %s is there twice", q.Model)
		default:
			all[key] = q
		}
	}
	return all, nil
}
