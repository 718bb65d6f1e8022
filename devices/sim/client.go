package sim

// A client of the control socket, with the bench's own methods.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Client steers a bench in another process. Its methods may be called from any goroutine.
type Client struct {
	mu   sync.Mutex
	peer net.Conn
	in   *bufio.Reader
}

// patience with a bench: it answers at once, unless pulling a plug waits for a line to wind down.
const patience = 10 * time.Second

// Dial connects to a bench's socket.
func Dial(path string) (*Client, error) {
	peer, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return nil, fmt.Errorf("sim: no bench at %s: %w", path, err)
	}
	return &Client{peer: peer, in: bufio.NewReader(peer)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.peer.Close() }

// Do sends a request and waits for the answer; a refusal is an error with the bench's words.
func (c *Client) Do(r Request) (Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("sim: %w", err)
	}
	if err := c.peer.SetDeadline(time.Now().Add(patience)); err != nil {
		return Reply{}, fmt.Errorf("sim: %w", err)
	}
	if _, err := c.peer.Write(append(line, '\n')); err != nil {
		return Reply{}, fmt.Errorf("sim: asking the bench: %w", err)
	}
	answer, err := c.in.ReadBytes('\n')
	if err != nil {
		return Reply{}, fmt.Errorf("sim: the bench's answer: %w", err)
	}
	var reply Reply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return Reply{}, fmt.Errorf("sim: the bench's answer: %w", err)
	}
	if !reply.OK {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

func (c *Client) do(r Request) error {
	_, err := c.Do(r)
	return err
}

// Cards are the names that PutCard takes.
func (c *Client) Cards() []string {
	r, err := c.Do(Request{Do: "cards"})
	if err != nil {
		return nil
	}
	return r.Cards
}

// PutCard lays a card down, by name or index.
func (c *Client) PutCard(name string) error {
	return c.do(Request{Do: "put-card", Card: stringable(name)})
}

// TakeCard takes the card away.
func (c *Client) TakeCard() error { return c.do(Request{Do: "take-card"}) }

// TakeOutput takes what lies at both printers.
func (c *Client) TakeOutput() error { return c.do(Request{Do: "take-output"}) }

// Fault breaks a device; value "" takes the fault's default.
func (c *Client) Fault(device, name, value string) error {
	return c.do(Request{Do: "fault", Device: device, Fault: name, Value: stringable(value)})
}

// Clear mends everything at a device, or at all for "".
func (c *Client) Clear(device string) error { return c.do(Request{Do: "clear", Device: device}) }

// ClearFault mends one fault of a device.
func (c *Client) ClearFault(device, name string) error {
	return c.do(Request{Do: "clear", Device: device, Fault: name})
}

// Faults lists a device's faults.
func (c *Client) Faults(device string) ([]FaultInfo, error) {
	r, err := c.Do(Request{Do: "faults", Device: device})
	return r.Faults, err
}

// State tells how everything is.
func (c *Client) State() (State, error) {
	r, err := c.Do(Request{Do: "state"})
	if err != nil || r.State == nil {
		return State{}, err
	}
	return *r.State, nil
}
