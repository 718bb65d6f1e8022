package main

// The shell as somebody who is asked: each prompt is written out, an answer is a line.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

// shell implements service.Citizen for forms, choices, waits and panels.
type shell struct {
	io    stdio
	words service.Messages
	lang  string
	lines chan string // closed at the end of the input
}

// maxLine bounds one answer, in bytes.
const maxLine = 4096

func newShell(io stdio, words service.Messages, lang string) *shell {
	s := &shell{io: io, words: words, lang: lang, lines: make(chan string)}
	go func() { // ends with the input, or with the program
		defer close(s.lines)
		in := bufio.NewScanner(io.in)
		in.Buffer(make([]byte, maxLine), maxLine)
		for in.Scan() {
			s.lines <- in.Text()
		}
	}()
	return s
}

func (s *shell) say(t service.Text) string { return s.words.Say(s.lang, t) }

// Tell implements service.Citizen.
func (s *shell) Tell(service.View) {}

// errInput: there is nobody to ask.
var errInput = errors.New("the input ended")

// read waits for a line.
func (s *shell) read(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(s.io.out, prompt)
	select {
	case l, more := <-s.lines:
		if !more {
			return "", errInput
		}
		return strings.TrimSpace(l), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Ask implements service.Citizen.
func (s *shell) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	switch p := p.(type) {
	case service.Wait:
		fmt.Fprintf(s.io.out, "\n%s … %s\n", s.say(p.Title), s.say(p.Hint))
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case service.Form:
		return s.form(ctx, p)
	case service.Choose:
		s.head(p.Title, p.Hint)
		var ids []string
		for _, o := range p.Options {
			ids = append(ids, o.ID)
			fmt.Fprintf(s.io.out, "  %2d  %s\n", len(ids), s.say(o.Label))
		}
		id, err := s.pick(ctx, ids, "")
		return service.Chosen{ID: id}, err
	case maintain.Panel:
		return s.panel(ctx, p)
	}
	return nil, fmt.Errorf("%w: a shell cannot show %s", service.ErrAnswer, p.Name())
}

func (s *shell) head(title, hint service.Text) {
	fmt.Fprintf(s.io.out, "\n== %s\n", s.say(title))
	if h := s.say(hint); h != "" {
		fmt.Fprintf(s.io.out, "   %s\n", h)
	}
}

// panel lists rows and what can be chosen: by number, or by its id.
func (s *shell) panel(ctx context.Context, p maintain.Panel) (service.Answer, error) {
	s.head(p.Title, p.Hint)
	var ids []string
	for _, r := range p.Rows {
		no := "    "
		if !r.Action.IsZero() {
			ids = append(ids, r.ID)
			no = fmt.Sprintf("%2d  ", len(ids))
		}
		fmt.Fprintf(s.io.out, "  %s%s", no, s.say(r.Label))
		if pill := s.say(r.Pill); pill != "" {
			fmt.Fprintf(s.io.out, "  [%s]", pill)
		}
		fmt.Fprintln(s.io.out)
		if d := s.say(r.Detail); d != "" {
			fmt.Fprintf(s.io.out, "        %s\n", d)
		}
	}
	for _, b := range append(append([]maintain.Button{}, p.Grid...), p.Left, p.Next) {
		if b.ID != "" {
			ids = append(ids, b.ID)
			fmt.Fprintf(s.io.out, "  %2d  %s\n", len(ids), s.say(b.Label))
		}
	}
	id, err := s.pick(ctx, ids, p.Next.ID)
	return service.Chosen{ID: id}, err
}

// pick reads a choice: a number, an id, "<" to go back, or nothing for what is usual.
func (s *shell) pick(ctx context.Context, ids []string, usual string) (string, error) {
	for {
		l, err := s.read(ctx, "> ")
		if err != nil {
			return "", err
		}
		n, nerr := strconv.Atoi(l)
		switch {
		case l == "<":
			return "", service.ErrBack
		case l == "" && usual != "":
			return usual, nil
		case nerr == nil && n >= 1 && n <= len(ids):
			return ids[n-1], nil
		}
		for _, id := range ids {
			if id == l {
				return id, nil
			}
		}
		fmt.Fprintf(s.io.out, "   1 … %d, <\n", len(ids))
	}
}

// form asks for one value after the other; an empty line keeps what is there, "<" goes back.
func (s *shell) form(ctx context.Context, f service.Form) (service.Answer, error) {
	s.head(f.Title, f.Hint)
	v := map[string]string{}
	for _, x := range f.Fields {
		for {
			if !x.Problem.IsZero() {
				fmt.Fprintf(s.io.out, "   %s\n", s.say(x.Problem))
			}
			prompt := "   " + s.say(x.Label)
			if x.Value != "" {
				prompt += " [" + x.Value + "]"
			}
			l, err := s.line(ctx, prompt+": ", x.Secret)
			if err != nil {
				return nil, err
			}
			if l == "<" {
				return nil, service.ErrBack
			}
			if l == "" {
				l = x.Value
			}
			if l != "" || !x.Required {
				v[x.ID] = l
				break
			}
		}
	}
	return service.Filled{Values: v}, nil
}

// line reads a value; a secret one is not shown on a keyboard.
func (s *shell) line(ctx context.Context, prompt string, secret bool) (string, error) {
	f, is := s.io.in.(*os.File)
	if !secret || !is {
		return s.read(ctx, prompt)
	}
	old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return s.read(ctx, prompt)
	}
	hidden := *old
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &hidden); err != nil {
		return "", fmt.Errorf("keyboard: %w", err)
	}
	defer func() {
		_ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, old)
		fmt.Fprintln(s.io.out)
	}()
	return s.read(ctx, prompt)
}
