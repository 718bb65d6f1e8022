package maintain

// A technician's card in the place of a service code: their identity card, social-security card or a badge with a code, at whichever
// reader the terminal has. What is kept of it is a mark that only this key makes again, never its number.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/budayang/kiosk/devices"
)

// A Badge is what a card or a code said. It formats, logs and marshals as "[badge]" only; Wipe it.
type Badge struct{ secret []byte }

// Format hides everything, whatever the verb.
func (Badge) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[badge]")) }

// LogValue hides everything.
func (Badge) LogValue() slog.Value { return slog.StringValue("[badge]") }

// MarshalJSON refuses.
func (Badge) MarshalJSON() ([]byte, error) { return nil, errors.New("a badge is not marshalled") }

// Wipe zeroes the badge.
func (b *Badge) Wipe() {
	if b != nil {
		clear(b.secret)
		b.secret = nil
	}
}

// newBadge tells kinds of cards apart, so that no code on paper stands for somebody's card.
func newBadge(kind string, number []byte) *Badge {
	return &Badge{append([]byte(kind+":"), number...)}
}

// shortestCode is the least that a badge's code holds, in bytes: what is shorter is guessed, or is a shop's bar code.
const shortestCode = 16

// badgeRoles are where a badge can be read.
var badgeRoles = []devices.Role{devices.RoleIDReader, devices.RoleSmartCard, devices.RoleCodeScanner}

// ReadBadge waits until a card or a code is shown at one of the readers. What cannot be read is passed over. It returns ctx's error when
// ctx ends, [devices.ErrNoDevice] when there is no reader at all.
func ReadBadge(ctx context.Context, set devices.Set) (*Badge, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	came := make(chan *Badge, len(badgeRoles))
	var readers sync.WaitGroup
	none := 0
	for _, role := range badgeRoles {
		if set.Status(role).Unready() == devices.UnreadyNoDevice {
			none++
			continue
		}
		readers.Go(func() {
			if b := readAt(ctx, set, role); b != nil {
				came <- b
				stop()
			}
		})
	}
	if none == len(badgeRoles) {
		return nil, devices.ErrNoDevice
	}
	readers.Wait()
	select {
	case b := <-came:
		for len(came) > 0 { // shown at two readers at once
			(<-came).Wipe()
		}
		return b, nil
	default:
		return nil, ctx.Err()
	}
}

// readAgain is the pause after a card that could not be read, or a reader that somebody else holds.
const readAgain = 300 * time.Millisecond

// readAt reads at one reader until there is a badge or ctx ends; nil when it ended.
func readAt(ctx context.Context, set devices.Set, role devices.Role) *Badge {
	for ctx.Err() == nil {
		if dev, release, err := set.Use(role); err == nil {
			b, err := BadgeAt(ctx, dev)
			release()
			if err == nil {
				return b
			}
		}
		select {
		case <-time.After(readAgain):
		case <-ctx.Done():
		}
	}
	return nil
}

// BadgeAt reads one badge at an open reader. Errors are the reader's, [ErrBadge] for what is no badge.
func BadgeAt(ctx context.Context, dev devices.Device) (*Badge, error) {
	switch dev := dev.(type) {
	case devices.IDReader:
		card, err := dev.Read(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer card.Wipe()
		return newBadge("id", []byte(card.Number)), nil
	case devices.SocialCardReader:
		card, err := dev.Read(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer card.Wipe()
		if card.ID == "" {
			return nil, ErrBadge
		}
		return newBadge("social", []byte(card.ID)), nil
	case devices.CodeScanner:
		code, err := dev.Scan(ctx)
		if err != nil {
			return nil, err
		}
		defer code.Wipe()
		if len(code.Data) < shortestCode {
			return nil, ErrBadge
		}
		return newBadge("code", code.Data), nil
	}
	return nil, devices.ErrUnusable
}

// Errors of cards.
var (
	ErrBadge = errors.New("a badge is an identity card, a social-security card, or a code of 16 bytes and more")
	ErrCard  = errors.New("a card's mark is 64 hexadecimal digits, its key 32")
)

// A CardKey makes marks of badges. Without it nobody can say whose a mark is; with it every guess costs what a PIN costs.
type CardKey [16]byte

// NewCardKey makes a key.
func NewCardKey() (k CardKey) {
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// ParseCardKey reads 32 hexadecimal digits.
func ParseCardKey(text string) (k CardKey, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(k) {
		return k, ErrCard
	}
	return CardKey(b), nil
}

// String is the key as a configuration has it.
func (k CardKey) String() string { return hex.EncodeToString(k[:]) }

// Mark is what is kept of a badge: argon2id over it, with the key as salt. It takes some 50 ms and 46 MiB.
func (k CardKey) Mark(b *Badge) string {
	sum := argon2.IDKey(b.secret, k[:], hashing.Iterations, hashing.Memory, hashing.Parallelism, hashing.KeyLength)
	return hex.EncodeToString(sum)
}

func mark(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == int(hashing.KeyLength) && text == hex.EncodeToString(b)
}

// KeyFile is the name of the key of the marks in [KeeperFile], beside it.
const KeyFile = "technicians.key"

// key reads the file's key; with fresh one is made where there is none.
func (f File) key(fresh bool) (k CardKey, err error) {
	path := filepath.Join(filepath.Dir(f.Path), KeyFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && fresh:
		k = NewCardKey()
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return k, fmt.Errorf("technicians: %w", err)
		}
		_, err = out.WriteString(k.String())
		if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
			return k, fmt.Errorf("technicians: %w", errors.Join(err, os.Remove(path)))
		}
		return k, nil
	case err != nil:
		return k, fmt.Errorf("technicians: %w", err)
	}
	return ParseCardKey(string(b))
}

// SetCard gives a technician of the file a card in the place of the one they had; nil takes it away.
func (f File) SetCard(code string, b *Badge) error {
	all, err := f.List()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t Technician) bool { return t.Code == code })
	if i < 0 {
		return ErrNobody
	}
	all[i].Card = ""
	if b != nil {
		k, err := f.key(true)
		if err != nil {
			return err
		}
		m := k.Mark(b)
		if slices.ContainsFunc(all, func(t Technician) bool { return t.Card == m }) {
			return ErrTaken
		}
		all[i].Card = m
	}
	return f.write(all)
}

// Staff are the technicians of the terminal's own file, and those that its configuration names, which may have come from the platform.
// Of two with one service code the file's counts.
type Staff struct {
	File  File
	Named []Technician
	Key   CardKey // of the marks in Named
}

// group is technicians whose marks one key makes.
type group struct {
	all []Technician
	key func() (CardKey, error)
}

func (s Staff) groups() ([]group, error) {
	own, err := s.File.List()
	if err != nil {
		return nil, err
	}
	return []group{{own, func() (CardKey, error) { return s.File.key(false) }}, {s.Named, func() (CardKey, error) { return s.Key, nil }}}, nil
}

// Any implements Keeper.
func (s Staff) Any() bool { return s.File.Any() || len(s.Named) > 0 }

// Check implements Keeper.
func (s Staff) Check(code, pin string) (Person, error) {
	groups, err := s.groups()
	if err != nil {
		return Person{}, err
	}
	for _, g := range groups {
		if i := slices.IndexFunc(g.all, func(t Technician) bool { return t.Code == code }); i >= 0 {
			return g.all[i].admit(pin)
		}
	}
	return nobody.admit(pin)
}

// Cards implements CardKeeper.
func (s Staff) Cards() bool {
	groups, err := s.groups()
	return err == nil && slices.ContainsFunc(groups, group.cards)
}

func (g group) cards() bool {
	return slices.ContainsFunc(g.all, func(t Technician) bool { return t.Card != "" })
}

// CheckCard implements CardKeeper.
func (s Staff) CheckCard(b *Badge, pin string) (Person, error) {
	groups, err := s.groups()
	if err != nil {
		return Person{}, err
	}
	who := nobody
	for _, g := range groups {
		if !g.cards() {
			continue
		}
		k, err := g.key()
		if err != nil {
			return Person{}, err
		}
		m := k.Mark(b)
		if i := slices.IndexFunc(g.all, func(t Technician) bool { return t.Card == m }); i >= 0 {
			who = g.all[i]
			break
		}
	}
	return who.admit(pin)
}

// A CardKeeper also knows technicians by a card.
type CardKeeper interface {
	Keeper
	// Cards says whether anybody has a card at all.
	Cards() bool
	// CheckCard says whose badge and PIN these are; the zero Person when they are nobody's.
	CheckCard(b *Badge, pin string) (Person, error)
}

// reading waits for a badge beside a prompt. came is closed when there is one; stop ends it and returns the badge, or nil.
func (c *Console) reading(ctx context.Context) (came <-chan struct{}, stop func() *Badge) {
	k, knows := c.cfg.Keeper.(CardKeeper)
	if !knows || !k.Cards() {
		return nil, func() *Badge { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	there, done := make(chan struct{}), make(chan *Badge, 1)
	go func() {
		b, err := ReadBadge(ctx, c.cfg.Devices)
		if err != nil {
			b = nil
		}
		done <- b
		if b != nil {
			close(there)
		}
	}()
	return there, func() *Badge {
		cancel()
		return <-done
	}
}
