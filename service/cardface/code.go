package cardface

// The code of a printed card, read back from a picture of it.

import (
	"errors"
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// ErrNoCode: no code can be read in the picture.
var ErrNoCode = errors.New("no code can be read")

// Bounds of what is read: a picture of a camera, and a text that we would print.
const (
	mostSeen = 4096 // pixels, each side
	mostCode = 512  // bytes
)

// ReadCode reads the QR code in a picture of a card, whichever way it lies. [ErrNoCode] when there is none, or it cannot be read. The
// card shows a person: what the reader makes of the picture is wiped.
func ReadCode(m image.Image) (text string, err error) {
	if b := m.Bounds(); b.Dx() < 21 || b.Dy() < 21 || b.Dx() > mostSeen || b.Dy() > mostSeen {
		return "", fmt.Errorf("picture of %d x %d: %w", b.Dx(), b.Dy(), ErrNoCode)
	}
	defer func() {
		if p := recover(); p != nil { // a picture is foreign data, and the reader indexes by what it found in it
			text, err = "", fmt.Errorf("%w: %v", ErrNoCode, p)
		}
	}()
	light := gozxing.NewLuminanceSourceFromImage(m)
	defer clear(light.GetMatrix()) // the whole copy, not another one
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	for _, b := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(light), gozxing.NewGlobalHistgramBinarizer(light)} {
		bitmap, err := gozxing.NewBinaryBitmap(b)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoCode, err)
		}
		if bits, err := bitmap.GetBlackMatrix(); err == nil {
			defer bits.Clear()
		}
		if res, err := qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil && len(res.GetText()) <= mostCode {
			return res.GetText(), nil
		}
	}
	return "", ErrNoCode
}
