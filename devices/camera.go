package devices

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"time"
)

// A Frame is one picture of a camera: 8 bits each of red, green, blue and opaque alpha (sRGB), without gaps between rows.
// It usually shows a face: it formats and logs by its size only, and whoever holds one wipes it.
type Frame struct {
	Width, Height int
	Pixels        []byte // 4 * Width * Height bytes; kept and reused from one picture to the next
	// Sequence is the camera's count of pictures; what is missing in it was dropped on the way.
	Sequence uint32
	// At is when the picture was taken. It carries the monotonic clock's reading, so that a correction of the clock moves
	// no picture.
	At time.Time
}

// Format hides the pixels, whatever the verb.
func (f Frame) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "[frame %d, %dx%d]", f.Sequence, f.Width, f.Height)
}

// LogValue hides the pixels.
func (f Frame) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(f)) }

// MarshalJSON refuses: a face leaves the memory only where a step deliberately makes a photo of it.
func (Frame) MarshalJSON() ([]byte, error) { return nil, errors.New("a frame is not marshalled") }

// Image is the frame as an image that shares its pixels.
func (f *Frame) Image() *image.RGBA {
	return &image.RGBA{Pix: f.Pixels, Stride: 4 * f.Width, Rect: image.Rect(0, 0, f.Width, f.Height)}
}

// Resize makes room for a picture of that size. What the room held before is wiped if another room is taken.
func (f *Frame) Resize(width, height int) {
	need := 4 * width * height
	if cap(f.Pixels) < need {
		clear(f.Pixels[:cap(f.Pixels)])
		f.Pixels = make([]byte, need)
	}
	f.Pixels = f.Pixels[:need]
	f.Width, f.Height = width, height
}

// Wipe zeroes the pixels and lets go of them.
func (f *Frame) Wipe() {
	clear(f.Pixels[:cap(f.Pixels)])
	*f = Frame{}
}

// View is how a preview is drawn.
type View struct {
	// Shrink divides width and height: 1 (or 0), 2 or 4. Each pixel is the mean of those that it stands for.
	Shrink int
	Mirror bool // left and right exchanged, as people know themselves
}

// Errors of cameras beside [ErrNoDevice], [ErrSilent] and [ErrProtocol].
var (
	// ErrFrameGone: the picture asked for is no longer kept, or never was.
	ErrFrameGone = errors.New("picture is not kept any more")
	// ErrFixedCamera: this camera's exposure and white balance cannot be held.
	ErrFixedCamera = errors.New("camera's settings cannot be held")
)

// A Camera takes pictures.
type Camera interface {
	Device
	// Stream begins to take pictures, for one visit. Only one stream is open at a time ([ErrBusy]).
	Stream(ctx context.Context) (CameraStream, error)
}

// A CameraStream is one visit's pictures. It never ends by itself for the sake of a single broken picture. All methods may
// be called from any goroutine; the frame that is handed in is the caller's.
type CameraStream interface {
	// Next waits for a picture newer than the last one that Next drew and draws the newest into f; those between are
	// dropped, never queued. It returns [ErrNoDevice] when the camera went away, [ErrSilent] when no picture came for
	// three seconds, [ErrProtocol] when nothing that came for three seconds was a picture, or ctx's error.
	Next(ctx context.Context, f *Frame, v View) error
	// Kept are the sequence numbers of the last few pictures, oldest first.
	Kept() []uint32
	// Still draws a picture that is still kept, in full size and not mirrored, into f. [ErrFrameGone] when it is not,
	// [ErrProtocol] when it is broken.
	Still(sequence uint32, f *Frame) error
	// Hold keeps exposure and white balance as they are (true) or lets the camera choose again. What the camera cannot
	// hold is [ErrFixedCamera]; what it said it holds was read back.
	Hold(hold bool) error
	// Close ends the stream and wipes every picture that the driver holds. It returns within half a second.
	Close() error
}
