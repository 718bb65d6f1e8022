package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// A SocialCard is what a social-security card (社会保障卡) tells without keys. It is personal data: it formats, logs and marshals as
// "[social card]" only; use the fields deliberately, and Wipe it at the end of the visit. A field that the card does not have or
// protects is empty and stands in Missing.
type SocialCard struct {
	ID         string    // 卡识别码, 32 hexadecimal digits; the first six are the region that issued it
	Class      string    // 卡的类别
	Version    string    // 规范版本
	Issuer     string    // 初始化机构编号, hexadecimal
	Issued     time.Time // 发卡日期
	Expires    time.Time // 卡有效期
	CardNumber string    // 卡号
	Number     string    // 社会保障号码
	Name       string    // 姓名
	Sex        byte      // GB/T 2261.1: '0' unknown, '1' male, '2' female, '9' unspecified; 0 when missing
	Nation     string    // GB/T 3304, two digits
	Birthplace string    // GB/T 2260, six digits
	Birth      time.Time // 出生日期
	// Missing are the names of what could not be had, with why: "name protected", "nation missing", "birth unreadable".
	Missing []string
	// Warnings are contradictions: "check-digit", "birth", "sex", "expired".
	Warnings []string
}

// String hides everything.
func (SocialCard) String() string { return "[social card]" }

// GoString hides everything.
func (SocialCard) GoString() string { return "[social card]" }

// Format hides everything, whatever the verb.
func (SocialCard) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[social card]")) }

// LogValue hides everything.
func (SocialCard) LogValue() slog.Value { return slog.StringValue("[social card]") }

// MarshalJSON refuses: personal data goes through the journal's sealed values, field by field.
func (SocialCard) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a social card is not marshalled whole")
}

// Wipe drops everything.
func (c *SocialCard) Wipe() {
	if c != nil {
		*c = SocialCard{}
	}
}

// A SocialCardReader reads the public fields of social-security cards.
type SocialCardReader interface {
	Device
	// Read waits until a card is in the reader and reads it. It returns ctx's error when ctx ends, [ErrNotIDCard] for another kind of
	// card, [ErrCardUnreadable] when the card was pulled or does not answer. on, which may be nil, is called from Read's goroutine.
	// Nothing is written to the card, and no secret is tried.
	Read(ctx context.Context, on func(ReadEvent)) (*SocialCard, error)
	// Present asks once whether a card is in the reader.
	Present(ctx context.Context) (Media, error)
}
