//go:build linux && (amd64 || arm64 || loong64 || riscv64)

package camera

// Which cameras there are, for the technician.

import "path/filepath"

// A Node is a camera of this machine.
type Node struct {
	Path string // stable: by where it is plugged in
	Name string // what it calls itself
}

// Nodes lists the cameras of this machine by their stable names where they have one. Nodes that give no pictures are left
// out. A node that another program uses is listed all the same: asking its name disturbs nobody.
func Nodes() []Node { return nodes(linux{}, "/dev") }

func nodes(k kernel, dev string) (all []Node) {
	seen := map[string]bool{}
	for _, pattern := range []string{"v4l/by-path/*", "v4l/by-id/*", "video*"} {
		found, _ := filepath.Glob(filepath.Join(dev, pattern))
		for _, path := range found {
			target, err := filepath.EvalSymlinks(path)
			if err != nil || seen[target] {
				continue
			}
			fd, err := k.open(path)
			if err != nil {
				continue
			}
			var c capability
			err = k.ioctl(fd, vidiocQueryCap, ptr(&c))
			_ = k.close(fd)
			if err == nil && c.camera() {
				seen[target] = true
				all = append(all, Node{path, text(c.card[:])})
			}
		}
	}
	return all
}
