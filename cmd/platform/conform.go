package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform/conform"
	"github.com/budayang/kiosk/sync/wire"
)

// conformCmd is `platform conform`.
type conformCmd struct {
	URL       string        `arg:"" help:"The platform's address, https://…"`
	CA        string        `name:"ca" required:"" type:"path" help:"PEM of the authorities that the test terminals believe."`
	Terminals string        `required:"" type:"path" help:"File, mode 0600, of two lines TERMINAL CODE: unused terminals with their one-time codes."`
	Profile   string        `default:"p256-sha256" enum:"p256-sha256,sm2-sm3" help:"Signature profile of the test terminals."`
	Person    string        `type:"path" help:"File, mode 0600, of one line NUMBER NAME: a trial person whom the platform knows. Needs --codes."`
	Codes     string        `type:"path" help:"File to which the trial's messages are appended; the first six digits alone that come are taken for the code."`
	Revoke    string        `type:"path" help:"Program that puts out the terminal that it is given as argument, as an operator does."`
	Service   string        `default:"sb-info" help:"Query that needs a verified person."`
	Kind      string        `default:"SB-P" help:"Kind of the document that is issued."`
	Priced    string        `name:"priced-item" help:"Item with a price, of which a bill is made and cancelled. Without it that is skipped."`
	Card      string        `help:"Kind of card that terminals make and that --person may have, such as TID. Without it that is skipped."`
	Face      string        `type:"path" help:"JPEG that shows --person, as a terminal's camera takes one. Without it no token for a face is seen."`
	Finger    string        `type:"path" help:"PNG in grey of a finger of --person, dark ridges, 500 pixels an inch. Without it no token for a finger is seen."`
	Patience  time.Duration `default:"1m" help:"The longest wait for one answer."`
	JSON      bool          `help:"Print JSON."`
}

// Run enrols two test terminals and says of every promise of docs/protocol.md whether it is kept.
func (c conformCmd) Run(ctx context.Context, std stdio) error {
	cfg := conform.Config{URL: c.URL, Profile: wire.Profile(c.Profile), Service: c.Service, Kind: c.Kind, Priced: c.Priced, Card: c.Card, Patience: c.Patience}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return err
	}
	if cfg.Roots = x509.NewCertPool(); !cfg.Roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", c.CA)
	}
	lines, err := secretLines(c.Terminals)
	if err != nil {
		return err
	}
	for _, l := range lines {
		id, code, _ := strings.Cut(l, " ")
		cfg.Enrolments = append(cfg.Enrolments, conform.Enrolment{Terminal: id, Code: strings.TrimSpace(code)})
	}
	if c.Person != "" {
		if lines, err = secretLines(c.Person); err != nil {
			return err
		}
		if len(lines) != 1 || c.Codes == "" {
			return errors.New("--person is a file of one line NUMBER NAME, and --codes must say where its codes arrive")
		}
		number, name, _ := strings.Cut(lines[0], " ")
		cfg.Person = wire.PersonRef{Number: number, Name: strings.TrimSpace(name)}
		cfg.Code = &codeFile{path: c.Codes, patience: c.Patience}
	}
	if cfg.Face, cfg.Finger, err = c.pictures(); err != nil {
		return err
	}
	if c.Revoke != "" {
		cfg.Revoke = func(ctx context.Context, terminal string) error {
			return exec.CommandContext(ctx, c.Revoke, terminal).Run()
		}
	}
	var failed, skipped int
	all, err := conform.Run(ctx, cfg, func(r conform.Result) {
		switch r.Outcome {
		case conform.Failed:
			failed++
		case conform.Skipped:
			skipped++
		}
		if !c.JSON {
			fmt.Fprintln(std.out, sentence(r))
		}
	})
	if c.JSON && err == nil {
		e := json.NewEncoder(std.out)
		e.SetIndent("", "  ")
		err = e.Encode(all)
	}
	if err != nil {
		return err
	}
	summary := fmt.Sprintf("%d checks: %d ok, %d failed, %d skipped", len(all), len(all)-failed-skipped, failed, skipped)
	if failed > 0 {
		return errors.New(summary)
	}
	fmt.Fprintln(std.err, summary)
	return nil
}

// mostPicture bounds a file of a picture; what a platform takes is smaller.
const mostPicture = 1 << 20

// pictures reads what shows the person. Like the person they are nobody else's to read.
func (c conformCmd) pictures() (face []byte, finger image.Image, err error) {
	if c.Face != "" {
		if face, err = secretFile(c.Face, mostPicture); err != nil {
			return nil, nil, err
		}
	}
	if c.Finger == "" {
		return face, nil, nil
	}
	b, err := secretFile(c.Finger, mostPicture)
	if err != nil {
		return nil, nil, err
	}
	is, err := png.DecodeConfig(bytes.NewReader(b))
	if side := func(n int) bool { return n >= wire.LeastFingerSide && n <= wire.MostFingerSide }; err != nil || !side(is.Width) || !side(is.Height) {
		return nil, nil, fmt.Errorf("%s is no PNG of %d to %d pixels a side", c.Finger, wire.LeastFingerSide, wire.MostFingerSide)
	}
	finger, err = png.Decode(bytes.NewReader(b))
	return face, finger, err
}

// sentence is one check's line.
func sentence(r conform.Result) string {
	said := fmt.Sprintf("%s (protocol.md, %s)", r.Expect, r.Where)
	switch r.Outcome {
	case conform.Failed:
		return fmt.Sprintf("FAILED   %s: expected %s; came: %s", r.Check, said, r.Came)
	case conform.Skipped:
		return fmt.Sprintf("skipped  %s: %s", r.Check, r.Came)
	}
	return fmt.Sprintf("ok       %s: %s", r.Check, said)
}

// secretFile reads a file of at most so many bytes that nobody else may read.
func secretFile(path string, most int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 || st.Size() > most {
		return nil, fmt.Errorf("%s can be read by others, or is too large: chmod 600 %s", path, path)
	}
	return os.ReadFile(path)
}

// secretLines are those of a file that nobody else may read.
func secretLines(path string) (lines []string, err error) {
	b, err := secretFile(path, 64<<10)
	if err != nil {
		return nil, err
	}
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// codeFile reads one-time codes where the trial's messages are appended.
type codeFile struct {
	path     string
	patience time.Duration
	from     int64
}

// Begin notes what is there already.
func (f *codeFile) Begin() error {
	st, err := os.Stat(f.path)
	if err != nil {
		return errors.New("the file of --codes cannot be read")
	}
	f.from = st.Size()
	return nil
}

var sixDigits = regexp.MustCompile(`(?:^|[^0-9])([0-9]{6})(?:[^0-9])`)

// Read waits for a code.
func (f *codeFile) Read(ctx context.Context, _ wire.CodeSent) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	for {
		file, err := os.Open(f.path)
		if err != nil {
			return "", errors.New("the file of --codes cannot be read")
		}
		b, err := io.ReadAll(io.NewSectionReader(file, f.from, 1<<20))
		_ = file.Close()
		if err != nil {
			return "", errors.New("the file of --codes cannot be read")
		}
		if m := sixDigits.FindSubmatch(b); m != nil {
			return string(m[1]), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.New("nothing arrived in the file of --codes")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
