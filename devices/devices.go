// Package devices says what the terminal's peripherals are for and what each can do.
//
// A [Role] is what a device is for ("id-reader"); a driver (devices/idcard, devices/receipt, …) is a protocol over a bus
// that fills a role; the supervisor (devices/supervisor) keeps every role's device open and hands it out through [Set].
// This package imports no driver and no bus, so services and screens can talk about devices without touching one.
//
// Status words follow XFS4IoT (CEN/XFS) with Unknown and NotSupported beside good and bad: a device that cannot tell says
// so, and nobody guesses on its behalf.
package devices

import (
	"context"
	"errors"
	"time"
)

// A Role is what a device is for. The string is what configuration, logs and the platform use.
type Role string

// The roles of a terminal.
const (
	RoleIDReader        Role = "id-reader"
	RoleReceiptPrinter  Role = "receipt-printer"
	RoleDocumentPrinter Role = "document-printer"
	RoleCardPrinter     Role = "card-printer"
	RoleCardDispenser   Role = "card-dispenser"
	RoleCamera          Role = "camera"
	RoleCodeScanner     Role = "code-scanner"
	RoleSmartCard       Role = "smart-card"
	RoleFingerprint     Role = "fingerprint"
	RoleSignature       Role = "signature"
	RoleSound           Role = "sound"
	RoleLights          Role = "lights"
	RoleDoor            Role = "door"
	RoleUPS             Role = "ups"
	// RoleCardCheck reads the code of a printed card inside the machine, before it is handed out: a code scanner or a camera.
	RoleCardCheck Role = "card-check"
)

// Connection says whether the device itself answers.
type Connection string

// XFS4IoT "device" words, and Starting for a device that the supervisor is opening.
const (
	ConnectionUnknown       Connection = "unknown"
	ConnectionStarting      Connection = "starting"
	ConnectionOnline        Connection = "online"
	ConnectionOffline       Connection = "offline"       // there, but refuses work (printer off line)
	ConnectionNoDevice      Connection = "noDevice"      // not plugged in, or nobody answers
	ConnectionHardwareError Connection = "hardwareError" // broken: a person must look
	ConnectionUserError     Connection = "userError"     // a person can mend it here (cover open)
	ConnectionBusy          Connection = "deviceBusy"
	ConnectionFraud         Connection = "potentialFraud" // other hardware than the one commissioned
)

// Media is what lies at the device's opening: a card on the reader, paper in the printer's mouth.
type Media string

// XFS4IoT media words.
const (
	MediaNotSupported Media = "notSupported"
	MediaUnknown      Media = "unknown"
	MediaPresent      Media = "present"
	MediaNotPresent   Media = "notPresent"
	MediaJammed       Media = "jammed"
	MediaEntering     Media = "entering"
	MediaRetracted    Media = "retracted"
)

// Supply is a consumable's level (paper, toner, ribbon).
type Supply string

// XFS4IoT paper and toner words.
const (
	SupplyNotSupported Supply = "notSupported"
	SupplyUnknown      Supply = "unknown"
	SupplyFull         Supply = "full"
	SupplyLow          Supply = "low"
	SupplyOut          Supply = "out"
	SupplyJammed       Supply = "jammed"
)

// Cover is a lid or a door.
type Cover string

// Cover words.
const (
	CoverNotSupported Cover = "notSupported"
	CoverUnknown      Cover = "unknown"
	CoverClosed       Cover = "closed"
	CoverOpen         Cover = "open"
)

// Status is the truth about one role's device at one moment.
type Status struct {
	Role       Role       `json:"role"`
	Connection Connection `json:"connection"`
	Media      Media      `json:"media"`
	Paper      Supply     `json:"paper"`
	Toner      Supply     `json:"toner"`
	// TonerLeft is how many pieces (faces of a card printer's ribbon) it still prints where the device counts them; 0 where it does not.
	TonerLeft int   `json:"toner_left,omitempty"`
	Cover     Cover `json:"cover"`
	// Reasons are the device's own keywords (IPP printer-state-reasons, "sam-60", "cutter"), ASCII, most serious first.
	Reasons  []string  `json:"reasons,omitempty"`
	Identity Identity  `json:"identity"`
	Since    time.Time `json:"since"` // when this status began
}

// ReasonBinFull is among [Status].Reasons of a dispenser whose retain bin takes no card: what nobody takes would stay in its mouth.
const ReasonBinFull = "retain-bin-full"

// Identity is who the device says it is. Serial is what role mapping trusts; clones lie about the rest.
type Identity struct {
	Maker    string `json:"maker,omitempty"`
	Model    string `json:"model,omitempty"`
	Serial   string `json:"serial,omitempty"` // SAM id, USB serial, printer UUID
	Firmware string `json:"firmware,omitempty"`
}

// Unready is why a device cannot work now: a stable word for messages and reports.
type Unready string

// Reasons of [Status.Unready], in the order in which they are looked for.
const (
	UnreadyNot       Unready = ""          // it can work
	UnreadyNoDevice  Unready = "no-device" // not there or not answering
	UnreadyStarting  Unready = "starting"  // being opened
	UnreadyFraud     Unready = "other-device"
	UnreadyBroken    Unready = "broken"
	UnreadyJammed    Unready = "jammed"
	UnreadyCoverOpen Unready = "cover-open"
	UnreadyPaperOut  Unready = "paper-out"
	UnreadyTonerOut  Unready = "toner-out"
	UnreadyOffline   Unready = "offline"
)

// Unready returns why the device cannot begin new work, or [UnreadyNot]. Low supplies and Unknown do not forbid work.
func (s Status) Unready() Unready {
	switch {
	case s.Connection == ConnectionNoDevice || s.Connection == "":
		return UnreadyNoDevice
	case s.Connection == ConnectionStarting || s.Connection == ConnectionUnknown:
		return UnreadyStarting
	case s.Connection == ConnectionFraud:
		return UnreadyFraud
	case s.Paper == SupplyJammed || s.Media == MediaJammed:
		return UnreadyJammed
	case s.Cover == CoverOpen:
		return UnreadyCoverOpen
	case s.Paper == SupplyOut:
		return UnreadyPaperOut
	case s.Toner == SupplyOut:
		return UnreadyTonerOut
	case s.Connection == ConnectionHardwareError || s.Connection == ConnectionUserError:
		return UnreadyBroken
	case s.Connection == ConnectionOffline:
		return UnreadyOffline
	}
	return UnreadyNot
}

// Errors at the edge of every driver.
var (
	// ErrNoDevice: the device went away (hang-up, unplug) or never answered. The supervisor re-opens it.
	ErrNoDevice = errors.New("device is not there")
	// ErrSilent: the device is connected and did not answer in time.
	ErrSilent = errors.New("device does not answer")
	// ErrProtocol: bytes came that no manual allows, after every resynchronisation was tried.
	ErrProtocol = errors.New("device sent what the protocol does not allow")
	// ErrUnusable: opening again is hopeless until a person acts (self-test failed, wrong kind of device).
	ErrUnusable = errors.New("device cannot be used")
	// ErrBusy: another caller holds the device.
	ErrBusy = errors.New("device is in use")
)

// A Device is an open device. All methods may be called from any goroutine; a driver serialises them.
type Device interface {
	// Probe asks the device how it is. It takes at most a second or two and prints, moves and beeps nothing.
	// It returns [ErrNoDevice] when the device is gone, [ErrSilent] when it does not answer.
	Probe(ctx context.Context) (Status, error)
	// Close lets the bus go. It never blocks for longer than 500 ms.
	Close() error
}

// A Set is the terminal's devices as the supervisor holds them.
type Set interface {
	// Status is the last known status of a role; it never blocks. A role without a configured device has
	// [ConnectionNoDevice].
	Status(Role) Status
	// Use hands out the open device of a role to one caller at a time, until release is called.
	// It returns [ErrBusy] or [ErrNoDevice] at once rather than wait. Probing pauses meanwhile.
	// The caller asserts the role's interface ([IDReader], [ReceiptPrinter], …).
	Use(Role) (dev Device, release func(), err error)
	// Report lets a caller that used a device hand in what it saw, so that the status is true at once.
	Report(Status)
	// Changed is closed at the next change of any status; call again for the one after.
	Changed() <-chan struct{}
}
