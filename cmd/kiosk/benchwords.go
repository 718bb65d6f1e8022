//go:build !release

package main

// What journeys, simulators and soaks say, in the shell's language. They speak English, as their source does; each sentence is recognised
// by its shape ("bench.…" in assets/lang/*.shell.json), and what is in none stays as it is.

import (
	"bytes"
	"errors"

	"github.com/budayang/kiosk/service"
)

// benchText is one sentence of theirs.
func benchText(text string) service.Text { return recognised("bench.", "bench.word.", text) }

// bench says one in the shell's language.
func (s stdio) bench(text string) string {
	if s.language() == "en" {
		return text
	}
	return s.word(benchText(text))
}

// benchLines is a writer that says each line in the shell's language.
type benchLines struct {
	io   stdio
	rest []byte
}

// Write implements io.Writer; a line without its end waits for it.
func (b *benchLines) Write(p []byte) (int, error) {
	if b.io.language() == "en" {
		return b.io.out.Write(p)
	}
	b.rest = append(b.rest, p...)
	for {
		line, rest, whole := bytes.Cut(b.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if _, err := b.io.out.Write([]byte(b.io.bench(string(line)) + "\n")); err != nil {
			return 0, err
		}
		b.rest = rest
	}
}

// benchRefused is an error of theirs, worded where it is a refusal that people meet: a name that does not exist, a value that does not fit.
func benchRefused(err error) error {
	if err == nil {
		return nil
	}
	if t := recognised("bench.no.", "", err.Error()); t.ID != "" {
		return said{t, err}
	}
	return err
}

// joinRefused is [errors.Join] of two of theirs.
func joinRefused(a, b error) error { return errors.Join(benchRefused(a), benchRefused(b)) }
