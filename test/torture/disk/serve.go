package disk

// Serving the model through FUSE.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Usable says why no disk can be mounted here, nil when one can: it takes /dev/fuse, and root or fusermount3.
func Usable() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if os.Getuid() != 0 {
		_, err = exec.LookPath("fusermount3")
	}
	return errors.Join(err, f.Close())
}

// Serve mounts the disk and obeys orders, one a line, each answered with a line: "freeze", "drop", "full", "room", "lie",
// "honest", "settle". It returns when orders end, after unmounting.
func Serve(dir string, d *Disk, orders io.Reader, answers io.Writer) error {
	never := time.Duration(0)
	server, err := fs.Mount(dir, &inode{d: d, n: d.root}, &fs.Options{
		EntryTimeout: &never, AttrTimeout: &never,
		MountOptions:   fuse.MountOptions{DirectMount: true, FsName: "torture", Name: "torture", MaxWrite: 1 << 20},
		RootStableAttr: &fs.StableAttr{Ino: d.root.ino, Mode: syscall.S_IFDIR},
	})
	if err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	fmt.Fprintln(answers, "mounted")
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		lost := 0
		switch order := strings.TrimSpace(lines.Text()); order {
		case "freeze":
			d.Freeze()
		case "drop":
			lost = d.Drop()
		case "full", "room":
			d.Fill(order == "full")
		case "settle":
			d.Settle()
		case "lie", "honest":
			d.Lie(order == "lie")
		default:
			fmt.Fprintln(answers, "what?")
			continue
		}
		fmt.Fprintln(answers, "ok", lost)
	}
	// A process that was killed may take a moment to let go of its files.
	for range 50 {
		if err = server.Unmount(); err == nil {
			server.Wait()
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	return err
}

// inode shows one node to the kernel.
type inode struct {
	fs.Inode
	d *Disk
	n *node
}

var (
	_ fs.NodeLookuper  = (*inode)(nil)
	_ fs.NodeReaddirer = (*inode)(nil)
	_ fs.NodeMkdirer   = (*inode)(nil)
	_ fs.NodeCreater   = (*inode)(nil)
	_ fs.NodeOpener    = (*inode)(nil)
	_ fs.NodeReader    = (*inode)(nil)
	_ fs.NodeWriter    = (*inode)(nil)
	_ fs.NodeFsyncer   = (*inode)(nil)
	_ fs.NodeFlusher   = (*inode)(nil)
	_ fs.NodeGetattrer = (*inode)(nil)
	_ fs.NodeSetattrer = (*inode)(nil)
	_ fs.NodeUnlinker  = (*inode)(nil)
	_ fs.NodeRmdirer   = (*inode)(nil)
	_ fs.NodeRenamer   = (*inode)(nil)
	_ fs.NodeLinker    = (*inode)(nil)
	_ fs.NodeStatfser  = (*inode)(nil)
)

func (i *inode) lock() func() {
	i.d.mu.Lock()
	return i.d.mu.Unlock
}

func (i *inode) show(ctx context.Context, n *node, out *fuse.EntryOut) *fs.Inode {
	attributes(n, &out.Attr)
	kind := uint32(syscall.S_IFREG)
	if n.dir {
		kind = syscall.S_IFDIR
	}
	return i.NewInode(ctx, &inode{d: i.d, n: n}, fs.StableAttr{Mode: kind, Ino: n.ino})
}

func attributes(n *node, a *fuse.Attr) {
	a.Ino, a.Mode, a.Nlink = n.ino, n.mode, uint32(max(1, n.links))
	a.Size, a.Blocks, a.Blksize = uint64(len(n.data)), uint64(len(n.data)+511)/512, pageSize
	a.SetTimes(&n.mtime, &n.mtime, &n.mtime)
}

// Lookup finds a name.
func (i *inode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	defer i.lock()()
	n := i.n.entries[name]
	if n == nil {
		return nil, syscall.ENOENT
	}
	return i.show(ctx, n, out), 0
}

// Readdir lists a directory.
func (i *inode) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	defer i.lock()()
	var all []fuse.DirEntry
	for name, n := range i.n.entries {
		kind := uint32(syscall.S_IFREG)
		if n.dir {
			kind = syscall.S_IFDIR
		}
		all = append(all, fuse.DirEntry{Name: name, Ino: n.ino, Mode: kind})
	}
	return fs.NewListDirStream(all), 0
}

func (i *inode) make(ctx context.Context, name string, dir bool, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if i.d.full {
		return nil, syscall.ENOSPC
	}
	if i.n.entries[name] != nil {
		return nil, syscall.EEXIST
	}
	n := i.d.node(dir, mode)
	if errno := i.d.alter(i.n, change{name: n}); errno != 0 {
		return nil, errno
	}
	return i.show(ctx, n, out), 0
}

// Mkdir makes a directory.
func (i *inode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	defer i.lock()()
	return i.make(ctx, name, true, mode, out)
}

// Create makes a file.
func (i *inode) Create(ctx context.Context, name string, _ uint32, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	defer i.lock()()
	child, errno := i.make(ctx, name, false, mode, out)
	return child, nil, 0, errno
}

// Open opens a file; its pages in the kernel's cache of earlier are forgotten.
func (i *inode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	defer i.lock()()
	if flags&syscall.O_TRUNC != 0 {
		return nil, 0, i.d.truncate(i.n, 0)
	}
	return nil, 0, 0
}

// Read reads.
func (i *inode) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	defer i.lock()()
	if i.d.frozen {
		return nil, syscall.EIO
	}
	if off >= int64(len(i.n.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, i.n.data[off:])]), 0
}

// Write writes.
func (i *inode) Write(_ context.Context, _ fs.FileHandle, b []byte, off int64) (uint32, syscall.Errno) {
	defer i.lock()()
	if errno := i.d.write(i.n, b, off); errno != 0 {
		return 0, errno
	}
	return uint32(len(b)), 0
}

// Fsync makes a file or a directory durable.
func (i *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	defer i.lock()()
	return i.d.sync(i.n)
}

// Flush does nothing: closing makes nothing durable.
func (i *inode) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

// Getattr tells size and times.
func (i *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	defer i.lock()()
	attributes(i.n, &out.Attr)
	return 0
}

// Setattr changes size and mode.
func (i *inode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	defer i.lock()()
	if size, is := in.GetSize(); is {
		if errno := i.d.truncate(i.n, int64(size)); errno != 0 {
			return errno
		}
	}
	if mode, is := in.GetMode(); is {
		i.n.mode = mode & 0o7777
	}
	attributes(i.n, &out.Attr)
	return 0
}

// Unlink removes a file's name.
func (i *inode) Unlink(_ context.Context, name string) syscall.Errno {
	defer i.lock()()
	n := i.n.entries[name]
	if n == nil {
		return syscall.ENOENT
	}
	n.links--
	return i.d.alter(i.n, change{name: nil})
}

// Rmdir removes an empty directory.
func (i *inode) Rmdir(_ context.Context, name string) syscall.Errno {
	defer i.lock()()
	switch n := i.n.entries[name]; {
	case n == nil:
		return syscall.ENOENT
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	return i.d.alter(i.n, change{name: nil})
}

// Rename gives a file another name in the same directory; between directories it is refused, for no program here needs it.
func (i *inode) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	defer i.lock()()
	n := i.n.entries[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case parent.EmbeddedInode() != i.EmbeddedInode():
		return syscall.EXDEV
	case flags != 0:
		return syscall.EINVAL
	case name == newName:
		return 0
	}
	return i.d.alter(i.n, change{name: nil, newName: n})
}

// Link gives a file a second name.
func (i *inode) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	defer i.lock()()
	to, is := target.(*inode)
	switch {
	case !is || to.n.dir:
		return nil, syscall.EPERM
	case i.n.entries[name] != nil:
		return nil, syscall.EEXIST
	}
	if errno := i.d.alter(i.n, change{name: to.n}); errno != 0 {
		return nil, errno
	}
	to.n.links++
	return i.show(ctx, to.n, out), 0
}

// Statfs says that there is room.
func (i *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Blocks, out.Bfree, out.Bavail = pageSize, 1<<20, 1<<19, 1<<19
	return 0
}
