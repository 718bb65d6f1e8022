package platform

// Pictures that come with an application: a JPEG photo and a PNG of ink. Both are decoded once, within bounds, before anything is
// kept: what a reviewer's browser and a printer get is what it says it is.

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

// Bounds of pictures.
const (
	photoBytes   = 64 << 10
	photoW       = 358 // pixels, GA 461-2004
	photoH       = 441
	inkBytes     = 64 << 10
	inkMost      = 4096    // pixels of a side
	inkArea      = 1 << 22 // pixels
	faceBytes    = 256 << 10
	facePixels   = 12 << 20
	inkLeast     = 20 // dark pixels of a signature
	markJPEG     = "\xff\xd8\xff"
	markJPEGEnd  = "\xff\xd9"
	markJPEGScan = "\xff\xda" // neither is within a scan: a 0xff there is followed by 0 or by a restart's mark
	markPNGEnd   = "IEND\xaeB`\x82"
	inkDarkUnder = 0x8000
)

var errNotPicture = errors.New("not a picture of the right kind and size")

// checkPhoto takes exactly one whole JPEG of 358 × 441 in colour or grey, with nothing behind it.
func checkPhoto(b []byte) error {
	if len(b) > photoBytes || !bytes.HasPrefix(b, []byte(markJPEG)) || !bytes.HasSuffix(b, []byte(markJPEGEnd)) {
		return errNotPicture
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width != photoW || c.Height != photoH || c.ColorModel == color.CMYKModel {
		return errNotPicture
	}
	r := bytes.NewReader(b)
	if _, err := jpeg.Decode(r); err != nil {
		return errNotPicture
	}
	return nil
}

// checkFace takes a JPEG that a camera might have made, and that came whole: what a camera left behind its end is no fault, and no
// picture is taken apart here but its head. One that was cut short would cost the person a try.
func checkFace(b []byte) error {
	scan := bytes.LastIndex(b, []byte(markJPEGScan))
	if len(b) > faceBytes || !bytes.HasPrefix(b, []byte(markJPEG)) || scan < 0 || bytes.LastIndex(b, []byte(markJPEGEnd)) < scan {
		return errNotPicture
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width < 64 || c.Height < 64 || c.Width*c.Height > facePixels {
		return errNotPicture
	}
	return nil
}

// checkInk takes exactly one whole PNG with ink on it.
func checkInk(b []byte) error {
	if len(b) > inkBytes || !bytes.HasSuffix(b, []byte(markPNGEnd)) {
		return errNotPicture
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > inkMost || c.Height > inkMost || c.Width*c.Height > inkArea {
		return errNotPicture
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil || !inked(m) {
		return errNotPicture
	}
	return nil
}

// inked says whether something is drawn: dark pixels that are not transparent.
func inked(m image.Image) bool {
	n, r := 0, m.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := m.At(x, y)
			if _, _, _, a := c.RGBA(); a < inkDarkUnder {
				continue
			}
			if color.Gray16Model.Convert(c).(color.Gray16).Y < inkDarkUnder {
				if n++; n >= inkLeast {
					return true
				}
			}
		}
	}
	return false
}
