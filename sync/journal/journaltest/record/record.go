//go:build linux

// Package record is a disk that remembers: a file system in a process of its own that writes down every write, truncation,
// sync and change of a name that reaches it, in order, and a model that tells from such a log what a disk may hold after a
// power cut at any place in it.
//
// The file system must not live in the process that uses it: a page fault on a mapped file would wait for a goroutine that
// the garbage collector has stopped. [Start] runs the test's own binary again, which must call [Child] first thing.
//
// [Disk] takes the operations one after the other. What a file's last fsync covers is on the medium; of what came later each
// 512-byte sector is there or not, in any order. Names are there once their directory was synced; later ones are lost from
// the end, as a file system's log loses them.
package record

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Kind is what an operation does.
type Kind byte

// Kinds of operations.
const (
	Write    Kind = iota + 1 // Data at Off of Ino
	Truncate                 // Ino to Off bytes
	Sync                     // Ino
	Create                   // Name in Dir is Ino
	Mkdir                    // Name in Dir is Ino
	Link                     // Name in Dir is Ino too
	Rename                   // Name in Dir goes to ToName in ToDir
	Unlink                   // Name in Dir goes
	SyncDir                  // Dir
)

// Op is one operation as it reached the file system.
type Op struct {
	Kind   Kind
	Ino    uint64
	Dir    uint64
	Name   string
	ToDir  uint64
	ToName string
	Off    int64
	Data   []byte
}

const childEnv = "JOURNAL_RECORD_FS"

// Recorder is a running file system.
type Recorder struct {
	Dir   string // where it is mounted
	log   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// ErrNoFUSE: this machine or user cannot mount.
var ErrNoFUSE = errors.New("no FUSE")

// Start mounts an empty file system at a directory; its log is written to a file.
func Start(dir, log string) (*Recorder, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: mounting needs root", ErrNoFUSE)
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFUSE, err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir+"\n"+log)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "mounted\n" {
		_ = stdin.Close()
		return nil, fmt.Errorf("%w: %q %w", ErrNoFUSE, line, errors.Join(err, cmd.Wait()))
	}
	return &Recorder{dir, log, cmd, stdin}, nil
}

// Stop unmounts and returns the log.
func (r *Recorder) Stop() (ops []Op, err error) {
	_ = r.stdin.Close()
	if err := r.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	f, err := os.Open(r.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dec := gob.NewDecoder(bufio.NewReader(f))
	for {
		var op Op
		switch err := dec.Decode(&op); {
		case errors.Is(err, io.EOF):
			return ops, nil
		case err != nil:
			return nil, err
		}
		ops = append(ops, op)
	}
}

// Child serves a file system when this process was started for that, and then does not return.
func Child() {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return
	}
	var dir, log string
	for i := range spec {
		if spec[i] == '\n' {
			dir, log = spec[:i], spec[i+1:]
		}
	}
	if err := serve(dir, log); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(dir, log string) error {
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	d := &disk{enc: gob.NewEncoder(w)}
	server, err := fs.Mount(dir, &node{disk: d, dir: true}, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true,
		FsName: "record", DisableXAttrs: true, MaxWrite: 128 << 10}})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Unmount(); err != nil {
		// Somebody still holds a file: what was recorded is whole all the same.
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.err, w.Flush(), out.Close())
}

// disk writes the log; its lock orders all operations.
type disk struct {
	mu  sync.Mutex
	enc *gob.Encoder
	err error
}

func (d *disk) note(op Op) {
	if err := d.enc.Encode(op); err != nil && d.err == nil {
		d.err = err
	}
}

// node is a file or a directory.
type node struct {
	fs.Inode
	disk *disk
	dir  bool
	mode uint32
	data []byte
}

var (
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeLinker    = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
)

func (n *node) ino() uint64 { return n.StableAttr().Ino }

func (n *node) attr(out *fuse.Attr) {
	out.Mode, out.Size, out.Nlink = n.mode&0o7777, uint64(len(n.data)), 1
	if n.dir {
		out.Mode |= 0o700
	}
}

func (n *node) child(ctx context.Context, kind Kind, name string, mode uint32, out *fuse.EntryOut) *fs.Inode {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	c := &node{disk: n.disk, dir: kind == Mkdir, mode: mode}
	bits := uint32(fuse.S_IFREG)
	if c.dir {
		bits = fuse.S_IFDIR
	}
	in := n.NewPersistentInode(ctx, c, fs.StableAttr{Mode: bits})
	c.attr(&out.Attr)
	n.disk.note(Op{Kind: kind, Ino: in.StableAttr().Ino, Dir: n.ino(), Name: name})
	return in
}

func (n *node) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return n.child(ctx, Create, name, mode, out), nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.child(ctx, Mkdir, name, mode, out), 0
}

func (n *node) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	t := target.(*node)
	t.attr(&out.Attr)
	n.disk.note(Op{Kind: Link, Ino: t.ino(), Dir: n.ino(), Name: name})
	return t.EmbeddedInode(), 0
}

func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, toName string, _ uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.disk.note(Op{Kind: Rename, Dir: n.ino(), Name: name, ToDir: to.EmbeddedInode().StableAttr().Ino, ToName: toName})
	return 0
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.disk.note(Op{Kind: Unlink, Dir: n.ino(), Name: name})
	return 0
}

func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if n.dir {
		n.disk.note(Op{Kind: SyncDir, Dir: n.ino()})
	} else {
		n.disk.note(Op{Kind: Sync, Ino: n.ino()})
	}
	return 0
}

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	got := 0
	if off < int64(len(n.data)) {
		got = copy(dest, n.data[off:])
	}
	return fuse.ReadResultData(dest[:got]), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.disk.note(Op{Kind: Write, Ino: n.ino(), Off: off, Data: data})
	n.data = put(n.data, data, off)
	return uint32(len(data)), 0
}

func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		n.disk.note(Op{Kind: Truncate, Ino: n.ino(), Off: int64(size)})
		n.data = resize(n.data, int64(size))
	}
	if mode, ok := in.GetMode(); ok {
		n.mode = mode
	}
	n.attr(&out.Attr)
	return 0
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.attr(&out.Attr)
	return 0
}

// put writes data at a place and grows what it is written to.
func put(b, data []byte, off int64) []byte {
	b = resize(b, max(int64(len(b)), off+int64(len(data))))
	copy(b[off:], data)
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}
