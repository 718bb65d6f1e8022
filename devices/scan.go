package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// MaxCode is the longest code a scanner hands out, in bytes: the largest QR code holds 7,089 digits.
const MaxCode = 8 << 10

// A Code is what a scanner read. Health and social-security codes are personal data: it formats, logs and marshals as
// "[code]" only; use Data deliberately and Wipe it.
type Code struct{ Data []byte }

// Format hides everything, whatever the verb.
func (Code) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[code]")) }

// LogValue hides everything.
func (Code) LogValue() slog.Value { return slog.StringValue("[code]") }

// MarshalJSON refuses: what a code says goes through the journal's sealed values.
func (Code) MarshalJSON() ([]byte, error) { return nil, errors.New("a code is not marshalled whole") }

// Wipe zeroes the code.
func (c *Code) Wipe() {
	clear(c.Data)
	c.Data = nil
}

// Errors of [CodeScanner.Scan] beside [ErrNoDevice]. After each the person may show the code again.
var (
	// ErrCodeTooLong: more came without an end than [MaxCode], or than the profile allows; it was thrown away.
	ErrCodeTooLong = errors.New("code is too long")
	// ErrCodeUnreadable: what came is no whole code (cut off, control characters, wrong character set).
	ErrCodeUnreadable = errors.New("code cannot be read")
)

// A CodeScanner reads bar codes and QR codes.
type CodeScanner interface {
	Device
	// Scan begins to look and returns the first code shown after that; what was shown before never counts, it may be
	// another person's. It returns ctx's error when ctx ends, and the device looks no more then.
	Scan(ctx context.Context) (Code, error)
}
