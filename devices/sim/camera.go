package sim

// The camera: an HTTP server of motion JPEG, as network cameras and their many firmwares write it.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net"
	"net/http"
	"sync"
	"time"
)

// CameraOptions of [StartCamera].
type CameraOptions struct {
	// Pictures are shown in turn; nil draws colour bars that carry the picture's number (see [PictureNumber]).
	Pictures [][]byte // JPEGs
	// Width and Height of the drawn bars, multiples of 16; 0 for 640 by 480.
	Width, Height int
	Rate          int    // pictures a second, 0 for 15
	Boundary      string // as the header says it; "" for "frame"
	NoLength      bool   // parts without Content-Length
	// NoTables leaves the Huffman tables out, as most motion JPEG does.
	NoTables bool
}

// Camera is a simulated HTTP camera.
type Camera struct {
	*faults
	opt    CameraOptions
	server *http.Server
	done   chan struct{}
	addr   string

	mu    sync.Mutex
	count int
	cut   chan struct{} // closed to pull the plug of all streams
}

// cameraFaults: what can be wrong with an HTTP camera.
var cameraFaults = []FaultInfo{
	{Name: "truncate", Value: "pictures, 0 for all", About: "the picture ends in its middle", max: 1000},
	{Name: "garbage", Value: "pictures, 0 for all", About: "noise in place of a picture", max: 1000},
	{Name: "scrambled", Value: "pictures, 0 for all", About: "bytes in the compressed data are turned", max: 1000},
	{Name: "wrong-size", Value: "pictures, 0 for all", About: "a sound picture of half the size", max: 1000},
	{Name: "enormous", Value: "pictures, 0 for all", About: "the header says 60000 by 60000 pixels", max: 1000},
	{Name: "endless", Value: "pictures, 0 for all", About: "sixteen megabytes without a boundary", max: 1000},
	{Name: "short-length", Value: "pictures, 0 for all", About: "Content-Length says less than there is", max: 1000},
	{Name: "long-length", Value: "pictures, 0 for all", About: "Content-Length says more than there is", max: 1000},
	{Name: "stall", About: "no picture comes, the line stays"},
	{Name: "disconnect", Value: "pictures, 0 for all", About: "the line is cut in the middle of a picture", max: 1000},
	{Name: "busy", About: "HTTP 503"},
	{Name: "not-a-stream", About: "it answers with a page"},
	{Name: "refused", About: "HTTP 404"},
	{Name: "silent", About: "it takes the connection and says nothing"},
}

// StartCamera switches a camera on at a port of this machine.
func StartCamera(opt CameraOptions) (*Camera, error) {
	for _, d := range []struct {
		v    *int
		zero int
	}{{&opt.Width, 640}, {&opt.Height, 480}, {&opt.Rate, 15}} {
		if *d.v == 0 {
			*d.v = d.zero
		}
	}
	if opt.Width%16 != 0 || opt.Height%16 != 0 || opt.Width < 32 || opt.Height < 32 || opt.Width > 4096 || opt.Height > 4096 || opt.Rate < 1 || opt.Rate > 1000 {
		return nil, fmt.Errorf("%w: pictures of %dx%d, %d a second", ErrValue, opt.Width, opt.Height, opt.Rate)
	}
	if opt.Boundary == "" {
		opt.Boundary = "frame"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	c := &Camera{faults: newFaults(cameraFaults), opt: opt, done: make(chan struct{}), addr: l.Addr().String(), cut: make(chan struct{})}
	c.server = &http.Server{Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(l)
	}()
	return c, nil
}

// URI is where the camera is.
func (c *Camera) URI() string { return "http://" + c.addr + "/stream" }

// Fault breaks something, by name; see [Faults].
func (c *Camera) Fault(name, value string) error {
	n, err := c.parse(name, value)
	if err != nil {
		return err
	}
	c.set(name, n)
	return nil
}

// ClearFault mends one fault, or all for "".
func (c *Camera) ClearFault(name string) { c.clear(name) }

// Unplug cuts every stream. The server goes on, as a camera does whose cable is put back.
func (c *Camera) Unplug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.cut)
	c.cut = make(chan struct{})
}

// Sent is how many pictures were begun.
func (c *Camera) Sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Close switches the camera off.
func (c *Camera) Close() error {
	c.Unplug()
	err := c.server.Close()
	<-c.done
	return err
}

func (c *Camera) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	switch {
	case r.URL.Path != "/stream" || c.has("refused"):
		http.NotFound(w, r)
		return
	case c.has("busy"):
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	case c.has("not-a-stream"):
		fmt.Fprintln(w, "<html>log in</html>")
		return
	case c.has("silent"):
		select {
		case <-r.Context().Done():
		case <-cut:
		}
		return
	}
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+c.opt.Boundary)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	beat := time.NewTicker(time.Second / time.Duration(c.opt.Rate))
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-cut:
			panic(http.ErrAbortHandler) // cuts the line without a last chunk
		case <-beat.C:
		}
		if c.has("stall") {
			continue
		}
		if err := c.send(w); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

var errCut = errors.New("sim: cut")

// send writes one part.
func (c *Camera) send(w http.ResponseWriter) error {
	c.mu.Lock()
	n := c.count
	c.count++
	c.mu.Unlock()
	b, err := c.picture(n)
	if err != nil {
		return err
	}
	length := len(b)
	cut := false
	switch {
	case c.once("truncate"):
		b = b[:len(b)/2]
		length = len(b)
	case c.once("garbage"):
		noise := uint32(n) | 1
		for i := range b {
			noise ^= noise << 13
			noise ^= noise >> 17
			noise ^= noise << 5
			b[i] = byte(noise)
		}
	case c.once("scrambled"):
		for i := len(b) / 2; i < len(b)-2; i += 97 {
			b[i] ^= 0x5A
		}
	case c.once("enormous"):
		if at := bytes.Index(b, []byte{0xFF, 0xC0}); at > 0 {
			binary.BigEndian.PutUint16(b[at+5:], 60000)
			binary.BigEndian.PutUint16(b[at+7:], 60000)
		}
	case c.once("endless"):
		b = make([]byte, 16<<20)
		length = len(b)
	case c.once("short-length"):
		length -= 100
	case c.once("long-length"):
		length += 100
	case c.once("disconnect"):
		b, cut = b[:len(b)/3], true
	}
	fmt.Fprintf(w, "--%s\r\nContent-Type: image/jpeg\r\n", bytes.TrimLeft([]byte(c.opt.Boundary), "-"))
	if !c.opt.NoLength {
		fmt.Fprintf(w, "Content-Length: %d\r\n", length)
	}
	fmt.Fprint(w, "\r\n")
	_, _ = w.Write(b)
	fmt.Fprint(w, "\r\n")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	if cut {
		return errCut
	}
	return nil
}

// picture is the nth JPEG.
func (c *Camera) picture(n int) ([]byte, error) {
	small := c.once("wrong-size")
	if len(c.opt.Pictures) > 0 && !small {
		return bytes.Clone(c.opt.Pictures[n%len(c.opt.Pictures)]), nil
	}
	w, h := c.opt.Width, c.opt.Height
	if small {
		w, h = w/2, h/2
	}
	b, err := Bars(w, h, n)
	if err == nil && c.opt.NoTables {
		b = withoutTables(b)
	}
	return b, err
}

// bars are the colours of EBU bars at 75 %.
var bars = []color.RGBA{{191, 191, 191, 255}, {191, 191, 0, 255}, {0, 191, 191, 255}, {0, 191, 0, 255}, {191, 0, 191, 255},
	{191, 0, 0, 255}, {0, 0, 191, 255}, {0, 0, 0, 255}}

// numberBits is how many bits of its number a drawn picture carries.
const numberBits = 16

// Bars is a JPEG of colour bars with its number in sixteen black and white fields along the lower edge.
func Bars(width, height, n int) ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	foot := height - height/8
	for y := range height {
		for x := range width {
			c := bars[x*len(bars)/width]
			if y >= foot {
				c = color.RGBA{0, 0, 0, 255}
				if n>>(numberBits-1-x*numberBits/width)&1 == 1 {
					c = color.RGBA{255, 255, 255, 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 80}); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return out.Bytes(), nil
}

// PictureNumber reads the number of a picture of [Bars], of any size.
func PictureNumber(m image.Image) (n int) {
	b := m.Bounds()
	y := b.Max.Y - b.Dy()/16
	for i := range numberBits {
		r, _, _, _ := m.At(b.Min.X+(2*i+1)*b.Dx()/(2*numberBits), y).RGBA()
		n = n<<1 | int(r>>15)
	}
	return n
}

// withoutTables takes the DHT segments out of a JPEG.
func withoutTables(b []byte) []byte {
	out := append([]byte{}, b[:2]...)
	for at := 2; at+4 <= len(b); {
		size := 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		if b[at+1] == 0xDA {
			return append(out, b[at:]...)
		}
		if b[at+1] != 0xC4 {
			out = append(out, b[at:at+size]...)
		}
		at += size
	}
	return out
}
