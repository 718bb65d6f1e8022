package camera

// JPEG as cameras send it: looked at before it is decoded, given the Huffman tables that motion JPEG leaves out.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// Bounds of a picture. Above them nothing is decoded.
const (
	maxSide   = 8192     // pixels
	maxPixels = 16 << 20 // width times height
	maxBytes  = 8 << 20  // of one compressed or raw picture
)

// errPicture: a picture that cannot be shown. The stream goes on without it.
var errPicture = errors.New("no picture")

// JPEG markers (ITU-T T.81, table B.1).
const (
	mSOF0, mSOF1, mDHT     = 0xC0, 0xC1, 0xC4
	mRST0, mRST7           = 0xD0, 0xD7
	mSOI, mEOI, mSOS, mTEM = 0xD8, 0xD9, 0xDA, 0x01
)

// layout is what the header of a JPEG says, and where its parts lie.
type layout struct {
	width, height int
	tables        bool // it has Huffman tables of its own
	scan          int  // offset of the SOS marker
	end           int  // offset behind the EOI marker, or behind everything when there is none
	ended         bool // there is an EOI marker
}

// survey walks the markers of the JPEG at the beginning of b and decodes nothing. Only baseline and extended sequential
// pictures of 8 bits in one scan are taken (motion JPEG has no others): a progressive picture costs many times its size.
func survey(b []byte) (l layout, err error) {
	if len(b) < 4 || b[0] != 0xFF || b[1] != mSOI {
		return l, fmt.Errorf("%w: does not begin as a JPEG", errPicture)
	}
	for at := 2; ; {
		if at+4 > len(b) || b[at] != 0xFF {
			return l, fmt.Errorf("%w: header is broken off", errPicture)
		}
		marker := b[at+1]
		if marker == 0xFF { // fill byte
			at++
			continue
		}
		if marker == mTEM || marker >= mRST0 && marker <= mEOI {
			return l, fmt.Errorf("%w: marker %02x within the header", errPicture, marker)
		}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size < 2 || at+2+size > len(b) {
			return l, fmt.Errorf("%w: segment %02x is longer than the picture", errPicture, marker)
		}
		body := b[at+4 : at+2+size]
		switch {
		case marker == mDHT:
			l.tables = true
		case marker == mSOF0 || marker == mSOF1:
			if err := l.frame(body); err != nil {
				return l, err
			}
		case marker > mSOF1 && marker <= 0xCF && marker != 0xC8 && marker != 0xCC:
			return l, fmt.Errorf("%w: process %02x is not sequential", errPicture, marker)
		case marker == mSOS:
			if l.width == 0 {
				return l, fmt.Errorf("%w: scan without a frame header", errPicture)
			}
			l.scan = at
			return l, l.walk(b, at+2+size)
		}
		at += 2 + size
	}
}

// frame reads the frame header's body (T.81 B.2.2).
func (l *layout) frame(body []byte) error {
	if l.width != 0 {
		return fmt.Errorf("%w: two frame headers", errPicture)
	}
	if len(body) < 6 {
		return fmt.Errorf("%w: frame header of %d bytes", errPicture, len(body))
	}
	h, w, parts := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:])), int(body[5])
	switch {
	case body[0] != 8:
		return fmt.Errorf("%w: %d bits", errPicture, body[0])
	case parts != 1 && parts != 3 || len(body) != 6+3*parts:
		return fmt.Errorf("%w: %d colour parts", errPicture, parts)
	case w == 0 || h == 0 || w > maxSide || h > maxSide || w*h > maxPixels:
		return fmt.Errorf("%w: %d by %d pixels", errPicture, w, h)
	}
	l.width, l.height = w, h
	return nil
}

// walk follows the compressed data from its first byte to the next marker that is not a restart.
func (l *layout) walk(b []byte, at int) error {
	for {
		i := bytes.IndexByte(b[at:], 0xFF)
		if i < 0 || at+i+1 >= len(b) {
			l.end = len(b)
			return nil
		}
		at += i
		switch marker := b[at+1]; {
		case marker == 0 || marker >= mRST0 && marker <= mRST7:
			at += 2
		case marker == 0xFF:
			at++
		case marker == mEOI:
			l.end, l.ended = at+2, true
			return nil
		default:
			return fmt.Errorf("%w: marker %02x after the scan", errPicture, marker)
		}
	}
}

// split returns the first JPEG of b, and the rest. What lies before a JPEG is skipped; a picture that is not whole is nil,
// and the rest then begins behind its first byte.
func split(b []byte) (picture, rest []byte) {
	i := bytes.Index(b, []byte{0xFF, mSOI, 0xFF})
	if i < 0 {
		return nil, nil
	}
	l, err := survey(b[i:])
	if err != nil || !l.ended {
		return nil, b[i+1:]
	}
	return b[i : i+l.end], b[i+l.end:]
}

// A picture is decoded from up to three pieces: the header, the tables that it lacks, and the rest.
type decoder struct {
	pieces [4][]byte
	at     int
}

// Read implements io.Reader over the pieces.
func (d *decoder) Read(p []byte) (int, error) {
	for d.at < len(d.pieces) && len(d.pieces[d.at]) == 0 {
		d.at++
	}
	if d.at == len(d.pieces) {
		return 0, errTruncated
	}
	n := copy(p, d.pieces[d.at])
	d.pieces[d.at] = d.pieces[d.at][n:]
	return n, nil
}

var errTruncated = fmt.Errorf("%w: it ends in the middle", errPicture)

// decode decodes a JPEG that survey found fit. The image is the decoder's own: wipe it with [wipeImage].
func decode(b []byte, l layout) (image.Image, error) {
	d := decoder{pieces: [4][]byte{b[:l.scan], nil, b[l.scan:l.end]}}
	if !l.tables {
		d.pieces[1] = standardTables
	}
	if !l.ended {
		d.pieces[3] = []byte{0xFF, mEOI}
	}
	img, err := jpeg.Decode(&d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPicture, err)
	}
	if got := img.Bounds(); got.Dx() != l.width || got.Dy() != l.height {
		return nil, fmt.Errorf("%w: %v is not the size of its header", errPicture, got)
	}
	return img, nil
}

// wipeImage zeroes what decode returned.
func wipeImage(img image.Image) {
	switch m := img.(type) {
	case *image.YCbCr:
		clear(m.Y)
		clear(m.Cb)
		clear(m.Cr)
	case *image.Gray:
		clear(m.Pix)
	case *image.RGBA:
		clear(m.Pix)
	}
}

// standardTables is a DHT segment with the typical Huffman tables of ITU-T T.81 K.3.3, which motion JPEG leaves out.
var standardTables = func() []byte {
	seg := []byte{0xFF, mDHT, 0, 0}
	for _, t := range []struct {
		id     byte
		counts string // of codes with 1 to 16 bits
		values string
	}{
		{0x00, "\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
		{0x10, "\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d",
			"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1\xc1\x15\x52\xd1\xf0" +
				"\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49" +
				"\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
				"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5" +
				"\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
				"\xf9\xfa"},
		{0x01, "\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
		{0x11, "\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77",
			"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1\x09\x23\x33\x52\xf0" +
				"\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48" +
				"\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
				"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3" +
				"\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8" +
				"\xf9\xfa"},
	} {
		seg = append(append(append(seg, t.id), t.counts...), t.values...)
	}
	binary.BigEndian.PutUint16(seg[2:], uint16(len(seg)-2))
	return seg
}()
