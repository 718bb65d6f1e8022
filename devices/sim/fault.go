package sim

// Faults: what can be wrong with a device, by name, while it runs.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A FaultInfo describes one fault.
type FaultInfo struct {
	Name string `json:"name"`
	// Value says what the number means, "" for a fault without one.
	Value   string `json:"value,omitempty"`
	Default int    `json:"default,omitempty"`
	About   string `json:"about"`
	max     int
}

// Device names on a [Bench]; they are the roles' words.
const (
	DeviceIDReader        = "id-reader"
	DeviceReceiptPrinter  = "receipt-printer"
	DeviceDocumentPrinter = "document-printer"
)

// Names of small devices that stand by themselves, beside the bench.
const (
	DeviceCodeScanner = "code-scanner"
	DeviceUPS         = "ups"
	DeviceCamera      = "camera"
)

// Devices are the names of all devices.
func Devices() []string {
	return []string{DeviceIDReader, DeviceReceiptPrinter, DeviceDocumentPrinter, DeviceCardPrinter, DeviceIOBoard}
}

// Faults lists the faults of a device.
func Faults(device string) ([]FaultInfo, error) {
	switch device {
	case DeviceIDReader:
		return slices.Clone(readerFaults), nil
	case DeviceReceiptPrinter:
		return slices.Clone(receiptFaults), nil
	case DeviceCodeScanner, DeviceUPS:
		return slices.Clone(plainFaults), nil
	case DeviceSmartCard:
		return slices.Clone(smartCardFaults), nil
	case DeviceIOBoard:
		return slices.Clone(ioBoardFaults), nil
	case DeviceCamera:
		return slices.Clone(cameraFaults), nil
	case DeviceDocumentPrinter:
		return slices.Clone(documentFaults), nil
	case DeviceCardPrinter:
		return slices.Clone(cardPrinterFaults), nil
	case DeviceHIDScanner:
		return slices.Clone(hidScannerFaults), nil
	case DeviceCardDispenser:
		return slices.Clone(dispenserFaults), nil
	case DeviceFingerSensor:
		return slices.Clone(fingerFaults), nil
	}
	return nil, fmt.Errorf("%w: device %q; there are %s", ErrUnknown, device, strings.Join(Devices(), ", "))
}

// faults is the set that is on. A value of 0 where a fault counts down means: until it is cleared.
type faults struct {
	known []FaultInfo

	mu sync.Mutex
	on map[string]int
}

func newFaults(known []FaultInfo) *faults { return &faults{known: known, on: map[string]int{}} }

// parse checks a name and its value.
func (f *faults) parse(name, value string) (int, error) {
	i := slices.IndexFunc(f.known, func(k FaultInfo) bool { return k.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("%w: fault %q; there are %s", ErrUnknown, name, list(f.known, func(k FaultInfo) string { return k.Name }))
	}
	k := f.known[i]
	if value == "" {
		return k.Default, nil
	}
	if k.Value == "" {
		return 0, fmt.Errorf("%w: fault %q takes no value", ErrValue, name)
	}
	n, err := strconv.Atoi(value)
	if limit := max(k.max, k.Default); err != nil || n < 0 || (limit > 0 && n > limit) {
		return 0, fmt.Errorf("%w: fault %q takes %s, a number from 0 to %d", ErrValue, name, k.Value, limit)
	}
	return n, nil
}

func (f *faults) set(name string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on[name] = n
}

// clear mends one fault, or all for "".
func (f *faults) clear(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name == "" {
		clear(f.on)
		return
	}
	delete(f.on, name)
}

func (f *faults) has(name string) bool {
	_, on := f.value(name)
	return on
}

func (f *faults) value(name string) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, on := f.on[name]
	return n, on
}

// once reports whether the fault strikes this time, counting a limited one down.
func (f *faults) once(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, on := f.on[name]
	switch {
	case !on:
		return false
	case n == 1:
		delete(f.on, name)
	case n > 1:
		f.on[name] = n - 1
	}
	return true
}

// names are the faults that are on, in alphabetical order.
func (f *faults) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]string, 0, len(f.on))
	for n := range f.on {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

func list[T any](all []T, name func(T) string) string {
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = name(x)
	}
	return strings.Join(names, ", ")
}
