package idcard

// Photo decoding: a plug-in, because nobody may ship the closed codec.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// A PhotoDecoder turns the card's 1024 bytes into a picture (PNG or BMP).
type PhotoDecoder interface {
	Decode(ctx context.Context, wlt []byte) ([]byte, error)
}

// maxPicture bounds what a helper may print; 102 by 126 pixels in 24 bit are 38,862 bytes as BMP.
const maxPicture = 1 << 20

// Helper runs a program for each photo: the 1024 bytes on its standard input, the picture on its standard output. A program
// that takes longer, prints more than 1 MiB or dies takes nothing with it.
type Helper struct {
	Command []string
	Timeout time.Duration // 0 means 3 s
}

// Decode implements [PhotoDecoder].
func (h Helper) Decode(ctx context.Context, wlt []byte) ([]byte, error) {
	if len(h.Command) == 0 {
		return nil, errors.New("photo helper: no command")
	}
	patience := h.Timeout
	if patience == 0 {
		patience = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := exec.CommandContext(ctx, h.Command[0], h.Command[1:]...)
	c.Stdin = bytes.NewReader(wlt)
	out := &bounded{left: maxPicture}
	c.Stdout, c.Stderr = out, io.Discard
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 500 * time.Millisecond
	err := c.Run()
	if c.Process != nil {
		// What the program left running in its group goes with it, also when the program itself ended well.
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	}
	if err != nil {
		return nil, fmt.Errorf("photo helper: %w", err)
	}
	b := out.buf.Bytes()
	if !bytes.HasPrefix(b, []byte("BM")) && !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) {
		return nil, errors.New("photo helper: what it printed is neither BMP nor PNG")
	}
	return b, nil
}

type bounded struct {
	buf  bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("more than a picture")
	}
	return b.buf.Write(p)
}
