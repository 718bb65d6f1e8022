package sim

// The code scanner: an engine that sends what it is shown, when it looks.
//
//	16 54 0D  look      16 55 0D  stop      16 4D 0D … 2E  menu: the command comes back, then its value, 06 and 2E

import (
	"bytes"
	"sync"
	"time"
)

// ScannerOptions of [StartCodeScanner].
type ScannerOptions struct {
	Line LineOptions
	// Prefix and Suffix wrap every code.
	Prefix, Suffix string
	// Triggered engines look only when they are told to.
	Triggered bool
	// Lies is what lies before an engine that is built into a machine; it is asked again and again while the engine looks, and "" is
	// nothing that can be read. Nil: codes come by Show only.
	Lies func() string
}

// lookTime is how long an engine takes to read what lies before it.
const lookTime = 150 * time.Millisecond

// CodeScanner is a simulated engine.
type CodeScanner struct {
	*plain
	opt ScannerOptions

	state   sync.Mutex
	looking bool
	looks   int
}

// StartCodeScanner plugs an engine in.
func StartCodeScanner(opt ScannerOptions) (*CodeScanner, error) {
	s := &CodeScanner{opt: opt, looking: !opt.Triggered}
	p, err := startPlain(DeviceCodeScanner, opt.Line, plainFaults, []byte("BEPLVL3\x06."), s.obey)
	if err != nil {
		return nil, err
	}
	s.plain = p
	return s, nil
}

func (s *CodeScanner) obey(in []byte) (int, []byte) {
	if len(in) == 0 {
		return 0, nil
	}
	if in[0] != 0x16 {
		return 1, nil
	}
	if len(in) < 3 {
		return 0, nil
	}
	switch string(in[:3]) {
	case "\x16T\r":
		s.look(true)
	case "\x16U\r":
		s.look(false)
	case "\x16M\r":
		end := bytes.IndexByte(in, '.')
		if end < 0 {
			return 0, nil
		}
		if string(in[3:end]) == "REVINF" {
			return end + 1, []byte("REVINFProduct Name: Simulated engine\x06.")
		}
		return end + 1, []byte(string(in[3:end]) + "\x15.")
	default:
		return 1, nil
	}
	return 3, nil
}

func (s *CodeScanner) look(on bool) {
	s.state.Lock()
	defer s.state.Unlock()
	s.looking = on || !s.opt.Triggered
	if on {
		s.looks++
	}
	if on && s.opt.Lies != nil {
		s.peer(s.looks)
	}
}

// peer looks again until there is something to be read, or the look ends.
func (s *CodeScanner) peer(look int) {
	time.AfterFunc(lookTime, func() {
		if on, looks := s.Looking(); !on || looks != look {
			return
		}
		if code := s.opt.Lies(); code != "" {
			s.Show(code)
			return
		}
		s.peer(look)
	})
}

// Fault breaks the engine; value "" takes the fault's default. One that is pulled has no power, and forgets that it was told to look.
func (s *CodeScanner) Fault(name, value string) error {
	err := s.plain.Fault(name, value)
	if err == nil && name == "unplug" {
		s.look(false)
	}
	return err
}

// Looking tells whether the engine looks, and how often it was told to.
func (s *CodeScanner) Looking() (bool, int) {
	s.state.Lock()
	defer s.state.Unlock()
	return s.looking, s.looks
}

// Show holds a code before the engine; false when it does not look or nobody is connected.
func (s *CodeScanner) Show(code string) bool {
	if looking, _ := s.Looking(); !looking {
		return false
	}
	return s.say([]byte(s.opt.Prefix + code + s.opt.Suffix))
}
