package smartcard

// The socket of pcscd (pcsc-lite 1.9 and 2.x, winscard_msg.h). Numbers are in the machine's order.
//
//	request  size of what follows the header 4, command 4, structure
//	answer   the same structure filled in, without a header; after Transmit the card's answer
//
//	01 establish   scope 4, context 4, rv 4
//	02 release     context 4, rv 4
//	04 connect     context 4, reader 128, share 4, protocols 4, card 4, protocol 4, rv 4
//	06 disconnect  card 4, disposition 4, rv 4
//	09 transmit    card 4, send protocol 4, its length 4, bytes 4, receive protocol 4, its length 4, room 4, rv 4, then the bytes
//	11 version     major 4, minor 4, rv 4
//	12 readers     → 16 of: name 128, events 4, state 4, sharing 4, ATR 33, 3 unused, its length 4, protocol 4

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/budayang/kiosk/devices"
)

const (
	cmdEstablish  = 0x01
	cmdRelease    = 0x02
	cmdConnect    = 0x04
	cmdDisconnect = 0x06
	cmdTransmit   = 0x09
	cmdVersion    = 0x11
	cmdReaders    = 0x12
)

const (
	versionMajor = 4
	nameBytes    = 128
	mostReaders  = 16
	readerBytes  = nameBytes + 4 + 4 + 4 + 36 + 4 + 4
	mostATR      = 33
	mostAnswer   = 258 // of a card with short APDUs
)

// Bits of a reader's state.
const (
	stateUnknown = 0x0001
	statePresent = 0x0004
)

const (
	scopeSystem  = 2
	shareShared  = 2
	protocolT0   = 1
	protocolT1   = 2
	unpowerCard  = 2
	versionTries = 3 // 4:5, 4:4, 4:3
)

// Return values that mean something to us.
var returns = map[uint32]struct {
	word string
	err  error
}{
	0x80100009: {"no such reader", devices.ErrNoDevice},
	0x8010000A: {"time is up", devices.ErrSilent},
	0x8010000B: {"the card is in use", devices.ErrBusy},
	0x8010000C: {"no card", errCardGone},
	0x8010000F: {"protocols do not match", devices.ErrCardUnreadable},
	0x80100016: {"not transacted", errCardGone},
	0x80100017: {"reader is unavailable", devices.ErrNoDevice},
	0x8010001D: {"service is not running", devices.ErrNoDevice},
	0x8010001E: {"service was stopped", devices.ErrNoDevice},
	0x8010002E: {"no reader", devices.ErrNoDevice},
	0x80100065: {"card is not supported", devices.ErrCardUnreadable},
	0x80100066: {"card does not answer", devices.ErrCardUnreadable},
	0x80100067: {"card has no power", errCardGone},
	0x80100068: {"card was reset", errCardGone},
	0x80100069: {"card was removed", errCardGone},
}

// errCardGone: the card left the reader, or somebody else reset it.
var errCardGone = fmt.Errorf("card is gone: %w", devices.ErrCardUnreadable)

func returned(what string, rv uint32) error {
	if rv == 0 {
		return nil
	}
	if r, known := returns[rv]; known {
		return fmt.Errorf("%s: %s: %w", what, r.word, r.err)
	}
	return fmt.Errorf("%s: refused with %08x: %w", what, rv, devices.ErrProtocol)
}

// A client is one connection to pcscd.
type client struct {
	conn    net.Conn
	context uint32
}

var order = binary.NativeEndian

// dial connects to pcscd and agrees on a version. A daemon that speaks another says which.
func dial(ctx context.Context, path string) (*client, error) {
	minor := uint32(5)
	for range versionTries {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				return nil, fmt.Errorf("pcscd refuses us: %w: %w", devices.ErrUnusable, syscall.EACCES)
			}
			return nil, fmt.Errorf("pcscd does not run: %w", devices.ErrNoDevice)
		}
		c := &client{conn: conn}
		answer, err := c.ask(ctx, cmdVersion, words(versionMajor, minor, 0))
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		major, its, rv := order.Uint32(answer), order.Uint32(answer[4:]), order.Uint32(answer[8:])
		if rv == 0 && major == versionMajor {
			if answer, err = c.ask(ctx, cmdEstablish, words(scopeSystem, 0, 0)); err == nil {
				err = returned("pcscd", order.Uint32(answer[8:]))
			}
			if err != nil {
				_ = conn.Close()
				return nil, err
			}
			c.context = order.Uint32(answer[4:])
			return c, nil
		}
		_ = conn.Close()
		if major != versionMajor || its < 3 || its > 9 || its == minor {
			if minor--; major != versionMajor || minor < 3 {
				return nil, fmt.Errorf("pcscd speaks %d:%d: %w", major, its, devices.ErrUnusable)
			}
			continue
		}
		minor = its
	}
	return nil, fmt.Errorf("pcscd agrees on no version: %w", devices.ErrUnusable)
}

func words(n ...uint32) []byte {
	var b []byte
	for _, v := range n {
		b = order.AppendUint32(b, v)
	}
	return b
}

// close lets the context and the connection go.
func (c *client) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, _ = c.ask(ctx, cmdRelease, words(c.context, 0))
	return c.conn.Close()
}

// ask sends a request and reads an answer of the same length. After any error the connection is of no use: what comes next may
// belong to this request.
func (c *client) ask(ctx context.Context, command uint32, body []byte, more ...byte) ([]byte, error) {
	size := len(body)
	if command == cmdReaders {
		size = mostReaders * readerBytes
	}
	answer := make([]byte, size)
	err := c.during(ctx, func() error {
		if _, err := c.conn.Write(append(append(words(uint32(len(body)), command), body...), more...)); err != nil {
			return err
		}
		_, err := io.ReadFull(c.conn, answer)
		return err
	})
	return answer, err
}

// during bounds an exchange by ctx.
func (c *client) during(ctx context.Context, do func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	err := do()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("pcscd: %w: %w", devices.ErrSilent, ctx.Err())
	}
	return fmt.Errorf("pcscd hung up: %w", devices.ErrNoDevice)
}

// A reader as pcscd sees it.
type reader struct {
	name  string
	state uint32
	atr   []byte
}

func (c *client) readers(ctx context.Context) ([]reader, error) {
	answer, err := c.ask(ctx, cmdReaders, nil)
	if err != nil {
		return nil, err
	}
	return readReaders(answer)
}

// readReaders reads the table; an entry without a name is empty.
func readReaders(b []byte) ([]reader, error) {
	if len(b) != mostReaders*readerBytes {
		return nil, fmt.Errorf("pcscd: %d bytes of readers: %w", len(b), devices.ErrProtocol)
	}
	var all []reader
	for ; len(b) > 0; b = b[readerBytes:] {
		name, _, ended := bytes.Cut(b[:nameBytes], []byte{0})
		if len(name) == 0 {
			continue
		}
		n := order.Uint32(b[nameBytes+48:])
		if !ended || n > mostATR {
			return nil, fmt.Errorf("pcscd: a reader's entry makes no sense: %w", devices.ErrProtocol)
		}
		all = append(all, reader{name: string(name), state: order.Uint32(b[nameBytes+4:]), atr: bytes.Clone(b[nameBytes+12:][:n])})
	}
	return all, nil
}

// A card is a connected one.
type card struct {
	c        *client
	handle   uint32
	protocol uint32
}

func (c *client) connect(ctx context.Context, name string) (*card, error) {
	body := append(words(c.context), make([]byte, nameBytes)...)
	if len(name) >= nameBytes {
		return nil, fmt.Errorf("reader's name is too long: %w", devices.ErrUnusable)
	}
	copy(body[4:], name)
	answer, err := c.ask(ctx, cmdConnect, append(body, words(shareShared, protocolT0|protocolT1, 0, 0, 0)...))
	if err != nil {
		return nil, err
	}
	tail := answer[4+nameBytes:]
	if err := returned("connect", order.Uint32(tail[16:])); err != nil {
		return nil, err
	}
	return &card{c, order.Uint32(tail[8:]), order.Uint32(tail[12:])}, nil
}

// free disconnects; the card loses its power, so that what it was told is forgotten.
func (k *card) free() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = k.c.ask(ctx, cmdDisconnect, words(k.handle, unpowerCard, 0))
}

// transmit sends one APDU and returns the answer with its status word.
func (k *card) transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	answer, err := k.c.ask(ctx, cmdTransmit, words(k.handle, k.protocol, 8, uint32(len(apdu)), 0, 8, mostAnswer, 0), apdu...)
	if err != nil {
		return nil, err
	}
	if err := returned("transmit", order.Uint32(answer[28:])); err != nil {
		return nil, err
	}
	n := order.Uint32(answer[24:])
	if n < 2 || n > mostAnswer {
		return nil, fmt.Errorf("card's answer of %d bytes: %w", n, devices.ErrProtocol)
	}
	out := make([]byte, n)
	if err := k.c.during(ctx, func() error { _, err := io.ReadFull(k.c.conn, out); return err }); err != nil {
		return nil, err
	}
	return out, nil
}
