// Preview measures the photo page as a citizen sees it: the real terminal under Xvfb, with a camera's pictures from a file, guided by the
// real analysis. It prints pictures a second, how many of them were looked at, and the terminal's processor time, beside ffmpeg
// decoding, scaling and mirroring the same pictures for a page of the same size. Then somebody presses the shutter a few times, and it
// prints how long it took until the page said what became of the photo.
//
//	make build && go run ./test/bench/preview [--seconds 20] [--strict]
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/test/portraits"
)

// clip is how many different pictures the camera has.
const clip = 30

// rate of the camera, pictures a second.
const rate = 15

// A source is a camera's format with the share of a core that its preview may take.
type source struct {
	name          string
	width, height int
	format        string
	limit         float64
}

var sources = []source{{"YUYV 640×480", 640, 480, "yuyv", 25}, {"MJPEG 1280×720", 1280, 720, "mjpeg", 50}}

// Limits of preview and analysis together, with OpenGL in software, and of the verdict.
const (
	mostCore   = 60 // % of a core
	mostJudged = 300 * time.Millisecond
	shutters   = 5
)

func main() {
	program := flag.String("kiosk", "bin/kiosk", "the terminal's program")
	testdata := flag.String("testdata", "service/photo/testdata", "pictures of people")
	only := flag.String("only", "", "yuyv or mjpeg; empty: both")
	seconds := flag.Int("seconds", 20, "how long to measure each")
	strict := flag.Bool("strict", false, "fail when a limit is missed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *testdata, *only, time.Duration(*seconds)*time.Second, *strict); err != nil {
		fmt.Fprintln(os.Stderr, "preview:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, testdata, only string, long time.Duration, strict bool) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	studio, err := portraits.Open(testdata)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "preview")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("load %s, %s, Xvfb with OpenGL in software\n\n", strings.Fields(string(load))[0], time.Now().UTC().Format(time.DateOnly))
	fmt.Printf("| camera | pictures a second | looked at | terminal, %% of a core (limit %d) | of which threads of OpenGL in software | the rest | its limit | ffmpeg's decoding and scaling | verdict after the shutter, ms (limit %d) |\n", mostCore, mostJudged.Milliseconds())
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	missed := false
	for _, s := range sources {
		if only != "" && only != s.format {
			continue
		}
		file := filepath.Join(dir, s.format)
		if err := s.film(studio, file); err != nil {
			return err
		}
		m, err := watch(ctx, program, filepath.Join(dir, "out-"+s.format), s, file, long)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		peer, err := s.ffmpeg(ctx, file, m.width, m.height)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f | %.1f | %v |\n", s.name, m.shown, m.looked, m.core, m.gl, m.core-m.gl, s.limit, peer, m.judged)
		missed = missed || m.shown < rate-0.5 || m.core > mostCore || m.core-m.gl > s.limit || slices.Max(m.judged) > mostJudged.Milliseconds()
	}
	if strict && missed {
		return errors.New("a limit is missed")
	}
	return nil
}

// film makes what the camera sees: somebody who moves a little and leans, so that the guidance never lets them go on, and a sensor's noise.
func (s source) film(studio *portraits.Studio, file string) error {
	person := studio.Good().Turned(12, 350, 300, portraits.White)
	scale := float64(s.height) / 540
	var out bytes.Buffer
	r := rand.New(rand.NewPCG(1, 1))
	for i := range clip {
		move := 8 * math.Sin(2*math.Pi*float64(i)/clip)
		m := image.NewRGBA(image.Rect(0, 0, s.width, s.height))
		for y := range s.height {
			for x := range s.width {
				sx, sy := int((float64(x-s.width/2))/scale+320+move), int(float64(y)/scale)
				c := portraits.White
				if image.Pt(sx, sy).In(person.Rect) {
					c = person.RGBAAt(sx, sy)
				}
				n := int(2 * r.NormFloat64())
				for k, v := range []uint8{c.R, c.G, c.B} {
					m.Pix[y*m.Stride+4*x+k] = uint8(max(0, min(255, int(v)+n)))
				}
				m.Pix[y*m.Stride+4*x+3] = 255
			}
		}
		if s.format == "mjpeg" {
			if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85}); err != nil {
				return err
			}
			continue
		}
		out.Write(yuyv(m))
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// yuyv is a picture in ITU-R BT.601's video range, packed.
func yuyv(m *image.RGBA) []byte {
	out := make([]byte, 0, len(m.Pix)/2)
	for i := 0; i+8 <= len(m.Pix); i += 8 {
		a, b := m.Pix[i:i+3], m.Pix[i+4:i+7]
		luma := func(p []byte) float64 {
			return 16 + (65.738*float64(p[0])+129.057*float64(p[1])+25.064*float64(p[2]))/256
		}
		red, green, blue := (float64(a[0])+float64(b[0]))/2, (float64(a[1])+float64(b[1]))/2, (float64(a[2])+float64(b[2]))/2
		out = append(out, byte(luma(a)), byte(128+(-37.945*red-74.494*green+112.439*blue)/256), byte(luma(b)), byte(128+(112.439*red-94.154*green-18.285*blue)/256))
	}
	return out
}

// measured is what the terminal did on its photo page.
type measured struct {
	shown, looked float64 // pictures a second
	core, gl      float64 // % of a core
	width, height int     // of the preview
	judged        []int64 // milliseconds from the shutter to the verdict
}

var errMeasured = errors.New("measured")

// watch goes to the photo page and measures there.
func watch(ctx context.Context, program, out string, s source, file string, long time.Duration) (m measured, err error) {
	j, err := journey.Find("temporary-id-code") // no face is compared before
	if err != nil {
		return m, err
	}
	// verdict notes how long the page after the shutter took, and ends the journey after enough of them.
	verdict := func(now journey.Screen) error {
		if m.judged = append(m.judged, now.Judged); len(m.judged) == shutters {
			return errMeasured
		}
		return nil
	}
	picked := false
	j.At["pick-photo"] = func(ctx context.Context, stage *journey.Stage, now journey.Screen) error {
		picked = true
		if err := verdict(now); err != nil {
			return err
		}
		return stage.Tap(ctx, "again")
	}
	j.At["photo"] = func(ctx context.Context, stage *journey.Stage, now journey.Screen) error {
		if m.core > 0 {
			if !picked { // else the page came because none of the photos was liked
				if err := verdict(now); err != nil {
					return err
				}
			}
			picked = false
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			return stage.Tap(ctx, "next")
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
		before, err := stage.Look()
		if err != nil {
			return err
		}
		all, gl, err := spent(stage.Process())
		if err != nil {
			return err
		}
		began := time.Now()
		if err := pause(ctx, long); err != nil {
			return err
		}
		after, err := stage.Look()
		if err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		all2, gl2, err := spent(stage.Process())
		if err != nil {
			return err
		}
		if after.Screen != "photo" || after.Preview == nil {
			return fmt.Errorf("the page is %q", after.Screen)
		}
		m = measured{shown: float64(after.Pictures-before.Pictures) / took, looked: float64(after.Looked-before.Looked) / took,
			core: (all2 - all).Seconds() / took * 100, gl: (gl2 - gl).Seconds() / took * 100, width: after.Preview[0], height: after.Preview[1]}
		return stage.Tap(ctx, "next")
	}
	_, err = journey.Play(ctx, j, journey.Options{Dir: out, Program: program, NoPictures: true,
		Camera: fmt.Sprintf("uri = %q\nrate = %d\nformat = %q\nwidth = %d\nheight = %d", "file:"+file, rate, s.format, s.width, s.height)})
	if errors.Is(err, errMeasured) {
		err = nil
	} else if err == nil {
		err = errors.New("the photo page never came")
	}
	return m, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// spent is the processor time of a process so far, and that of its threads that draw where OpenGL is software.
func spent(pid int) (all, gl time.Duration, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, 0, fmt.Errorf("process %d has no threads: %w", pid, err)
	}
	for _, file := range tasks {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
		fields := strings.Fields(string(b[end+1:]))
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		d := time.Duration(user+system) * time.Second / 100
		all += d
		if strings.HasPrefix(string(b[open+1:end]), "llvmpipe") {
			gl += d
		}
	}
	return all, gl, nil
}

// ffmpeg is the share of a core that ffmpeg takes for the same pictures at the same rate: the middle that the page shows, in the page's
// size, mirrored.
func (s source) ffmpeg(ctx context.Context, file string, w, h int) (float64, error) {
	input := []string{"-f", "mjpeg"}
	if s.format == "yuyv" {
		input = []string{"-f", "rawvideo", "-pix_fmt", "yuyv422", "-video_size", fmt.Sprintf("%dx%d", s.width, s.height)}
	}
	crop := fmt.Sprintf("crop='min(iw,ih*%d/%d)':'min(ih,iw*%d/%d)'", w, h, h, w)
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	long := file + "-long"
	const times = 10 // so that its start does not count for much
	if err := os.WriteFile(long, bytes.Repeat(b, times), 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(long)
	args := append([]string{"-v", "error", "-threads", "1"}, input...)
	args = append(args, "-i", long, "-vf", fmt.Sprintf("%s,scale=%d:%d:flags=fast_bilinear,hflip", crop, w, h), "-threads", "1", "-filter_threads", "1",
		"-pix_fmt", "rgba", "-f", "rawvideo", "-y", os.DevNull)
	cmd := exec.CommandContext(ctx, "ffmpeg", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("ffmpeg: %w: %s (deploy/setup/install.sh bench installs it)", err, out)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return cpu.Seconds() / (clip * times) * rate * 100, nil
}
