package wire

import "time"

// PathFingers is where a terminal has a picture of a finger compared with the register: POST FingerCheck → CodeChecked; 403 E-FINGER-OTHER
// when it is somebody else's, 422 E-FINGER-POOR when it is too poor to compare. The picture is not kept.
const PathFingers = "/v1/fingers"

// Bounds of a picture of a finger, pixels a side.
const (
	LeastFingerSide = 64
	MostFingerSide  = 512
)

// FingerCheck asks whether a picture shows a finger of the person, who agreed to it. The picture is plain: nothing is lost in it, and there is
// nothing in it to decode.
type FingerCheck struct {
	Person PersonRef `json:"person"`
	Visit  string    `json:"visit"`
	Width  int       `json:"width"`  // LeastFingerSide to MostFingerSide
	Height int       `json:"height"` // as width
	DPI    int       `json:"dpi"`    // pixels an inch, 250 to 1000
	Pixels []byte    `json:"pixels"` // Width × Height, row by row from the finger's tip; 0 is a ridge, 255 bare glass
	Agreed time.Time `json:"agreed"`
}

// Sound says whether size and pixels are as they must be.
func (f FingerCheck) Sound() bool {
	side := func(n int) bool { return n >= LeastFingerSide && n <= MostFingerSide }
	return side(f.Width) && side(f.Height) && f.DPI >= 250 && f.DPI <= 1000 && len(f.Pixels) == f.Width*f.Height
}
