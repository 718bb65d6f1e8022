package fingerprint

// What a module's confirmation codes mean. R503's manual, libdriver's AS608 (04, 05, 10 to 18), pyfingerprint.

import (
	"fmt"

	"github.com/budayang/kiosk/devices"
)

// Codes that the driver acts on.
const (
	codeOK          = 0x00
	codeBadPacket   = 0x01
	codeNoFinger    = 0x02
	codeNotTaken    = 0x03
	codeDry         = 0x04
	codeWet         = 0x05
	codeDisorder    = 0x06
	codeFewFeatures = 0x07
	codePassword    = 0x13 // AS608's source calls it an unknown command as well
	codeNoImage     = 0x15
	codeVerifyFirst = 0x21
	codeSensor      = 0x29
	codeUnknown     = 0xFC
	codeHardware    = 0xFD
)

// meanings in plain words, for the technician. They name nobody.
var meanings = map[byte]string{
	codeBadPacket: "the module received a damaged packet", codeNoFinger: "no finger on the sensor", codeNotTaken: "the finger could not be taken",
	codeDry: "the finger is too dry", codeWet: "the finger is too wet", codeDisorder: "the picture is too disordered",
	codeFewFeatures: "too few features, or too small a picture", 0x08: "fingers do not match", 0x09: "no such finger is stored",
	0x0A: "features cannot be combined", 0x0B: "page beyond the store", 0x0C: "stored template cannot be read", 0x0D: "template cannot be sent",
	0x0E: "the module cannot receive what follows", 0x0F: "the picture cannot be sent", 0x10: "template cannot be deleted", 0x11: "store cannot be emptied",
	0x12: "cannot go to low power", codePassword: "wrong password", 0x14: "reset failed", codeNoImage: "there is no valid picture",
	0x16: "update failed", 0x17: "a finger still lies there, or it did not move", 0x18: "flash cannot be written", 0x19: "undefined error",
	0x1A: "no such register", 0x1B: "the register does not take this", 0x1C: "no such note page", 0x1D: "port does not obey", 0x1E: "enrolling failed",
	0x1F: "store is full", 0x20: "wrong address", codeVerifyFirst: "the password must be given first", 0x22: "template is empty", 0x24: "store is empty",
	0x26: "time is over", 0x27: "finger is stored already", codeSensor: "the sensor is broken", codeUnknown: "unknown command",
	codeHardware: "the module is broken", 0xFE: "the command failed",
}

// A refusal is a confirmation code other than 00.
type refusal struct {
	command string
	code    byte
}

func (r refusal) Error() string {
	m := meanings[r.code]
	if m == "" {
		m = "a code that no manual lists"
	}
	return fmt.Sprintf("%s: code %02X, %s", r.command, r.code, m)
}

// Unwrap gives the word that a caller acts on.
func (r refusal) Unwrap() error {
	switch r.code {
	case codeDry:
		return devices.ErrFingerDry
	case codeWet:
		return devices.ErrFingerWet
	case codeNotTaken, codeDisorder:
		return devices.ErrFingerBlur
	case codeFewFeatures, codeNoImage:
		return devices.ErrFingerSmall
	case codePassword, codeVerifyFirst, codeSensor, codeHardware:
		return devices.ErrUnusable
	}
	return devices.ErrProtocol
}
