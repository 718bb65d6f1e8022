//go:build linux

package photo

import (
	"bytes"
	"errors"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/budayang/kiosk/service/photo/face"
	"github.com/budayang/kiosk/test/residue"
)

// hiddenPicture names the file with the picture, in disguise, for the process in which nothing else has ever seen a face.
const hiddenPicture = "BUDAYANG_HIDDEN_PICTURE"

// TestNothingOfAFaceIsAnywhere watches and takes a photo in a process of its own, wipes, and then searches all of the process's memory
// for the picture, the photo, the points and the masks, also where they were forgotten.
func TestNothingOfAFaceIsAnywhere(t *testing.T) {
	m := studio(t).Good()
	hidden := bytes.Clone(m.Pix)
	residue.Disguise(hidden)
	file := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(file, hidden, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheProcessWithAFace$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), hiddenPicture+"="+file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// raw is the memory of values.
func raw[T any](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// theMesh is not on a stack: what grows out of its room leaves a copy there.
var theMesh [2]face.Mesh

// TestTheProcessWithAFace is the process that [TestNothingOfAFaceIsAnywhere] searches.
func TestTheProcessWithAFace(t *testing.T) {
	file := os.Getenv(hiddenPicture)
	if file == "" {
		t.Skip("only a part of another test")
	}
	m := image.NewRGBA(image.Rect(0, 0, 640, 540))
	show := func() {
		b, err := os.ReadFile(file)
		if err != nil || len(b) != len(m.Pix) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		copy(m.Pix, b)
		residue.Disguise(m.Pix)
	}
	b := booth(t, "id-card")
	show()
	var needles []residue.Needle
	look := func(name string, of []byte) {
		t.Helper()
		n, err := residue.New(name, of)
		if err != nil {
			t.Fatal(err)
		}
		needles = append(needles, n)
	}
	for i := range uint32(12) {
		if got := b.Watch(m, i); got != AdviceHold {
			t.Fatalf("picture %d: %s", i, got)
		}
	}
	look("the preview's photo", residue.Liveliest(b.photo.Pix, 64, 64))
	// The same points as the last picture's, as it is the same picture.
	mesh, inside := &theMesh[0], &theMesh[1]
	if !b.finder.Track(m, mesh) {
		t.Fatal("lost")
	}
	look("points", raw(mesh.Points[100:102]))
	b.frame(mesh, b.hairOf(mesh, m, false)).inside(mesh, inside)
	look("points in the photo", raw(inside.Points[100:102]))
	// Two are judged at the same time, where there are two processors: what the second one had of the face is wiped as well.
	photos, errs := b.TakeAll([]*image.RGBA{m, m})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	look("picture", residue.Liveliest(m.Pix, 64, 64))
	look("file", residue.Liveliest(photos[1].JPEG[len(photos[1].JPEG)/2:], 64, 1))
	look("mask", residue.Liveliest(raw(b.mask[:]), 64, 64))
	for _, k := range b.more {
		if !slices.Equal(k.mask[:], b.mask[:]) {
			t.Error("the mask of the second is another one, of the same picture")
		}
	}
	// While all of it is there, it is found; otherwise the silence afterwards would mean nothing.
	there := func() map[string][]residue.Hit {
		hits, n, err := residue.Search(os.Getpid(), needles)
		if err != nil || n < 10<<20 {
			t.Fatalf("%d bytes searched, %v", n, err)
		}
		all := map[string][]residue.Hit{}
		for _, h := range hits {
			all[h.Needle] = append(all[h.Needle], h)
		}
		return all
	}
	before := there()
	for _, n := range needles {
		if len(before[n.Name]) == 0 {
			t.Errorf("%s is not found while it is there", n.Name)
		}
	}
	clear(theMesh[:])
	for i := range photos {
		photos[i].Wipe()
	}
	b.Wipe()
	clear(m.Pix)
	for name, hits := range there() {
		t.Errorf("%s is left: %+v", name, hits)
	}
}
