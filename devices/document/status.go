// What a printer says of itself, in the words of package devices.

package document

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// printer-state (RFC 8011 section 5.4.11).
const (
	printerIdle       = 3
	printerProcessing = 4
	printerStopped    = 5
)

// reporting are the attributes that say how the printer is; describing adds what it is and can do.
var (
	reporting = []string{
		"printer-state", "printer-state-reasons", "printer-is-accepting-jobs", "queued-job-count", "media-ready",
		"marker-levels", "marker-types", "printer-supply", "printer-uuid", "printer-make-and-model", "printer-device-id",
		"printer-firmware-string-version", "cups-version", "printer-type",
	}
	describing = append(slices.Clone(reporting),
		"ipp-versions-supported", "operations-supported", "document-format-supported", "which-jobs-supported",
		"media-supported", "copies-supported", "sides-supported", "print-scaling-supported")
)

// What printer-state-reasons mean (RFC 8011 section 5.4.12, PWG 5100.9), by keyword without its suffix: printers disagree
// about whether an empty tray is an error, a warning or a report.
var (
	reasonsJammed   = words("media-jam")
	reasonsPaperOut = words("media-empty", "media-needed", "input-tray-missing", "input-cannot-feed-size-selected")
	reasonsPaperLow = words("media-low")
	reasonsTonerOut = words("toner-empty", "marker-supply-empty", "marker-supply-missing", "developer-empty", "cartridge-missing",
		"toner-missing", "ink-empty", "opc-life-over")
	reasonsTonerLow  = words("toner-low", "marker-supply-low", "developer-low", "opc-near-eol", "ink-low")
	reasonsCoverOpen = words("cover-open", "door-open", "interlock-open")
	// A person can mend these on the spot.
	reasonsUser = words("output-area-full", "output-tray-missing", "marker-waste-full", "marker-waste-receptacle-full",
		"wrap-media-path-cannot-duplex-media-selected")
	// The printer refuses for the time being.
	reasonsOffline = words("paused", "moving-to-paused", "shutdown", "deactivated", "stopping", "stopped-partly", "spool-area-full",
		"connecting-to-device", "timed-out", "hibernate", "testing", "hold-new-jobs")
	// Only a technician helps.
	reasonsBroken = words("fuser-over-temp", "fuser-under-temp", "bander-unrecoverable-failure", "power-down", "unknown-unrecoverable",
		"marker-unrecoverable-failure", "subunit-unrecoverable-failure", "printer-nms-reset", "interpreter-resource-unavailable")
)

func words(w ...string) map[string]bool {
	set := make(map[string]bool, len(w))
	for _, x := range w {
		set[x] = true
	}
	return set
}

// severities order reasons and are cut from them before their meaning is looked up.
var severities = []string{"-error", "-warning", "-report"}

// splitReason parts a reason into keyword and severity, 0 being the worst.
func splitReason(r string) (keyword string, severity int) {
	for i, s := range severities {
		if k, ok := strings.CutSuffix(r, s); ok {
			return k, i
		}
	}
	return r, 0 // RFC 8011: a reason without suffix is an error
}

// statusOf reads the printer's attributes.
func (p *Printer) statusOf(a attributes) devices.Status {
	st := devices.Status{
		Role:       p.role,
		Connection: devices.ConnectionOnline,
		Media:      devices.MediaNotSupported,
		Paper:      devices.SupplyUnknown,
		Toner:      devices.SupplyUnknown,
		Cover:      devices.CoverUnknown,
		Reasons:    reasonsOf(a.strings("printer-state-reasons")),
		Identity:   identityOf(a),
	}
	if ready := a.strings("media-ready"); len(ready) > 0 {
		st.Paper = devices.SupplyFull
		if !slices.Contains(ready, p.opt.Media) && !p.opt.AnyTray {
			st.Paper = devices.SupplyOut
			st.Reasons = append(st.Reasons, p.opt.Media+"-not-ready")
		}
	}
	if markersFilled(a) {
		st.Toner = devices.SupplyFull
	}
	cards := p.role == devices.RoleCardPrinter
	if cards {
		r := ribbonOf(a)
		st.Media, st.Paper, st.Toner, st.TonerLeft = exitOf(a), worse(st.Paper, hopperOf(a)), r.supply, max(0, r.left)
	}
	stopped := a.int("printer-state", printerIdle) == printerStopped
	explained := st.Paper == devices.SupplyOut
	for _, r := range st.Reasons {
		k, _ := splitReason(r)
		known := true
		switch {
		case cards && k == "output-area-full": // a card waits to be taken; that is no fault
			st.Media = devices.MediaPresent
		case reasonsJammed[k]:
			st.Paper = devices.SupplyJammed
		case reasonsPaperOut[k]:
			st.Paper = worse(st.Paper, devices.SupplyOut)
		case reasonsPaperLow[k]:
			st.Paper = worse(st.Paper, devices.SupplyLow)
		case reasonsTonerOut[k]:
			st.Toner = worse(st.Toner, devices.SupplyOut)
		case reasonsTonerLow[k]:
			st.Toner = worse(st.Toner, devices.SupplyLow)
		case reasonsCoverOpen[k]:
			st.Cover = devices.CoverOpen
		case reasonsBroken[k]:
			st.Connection = devices.ConnectionHardwareError
		case reasonsUser[k] && st.Connection != devices.ConnectionHardwareError:
			st.Connection = devices.ConnectionUserError
		case reasonsOffline[k] && st.Connection == devices.ConnectionOnline:
			st.Connection = devices.ConnectionOffline
		default:
			known = false
		}
		explained = explained || known
	}
	switch {
	case st.Connection != devices.ConnectionOnline:
	case stopped && !explained && len(st.Reasons) > 0:
		st.Connection = devices.ConnectionHardwareError // it stopped over something we have no word for
	case stopped && !explained:
		st.Connection = devices.ConnectionOffline
	case a.isFalse("printer-is-accepting-jobs"):
		st.Connection = devices.ConnectionOffline
	case a.int("printer-state", printerIdle) == printerProcessing:
		st.Connection = devices.ConnectionBusy
	}
	if a.isFalse("printer-is-accepting-jobs") {
		st.Reasons = append(st.Reasons, "not-accepting-jobs")
	}
	if isQueue(a) {
		st.Reasons = append(st.Reasons, "cups-queue")
	}
	return st
}

// worse returns the more serious of two supply levels.
func worse(a, b devices.Supply) devices.Supply {
	order := []devices.Supply{devices.SupplyNotSupported, devices.SupplyUnknown, devices.SupplyFull, devices.SupplyLow,
		devices.SupplyOut, devices.SupplyJammed}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// maxReasons bounds what a status carries.
const maxReasons = 16

// reasonsOf cleans and orders the printer's keywords, worst first.
func reasonsOf(raw []string) []string {
	var out []string
	for _, r := range raw {
		r = ascii(r, 64)
		if r == "" || r == "none" || slices.Contains(out, r) {
			continue
		}
		out = append(out, r)
		if len(out) == maxReasons {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		_, sa := splitReason(a)
		_, sb := splitReason(b)
		return sa - sb
	})
	return out
}

// ascii keeps at most limit printable ASCII characters of a foreign string.
func ascii(s string, limit int) string {
	b := make([]byte, 0, min(len(s), limit))
	for i := 0; i < len(s) && len(b) < limit; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// label keeps a foreign name fit for a list: valid UTF-8, no control characters, at most 127 bytes.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	for len(s) > 127 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// markersFilled says whether the printer gives a level for its toner or ink at all, waste containers aside
// (marker-levels: CUPS's extension; printer-supply: PWG 5100.13; -1…-3 mean that it does not know).
func markersFilled(a attributes) bool {
	kinds := a.strings("marker-types")
	for i, n := range a.ints("marker-levels") {
		if i < len(kinds) && strings.Contains(kinds[i], "waste") {
			continue
		}
		if n > 0 {
			return true
		}
	}
	for _, s := range a.strings("printer-supply") {
		if !strings.Contains(s, "class=supplyThatIsConsumed") {
			continue
		}
		for field := range strings.SplitSeq(s, ";") {
			if level, ok := strings.CutPrefix(field, "level="); ok && level != "" && level[0] != '-' && level != "0" {
				return true
			}
		}
	}
	return false
}

// identityOf reads maker, model and serial number. The printer's UUID counts as its serial number; the IEEE 1284 device
// id ("MFG:…;MDL:…;SN:…;") helps where it is missing.
func identityOf(a attributes) devices.Identity {
	id := devices.Identity{
		Serial:   label(strings.TrimPrefix(a.string("printer-uuid"), "urn:uuid:")),
		Firmware: label(a.string("printer-firmware-string-version")),
	}
	for field := range strings.SplitSeq(a.string("printer-device-id"), ";") {
		key, value, _ := strings.Cut(field, ":")
		switch strings.TrimSpace(key) {
		case "MFG", "MANUFACTURER":
			id.Maker = label(value)
		case "MDL", "MODEL":
			id.Model = label(value)
		case "SN", "SERN":
			if id.Serial == "" {
				id.Serial = label(value)
			}
		}
	}
	if name := label(a.string("printer-make-and-model")); id.Model == "" {
		id.Model = name
	}
	return id
}

// isQueue says whether the answer comes from a CUPS scheduler: only that names its version, and only its queues have
// CUPS's printer-type bits.
func isQueue(a attributes) bool {
	return a.has("cups-version") || len(a.ints("printer-type")) > 0
}

// wrongSubstitution says whether an answer admits that something which changes the paper was not honoured.
func wrongSubstitution(m *goipp.Message) string {
	for _, x := range m.Unsupported {
		switch x.Name {
		case "copies", "sides", "media", "print-scaling", "document-format":
			return x.Name
		}
	}
	return ""
}
