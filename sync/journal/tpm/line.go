package tpm

// The line to the chip: the kernel's device, or the socket of a software TPM.

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
)

// maxAnswer is the largest answer of a TPM, in bytes (TPM2_PT_MAX_RESPONSE_SIZE is 4096 on every one known).
const maxAnswer = 4096

// Check says what is wrong with an address of a TPM; nil when it has the form of one.
func Check(device string) error {
	if path, is := strings.CutPrefix(device, "unix:"); is && path != "" || strings.HasPrefix(device, "/dev/") {
		return nil
	}
	return fmt.Errorf("%q is neither a device such as /dev/tpmrm0 nor unix:PATH", device)
}

func open(device string) (transport.TPMCloser, error) {
	if err := Check(device); err != nil {
		return nil, err
	}
	path, socket := strings.CutPrefix(device, "unix:")
	if !socket {
		t, err := linuxtpm.Open(device)
		if os.IsPermission(err) {
			return nil, fmt.Errorf("%w: add the terminal's user to the group that owns it (tss)", err)
		}
		return t, err
	}
	c, err := net.DialTimeout("unix", path, busyFor)
	if err != nil {
		return nil, err
	}
	return line{c}, nil
}

// line speaks the TPM's own framing over a socket: tag (2 bytes), size of the whole (4), code (4), and so on.
type line struct{ net.Conn }

// Send implements transport.TPM.
func (l line) Send(command []byte) ([]byte, error) {
	if err := l.SetDeadline(time.Now().Add(busyFor)); err != nil {
		return nil, err
	}
	if _, err := l.Write(command); err != nil {
		return nil, err
	}
	var head [10]byte
	if _, err := io.ReadFull(l, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[2:6])
	if n < uint32(len(head)) || n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	answer := append(make([]byte, 0, n), head[:]...)
	answer = answer[:n]
	_, err := io.ReadFull(l, answer[len(head):])
	return answer, err
}
