package sim

// The control socket: one JSON object a line, asked and answered. It is for the owner of the directory only.
//
//	{"do":"fault","device":"receipt-printer","fault":"paper-out","value":""}
//	{"do":"clear","device":"receipt-printer","fault":""}
//	{"do":"put-card","card":"王建国"}       or "card":0
//	{"do":"take-card"}  {"do":"take-output"}  {"do":"state"}  {"do":"cards"}  {"do":"faults","device":"id-reader"}
//
// An answer is {"ok":true,…} or {"ok":false,"error":"…"}.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// mostLine of a request, in bytes.
const mostLine = 64 << 10

// Request is one line to the control socket.
type Request struct {
	Do     string     `json:"do"`
	Device string     `json:"device,omitempty"`
	Fault  string     `json:"fault,omitempty"`
	Value  stringable `json:"value,omitempty"`
	Card   stringable `json:"card,omitempty"`
}

// stringable is a JSON string or number.
type stringable string

// UnmarshalJSON takes "3" and 3 alike.
func (s *stringable) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("a text or a number: %w", err)
	}
	*s = stringable(n)
	return nil
}

// Reply is the answer to a Request.
type Reply struct {
	OK     bool        `json:"ok"`
	Error  string      `json:"error,omitempty"`
	State  *State      `json:"state,omitempty"`
	Cards  []string    `json:"cards,omitempty"`
	Faults []FaultInfo `json:"faults,omitempty"`
}

// commands of the socket.
var commands = []string{"fault", "clear", "put-card", "take-card", "take-output", "state", "cards", "faults"}

// Do executes a request.
func (b *Bench) Do(r Request) Reply {
	out := Reply{OK: true}
	var err error
	switch r.Do {
	case "fault":
		err = b.Fault(r.Device, r.Fault, string(r.Value))
	case "clear":
		err = b.ClearFault(r.Device, r.Fault)
	case "put-card":
		err = b.PutCard(string(r.Card))
	case "take-card":
		err = b.TakeCard()
	case "take-output":
		err = b.TakeOutput()
	case "state":
		var s State
		s, err = b.State()
		out.State = &s
	case "cards":
		out.Cards = b.Cards()
	case "faults":
		out.Faults, err = Faults(r.Device)
	default:
		err = fmt.Errorf("%w: command %q; there are %s", ErrUnknown, r.Do, strings.Join(commands, ", "))
	}
	if err != nil {
		return Reply{Error: err.Error()}
	}
	return out
}

// control listens and owns its connections.
type control struct {
	bench    *Bench
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

func listenControl(path string, b *Bench) (*control, error) {
	// A socket that a killed bench left is nobody's; a living one answers.
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("sim: %s: another bench is running there", path)
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("sim: control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("sim: control socket: %w", err)
	}
	c := &control{bench: b, listener: l, open: map[net.Conn]bool{}}
	c.done.Go(c.accept)
	return c, nil
}

func (c *control) accept() {
	for {
		peer, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			_ = peer.Close()
			return
		}
		c.open[peer] = true
		c.done.Go(func() { c.serve(peer) })
		c.mu.Unlock()
	}
}

func (c *control) serve(peer net.Conn) {
	defer func() {
		c.mu.Lock()
		delete(c.open, peer)
		c.mu.Unlock()
		_ = peer.Close()
	}()
	lines := bufio.NewScanner(peer)
	lines.Buffer(make([]byte, 4096), mostLine)
	out := json.NewEncoder(peer)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var r Request
		reply := Reply{}
		if err := json.Unmarshal(line, &r); err != nil {
			reply.Error = "sim: not a request: " + err.Error()
		} else {
			reply = c.bench.Do(r)
		}
		if out.Encode(reply) != nil {
			return
		}
	}
}

func (c *control) close() error {
	err := c.listener.Close()
	c.mu.Lock()
	c.closed = true
	for peer := range c.open {
		_ = peer.Close()
	}
	c.mu.Unlock()
	c.done.Wait()
	return err
}
