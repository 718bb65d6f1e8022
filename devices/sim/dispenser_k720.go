package sim

// The dispenser as a K720: 02 address length text 03 XOR, acknowledged with 06 address, carried out at 05 address.

import (
	"bytes"
	"context"
	"fmt"
)

func (d *CardDispenser) k720Frame(text string) []byte {
	f := []byte{2, '0', '0'}
	if d.opt.Family == "k720" {
		f = append(f, byte(len(text)>>8), byte(len(text)))
	}
	f = append(append(f, text...), 3)
	return append(f, xor(f))
}

// k720Texts are the commands that this dispenser knows.
var k720Texts = []string{"AP", "FC0", "FC7", "CP", "DB", "RS"}

func (d *CardDispenser) serveK720(ctx context.Context, c *conn) {
	var buf []byte
	in := make([]byte, 64)
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		if buf = append(buf, in[:n]...); len(buf) > 256 {
			buf = buf[len(buf)-256:]
		}
		for {
			rest, err := d.k720Step(c, buf)
			if err != nil {
				return
			}
			if len(rest) == len(buf) {
				break
			}
			buf = rest
		}
	}
}

// k720Step handles what stands at the start of the buffer and returns the rest.
func (d *CardDispenser) k720Step(c *conn, b []byte) ([]byte, error) {
	if len(b) < 3 {
		return b, nil
	}
	if d.faults.has("silent") {
		return nil, nil
	}
	if bytes.Equal(b[:3], []byte{5, '0', '0'}) {
		return b[3:], d.k720Execute(c)
	}
	if !bytes.Equal(b[:3], []byte{2, '0', '0'}) {
		return b[1:], nil
	}
	for _, text := range k720Texts {
		if f := d.k720Frame(text); bytes.HasPrefix(b, f) {
			if d.faults.once("nak") {
				_, err := c.Write([]byte{0x15, '0', '0'})
				return b[len(f):], err
			}
			d.mu.Lock()
			d.pending = text
			d.mu.Unlock()
			_, err := c.Write([]byte{6, '0', '0'})
			return b[len(f):], err
		} else if bytes.HasPrefix(f, b) {
			return b, nil
		}
	}
	_, err := c.Write([]byte{0x15, '0', '0'})
	return b[1:], err
}

func (d *CardDispenser) k720Execute(c *conn) error {
	d.mu.Lock()
	text := d.pending
	d.pending = ""
	d.catchUp()
	goal := map[string]string{"FC0": "mouth", "FC7": "reader", "CP": "bin", "DB": "bin"}[text]
	if goal == "" {
		status := d.k720Status()
		d.awaited = false
		d.mu.Unlock()
		if text == "" {
			return nil
		}
		return d.disturb(c, d.k720Frame("SF"+status), d.k720Frame("SV0102"))
	}
	// While the motors run, or with a jam, or without a card to retain, the command is lost.
	possible := len(d.motions) == 0 && !d.jam && (goal != "bin" || d.at != "")
	if possible && !d.faults.once("dead-after-taken") {
		d.run(goal)
	}
	silent, cut := d.faults.once("silent-after-taken"), d.faults.once("unplug-mid-move")
	d.awaited = d.awaited && !silent && !cut // nobody will look
	d.mu.Unlock()
	if silent {
		d.faults.set("silent", 0)
	}
	if cut {
		d.cable.cut()
	}
	return nil
}

// k720Status is four hexadecimal characters: 0001, 0002, 0004 sensors; 0008 empty, 0010 low, 0020 jam, 0080 bin full, 0100
// the last act failed, 1000 moving.
func (d *CardDispenser) k720Status() string {
	v := map[string]int{"reader": 3, "mouth": 1, "between": 2}[d.at]
	empty, low, full := d.levels()
	for bit, on := range map[int]bool{0x0008: empty, 0x0010: low, 0x0020: d.jam, 0x0080: full, 0x0100: d.failed, 0x1000: len(d.motions) > 0} {
		if on {
			v |= bit
		}
	}
	return fmt.Sprintf("%04X", v)
}
