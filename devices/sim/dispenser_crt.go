package sim

// The dispenser as a CRT-591: F2 address length text 03 XOR. It does one thing at a time and answers when it is done. Told
// to move with an empty path, it takes a card from the hopper.

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

func crtFrame(text []byte) []byte {
	f := append([]byte{0xF2, 0, byte(len(text) >> 8), byte(len(text))}, text...)
	f = append(f, 3)
	return append(f, xor(f))
}

func (d *CardDispenser) serveCRT(ctx context.Context, c *conn) {
	var buf []byte
	in := make([]byte, 64)
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		buf = append(buf, in[:n]...)
		for len(buf) > 0 {
			if buf[0] != 0xF2 { // an acknowledgement, or noise
				buf = buf[1:]
				continue
			}
			if len(buf) < 4 {
				break
			}
			size := int(buf[2])<<8 | int(buf[3])
			if size < 3 || size > 300 {
				buf = buf[1:]
				continue
			}
			if len(buf) < size+6 {
				break
			}
			frame := bytes.Clone(buf[:size+6])
			buf = buf[size+6:]
			if d.faults.has("silent") {
				continue
			}
			if xor(frame) != 0 || frame[size+4] != 3 || frame[4] != 'C' || d.faults.once("nak") {
				if _, err := c.Write([]byte{0x15}); err != nil {
					return
				}
				continue
			}
			if _, err := c.Write([]byte{6}); err != nil {
				return
			}
			if d.crtExecute(ctx, c, frame[5], frame[6], frame[7:size+4]) != nil {
				return
			}
		}
	}
}

func (d *CardDispenser) crtExecute(ctx context.Context, c *conn, cm, pm byte, data []byte) error {
	d.mu.Lock()
	d.catchUp()
	code, reply := "", []byte(nil)
	moved, dead := false, false
	switch {
	case cm == 0x30 && pm == 0x33:
		d.ready = true
		reply = []byte("CRT-591-SIM")
	case !d.ready:
		code = "B0"
	case cm == 0x31 && pm == 0x30, cm == 0x33:
	case cm == 0xA4:
		reply = []byte("SIM1.0")
	case cm == 0xA5:
		reply = []byte{byte(d.bin), byte(d.bin >> 8), byte(d.bin >> 16)}
	case cm == 0x60 && pm == 0x30:
		if d.at != "reader" {
			code = "61"
			break
		}
		reply = []byte{'A', 4, 0, 4, 0x99, 0x00, byte(d.out >> 8), byte(d.out), 8}
	case cm == 0x32:
		goal := map[byte]string{0x30: "mouth", 0x31: "reader", 0x32: "reader", 0x33: "bin", 0x39: "mouth"}[pm]
		empty, _, full := d.levels()
		switch {
		case goal == "":
			code = "01"
		case d.jam:
			code = "10"
		case goal == "bin" && full:
			code = "A1"
		case d.at == "" && empty:
			code = "A0"
		default:
			if dead = d.faults.once("dead-after-taken"); !dead {
				d.run(goal)
			}
			moved = true
		}
	default:
		code = "00"
	}
	d.mu.Unlock()
	if moved {
		if d.faults.once("unplug-mid-move") {
			d.cable.cut()
			return ctx.Err()
		}
		if d.faults.once("silent-after-taken") || dead {
			return nil
		}
		for moving := true; moving; {
			if err := sleep(ctx, max(d.opt.Motion/8, time.Millisecond)); err != nil {
				return err
			}
			d.mu.Lock()
			d.catchUp()
			moving = len(d.motions) > 0
			if !moving && d.jam {
				code = "10"
			} else if !moving && d.failed {
				code = "A0"
			}
			d.mu.Unlock()
		}
	}
	d.mu.Lock()
	if d.jam && cm == 0x31 {
		code = "10"
	}
	state := []byte{map[string]byte{"": '0', "mouth": '1', "reader": '2', "between": '3'}[d.at], '2', '0'}
	empty, low, full := d.levels()
	if low {
		state[1] = '1'
	}
	if empty {
		state[1] = '0'
	}
	if full {
		state[2] = '1'
	}
	d.mu.Unlock()
	answer := append(append([]byte{'P', cm, pm}, state...), reply...)
	if code != "" {
		answer = fmt.Appendf([]byte{'N', cm, pm}, "%s", code)
	}
	return d.disturb(c, crtFrame(answer), crtFrame(append([]byte{'P', 0x52, 0x40}, state...)))
}
