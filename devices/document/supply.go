// What a card printer says of ribbon, hopper and exit. CUPS's marker attributes give percent; PWG 5100.13 gives the
// Printer MIB's rows (RFC 3805) as text, "key=value;" each:
//
//	printer-supply       type=inkRibbon;maxcapacity=250;level=57;class=supplyThatIsConsumed;unit=impressions;
//	printer-input-tray   type=sheetFeedAutoNonRemovableTray;maxcapacity=100;level=42;unit=sheets;
//	printer-output-tray  type=unRemovableBin;maxcapacity=1;remaining=0;unit=sheets;
//
// A level of -1 means no limit, -2 unknown, -3 that there is something left.

package document

import (
	"strconv"
	"strings"

	"github.com/budayang/kiosk/devices"
)

// lowPercent of a supply is low where the printer does not say what it calls low.
const lowPercent = 10

// mostRows of a table are read.
const mostRows = 64

// A row is one line of a table, its keys in lower case.
type row map[string]string

// rowsOf reads a table. What is not "key=value" is left out.
func rowsOf(texts []string) []row {
	var all []row
	for _, t := range texts[:min(len(texts), mostRows)] {
		r := row{}
		for field := range strings.SplitSeq(t[:min(len(t), 1024)], ";") {
			if k, v, ok := strings.Cut(field, "="); ok {
				r[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
		all = append(all, r)
	}
	return all
}

// number is a value of the row, or missing when it is not a number of up to nine digits.
func (r row) number(key string, missing int) int {
	n, err := strconv.Atoi(r[key])
	if err != nil || n < -3 || n > 999_999_999 {
		return missing
	}
	return n
}

// counted says whether the row counts pieces, not percent or metres.
func (r row) counted() bool {
	switch strings.ToLower(r["unit"]) {
	case "impressions", "sheets", "items":
		return true
	}
	return false
}

// A ribbon is the scarcest of a printer's ribbons.
type ribbon struct {
	supply devices.Supply
	left   int // faces, -1 when not known
}

// isRibbon says whether a marker's or supply's type is what a card printer consumes beside cards: a ribbon, or a film that is
// laid over. Spellings differ ("inkRibbon", "ink-ribbon", "ribbonWax").
func isRibbon(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.Contains(kind, "ribbon") || strings.Contains(kind, "film")
}

// ribbonOf reads the ribbon's level: printer-supply counts faces, marker-levels gives percent.
func ribbonOf(a attributes) ribbon {
	out := ribbon{devices.SupplyUnknown, -1}
	take := func(level, low, left int) {
		switch {
		case level == 0:
			out.supply = devices.SupplyOut
		case level > 0 && level <= low:
			out.supply = worse(out.supply, devices.SupplyLow)
		case level > 0 || level == -1 || level == -3:
			out.supply = worse(out.supply, devices.SupplyFull)
		}
		if left >= 0 && (out.left < 0 || left < out.left) {
			out.left = left
		}
	}
	for _, r := range rowsOf(a.strings("printer-supply")) {
		if !isRibbon(r["type"]) || !strings.EqualFold(r["class"], "supplyThatIsConsumed") {
			continue
		}
		level, of, left := r.number("level", -2), r.number("maxcapacity", -2), -1
		if r.counted() {
			left = level
		}
		low := 0
		if of > 0 {
			low = of * lowPercent / 100
		}
		take(level, low, left)
	}
	kinds, lows := a.strings("marker-types"), a.ints("marker-low-levels")
	for i, level := range a.ints("marker-levels") {
		if i >= len(kinds) || !isRibbon(kinds[i]) || i >= mostRows {
			continue
		}
		low := lowPercent
		if i < len(lows) && lows[i] >= 0 && lows[i] <= 100 {
			low = lows[i]
		}
		take(level, low, -1)
	}
	return out
}

// hopperLeft is how many blanks the printer says are in its hoppers, -1 when it does not count them.
func hopperLeft(a attributes) int {
	sum := -1
	for _, r := range rowsOf(a.strings("printer-input-tray")) {
		if level := r.number("level", -2); level >= 0 && (r["unit"] == "" || r.counted()) {
			sum = max(sum, 0) + level
		}
	}
	return sum
}

// hopperOf is the level of the hopper as the counters have it.
func hopperOf(a attributes) devices.Supply {
	switch left := hopperLeft(a); {
	case left < 0:
		return devices.SupplyUnknown
	case left == 0:
		return devices.SupplyOut
	case left <= 2:
		return devices.SupplyLow
	}
	return devices.SupplyFull
}

// exitOf says whether a card lies at an exit.
func exitOf(a attributes) devices.Media {
	seen := devices.MediaNotSupported
	for _, r := range rowsOf(a.strings("printer-output-tray")) {
		of, remaining := r.number("maxcapacity", -2), r.number("remaining", -2)
		switch {
		case of <= 0 || remaining < 0:
		case remaining < of:
			return devices.MediaPresent
		default:
			seen = devices.MediaNotPresent
		}
	}
	return seen
}
